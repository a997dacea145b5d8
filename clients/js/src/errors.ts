/**
 * What went wrong:
 * - `ticket_refused`: the server gives this caller no ticket. The client stops.
 * - `ticket`: a ticket could not be had, e.g. because the server is away. The client tries again.
 * - `connection`: the connection could not be made, or is lost. The client tries again.
 * - `protocol`: a frame was not what it should be. The client reconnects, so that no event is missed.
 * - `server`: the server refused what the client said; `serverCode` says what.
 * - `closed`: the client was used after its end.
 */
export type ErrorCode = 'ticket_refused' | 'ticket' | 'connection' | 'protocol' | 'server' | 'closed';

/** A failure of the client; `fatal` where it has stopped because of it. */
export class RealtimeError extends Error {
  override readonly name = 'RealtimeError';
  readonly code: ErrorCode;
  /** The close code of the WebSocket, where a connection was lost. */
  readonly closeCode: number | undefined;
  /** The code of the server's error. */
  readonly serverCode: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: { cause?: unknown; closeCode?: number; serverCode?: string } = {},
  ) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined);
    this.code = code;
    this.closeCode = more.closeCode;
    this.serverCode = more.serverCode;
  }

  get fatal(): boolean {
    return this.code === 'ticket_refused';
  }
}
