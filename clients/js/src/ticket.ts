import { RealtimeError } from './errors.js';
import { address } from './address.js';

/**
 * Makes the `ticket` of `connect`: it asks the CRM at `baseUrl` for one, as who holds the access token. The
 * token can be a function, which is called each time, where it changes.
 *
 * The promise is rejected with a `RealtimeError`: `ticket_refused` where the server gives this caller none, at
 * which the client stops; `ticket` for anything else, such as an absent or busy server.
 */
export function ticketFrom(
  baseUrl: string | URL,
  accessToken: string | (() => string | Promise<string>),
): () => Promise<string> {
  const url = address(baseUrl, 'realtime/tickets', 'http');
  return async () => {
    const token = typeof accessToken === 'string' ? accessToken : await accessToken();
    let reply: Response;
    try {
      reply = await fetch(url, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
    } catch (cause) {
      throw new RealtimeError('ticket', `no ticket: ${url} cannot be reached`, { cause });
    }
    if (!reply.ok) {
      // A timeout and too many requests pass; other refusals of a request that says so little do not.
      const passes = reply.status >= 500 || reply.status === 408 || reply.status === 429;
      throw new RealtimeError(passes ? 'ticket' : 'ticket_refused', `no ticket: ${url} answered ${reply.status}`);
    }
    const body = (await reply.json().catch(() => undefined)) as { ticket?: unknown } | null | undefined;
    if (typeof body?.ticket !== 'string') {
      throw new RealtimeError('ticket', `no ticket: the answer of ${url} holds none`);
    }
    return body.ticket;
  };
}
