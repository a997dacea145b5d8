import { RealtimeError } from './errors.js';
import { type ClientFrame, type Hello, type ServerFrame, readFrame } from './messages.js';
import { Alarm, type Timers } from './timers.js';

/** What the client needs of a WebSocket: that of browsers, of Node 22, or of the package `ws`. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: 'error', listener: (event: unknown) => void): void;
}

export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** What a connection tells; nothing after `lost`, and nothing after it was closed. */
export interface Listener {
  hello(hello: Hello): void;
  frame(frame: Exclude<ServerFrame, Hello>): void;
  lost(error: RealtimeError): void;
}

/** One WebSocket, from its opening to its end. */
export class Connection {
  readonly #socket: WebSocketLike;
  readonly #listener: Listener;
  readonly #ping: Alarm;
  readonly #silence: Alarm;
  #heartbeat: number | undefined;
  #over = false;

  constructor(webSocket: WebSocketConstructor, url: string, timers: Timers, listener: Listener) {
    this.#listener = listener;
    this.#ping = new Alarm(timers);
    this.#silence = new Alarm(timers);
    this.#socket = new webSocket(url);
    this.#socket.addEventListener('message', ({ data }) => this.#receive(data));
    this.#socket.addEventListener('close', ({ code, reason }) => {
      const when = this.#heartbeat === undefined ? 'could not be made' : 'is lost';
      const why = reason === '' ? '' : `: ${reason}`;
      this.#lose(
        new RealtimeError('connection', `the connection ${when} (close code ${code})${why}`, { closeCode: code }),
      );
    });
    // A close follows, which says more.
    this.#socket.addEventListener('error', () => {});
  }

  /** Whether the server has said hello. */
  get ready(): boolean {
    return this.#heartbeat !== undefined && !this.#over;
  }

  send(frame: ClientFrame): void {
    if (!this.#over) this.#socket.send(JSON.stringify(frame));
  }

  close(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#ping.clear();
    this.#silence.clear();
    this.#socket.close(1000, reason);
  }

  #receive(data: unknown): void {
    if (this.#over) return;
    try {
      const frame = readFrame(data);
      this.#heard();
      if (frame === undefined) return;
      if (frame.type !== 'hello') {
        if (!this.ready) throw new RealtimeError('protocol', `the server sent \`${frame.type}\` before \`hello\``);
        this.#listener.frame(frame);
      } else {
        if (this.ready) throw new RealtimeError('protocol', 'the server said hello twice');
        this.#heartbeat = frame.heartbeat_seconds * 1000;
        this.#heard();
        this.#pingLater(this.#heartbeat / 2);
        this.#listener.hello(frame);
      }
    } catch (error) {
      if (!(error instanceof RealtimeError)) throw error;
      // Skipping the frame could skip an event.
      this.#lose(error);
    }
  }

  /** A connection whose other end is gone stays open for long: only frames prove that it is there. */
  #heard(): void {
    if (this.#heartbeat === undefined) return;
    this.#silence.set(this.#heartbeat, () =>
      this.#lose(new RealtimeError('connection', 'the connection is lost: the server is silent')),
    );
  }

  #pingLater(delay: number): void {
    this.#ping.set(delay, () => {
      this.send({ type: 'ping' });
      this.#pingLater(delay);
    });
  }

  #lose(error: RealtimeError): void {
    if (this.#over) return;
    this.close('client reconnects');
    this.#listener.lost(error);
  }
}
