import { address } from './address.js';
import { backoff } from './backoff.js';
import { Connection, type WebSocketConstructor } from './connection.js';
import { RealtimeError } from './errors.js';
import { Inbox } from './inbox.js';
import {
  type EventMessage,
  type Hello,
  type Message,
  type NotificationMessage,
  type ResetMessage,
  type ServerFrame,
  isPosition,
} from './messages.js';
import { Recent } from './recent.js';
import { Alarm, type Timers, systemTimers } from './timers.js';

/** How long an attempt may take, from asking for the ticket to the server's hello. */
const PATIENCE = 20_000;
/** A connection that held so long ends the count of failures. */
const STABLE = 60_000;
/** Acknowledgements go out in bunches of so many at most, so far apart: the server ends who says too much. */
const BUNCH = 20;
const BUNCH_EVERY = 4_000;
/** Ids that are remembered, each of events, notifications and acknowledgements. */
const REMEMBERED = 4096;

/**
 * What the client does:
 * - `connecting`: it makes a connection.
 * - `open`: messages come.
 * - `waiting`: the connection is lost, another attempt follows.
 * - `paused`: the queue is full; it connects again once what waits has been read.
 * - `closed`: it has ended.
 */
export type State = 'connecting' | 'open' | 'waiting' | 'paused' | 'closed';

export interface Options {
  /** The address of the CRM, e.g. `https://crm.example`. */
  url: string | URL;
  /**
   * Gets a ticket, for each connection anew; see `ticketFrom`. A `RealtimeError` of the code `ticket_refused`
   * stops the client, any other failure is tried again.
   */
  ticket: () => Promise<string>;
  /** What to follow: `tenant`, `contact:<id>`. */
  topics: readonly string[];
  /** A stored `position`, to begin after it. The client begins now without. */
  after?: string | undefined;
  /** Messages that may wait for their reader, 1000 unless given. */
  queue?: number;
  /** `globalThis.WebSocket` unless given. Node has one from version 22 on. */
  webSocket?: WebSocketConstructor;
  /** Numbers from 0 to below 1, `Math.random` unless given. */
  random?: () => number;
  timers?: Timers;
}

/** What `on` tells, by the kind of it. */
export interface Happenings {
  event: EventMessage;
  notification: NotificationMessage;
  reset: ResetMessage;
  state: State;
  error: RealtimeError;
}

type Listeners = { [Kind in keyof Happenings]: Set<(happening: Happenings[Kind]) => void> };

/**
 * Follows events and notifications, from one connection to the next. Each event comes once, in the order of
 * the log, or there is a `reset`.
 *
 * Messages go to one reader: a `for await` loop, or the listeners of `event`, `notification` and `reset`. Until
 * there is one they wait in a queue. When the queue is full, because the reader is slow, the client ends the
 * connection; it makes another when all that waited has been read, and goes on after the last event of it.
 */
export class Client implements AsyncIterable<Message> {
  readonly #options: Options;
  readonly #webSocket: WebSocketConstructor;
  readonly #random: () => number;
  readonly #timers: Timers;
  readonly #inbox: Inbox;
  readonly #listeners: Listeners = {
    event: new Set(),
    notification: new Set(),
    reset: new Set(),
    state: new Set(),
    error: new Set(),
  };
  readonly #events = new Recent(REMEMBERED);
  readonly #notifications = new Recent(REMEMBERED);
  readonly #acknowledged = new Recent(REMEMBERED);
  /** Acknowledgements that wait for a connection, or for their bunch. */
  readonly #unsent = new Recent(REMEMBERED);
  /** One thing at a time: the patience with an attempt, or the wait for the next. */
  readonly #next: Alarm;
  readonly #stable: Alarm;
  readonly #bunch: Alarm;

  #state: State = 'connecting';
  #topics: readonly string[];
  /** Of the last event that came, and of the last that was handed out. */
  #received: string | undefined;
  #position: string | undefined;
  #connection: Connection | undefined;
  /** Attempts in a row that did not lead to a stable connection. */
  #failed = 0;
  /** The attempt that counts: what earlier ones still bring is void. */
  #attempt = 0;
  #iterated = false;

  constructor(options: Options) {
    const webSocket = options.webSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
    if (webSocket === undefined) {
      throw new TypeError('there is no WebSocket here: give one as `webSocket`, e.g. that of the package `ws`');
    }
    if (options.after !== undefined && !isPosition(options.after)) {
      throw new TypeError(`\`after\` is \`${options.after}\`, which is no position`);
    }
    const queue = options.queue ?? 1000;
    if (!Number.isInteger(queue) || queue < 1) throw new TypeError('`queue` must be a whole number from 1 on');
    // A wrong address is told now.
    address(options.url, 'ws', 'ws');
    this.#options = options;
    this.#webSocket = webSocket;
    this.#random = options.random ?? Math.random;
    this.#timers = options.timers ?? systemTimers;
    this.#next = new Alarm(this.#timers);
    this.#stable = new Alarm(this.#timers);
    this.#bunch = new Alarm(this.#timers);
    this.#topics = [...options.topics];
    this.#received = options.after;
    this.#position = options.after;
    this.#inbox = new Inbox(queue, (message) => {
      if (message.type !== 'notification') this.#position = message.position;
    });
    void this.#connect();
  }

  get state(): State {
    return this.#state;
  }

  /**
   * Of the last event that was handed out: store it when the event is dealt with, and give it as `after` to
   * go on there. `undefined` until the first connection stands.
   */
  get position(): string | undefined {
    return this.#position;
  }

  /** Calls the listener from now on, until the function that it gives is called. */
  on<Kind extends keyof Happenings>(kind: Kind, listener: (happening: Happenings[Kind]) => void): () => void {
    if (kind !== 'state' && kind !== 'error') {
      if (this.#iterated) throw new TypeError('messages go to one reader, and there is a loop over this client');
      // Not at once, so that a reset that waits meets a listener that is added next.
      queueMicrotask(() => this.#handOut());
    }
    this.#listeners[kind].add(listener);
    return () => void this.#listeners[kind].delete(listener);
  }

  /** Reads the messages. A loop can be left and another begun; the client goes on until it is closed. */
  [Symbol.asyncIterator](): AsyncIterator<Message> {
    if (this.#heeded) throw new TypeError('messages go to one reader, and there are listeners for them');
    this.#iterated = true;
    return {
      next: () => {
        const message = this.#inbox.take();
        this.#resume();
        return message;
      },
    };
  }

  /** Acknowledges a notification. */
  ack(notificationId: string): void {
    this.#refuseIfClosed();
    this.#acknowledged.add(notificationId);
    this.#sendAck(notificationId);
  }

  /**
   * Follows other topics instead, whose events come from the current position on. It takes a new connection:
   * on the old one, events of the old topics that are under way could not be told from those of the new.
   */
  subscribe(topics: readonly string[]): void {
    this.#refuseIfClosed();
    this.#topics = [...topics];
    if (this.#connection?.ready !== true) return;
    this.#disconnect('other topics');
    void this.#connect();
  }

  /** Ends the client. What waits is not handed out any more, and loops over it end. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#stop();
    this.#inbox.close();
    this.#become('closed');
  }

  // ---- connections ----

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    const isCurrent = () => attempt === this.#attempt;
    this.#become('connecting');
    // A listener of the state may have closed the client.
    if (!isCurrent()) return;
    this.#next.set(PATIENCE, () => {
      this.#lost(new RealtimeError('connection', `no connection within ${PATIENCE / 1000} s`));
    });
    let ticket: string;
    try {
      ticket = await this.#options.ticket();
    } catch (cause) {
      if (isCurrent()) this.#withoutTicket(cause);
      return;
    }
    if (!isCurrent()) return;
    const url = address(this.#options.url, 'ws', 'ws');
    url.searchParams.set('ticket', ticket);
    try {
      this.#connection = new Connection(this.#webSocket, url.href, this.#timers, {
        hello: (hello) => this.#greeted(hello),
        frame: (frame) => this.#read(frame),
        lost: (error) => this.#lost(error),
      });
    } catch (cause) {
      this.#lost(new RealtimeError('connection', `the connection could not be made: ${String(cause)}`, { cause }));
    }
  }

  #withoutTicket(cause: unknown): void {
    const error =
      cause instanceof RealtimeError
        ? cause
        : new RealtimeError('ticket', `no ticket: ${String(cause)}`, { cause });
    if (!error.fatal) {
      this.#lost(error);
      return;
    }
    this.#stop();
    const heard = this.#listeners.error.size > 0 || this.#iterated;
    this.#inbox.fail(error);
    this.#become('closed');
    this.#tell('error', error);
    if (!heard) throwLater(error);
  }

  #greeted(hello: Hello): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#next.clear();
    this.#stable.set(STABLE, () => {
      this.#failed = 0;
    });
    if (this.#received === undefined) {
      // From here on nothing is missed, even if the connection is lost before the first event.
      this.#received = hello.position;
      this.#position = hello.position;
    }
    connection.send({ type: 'subscribe', topics: this.#topics, after: this.#received });
    this.#sendAcks();
    this.#become('open');
  }

  #lost(error: RealtimeError): void {
    this.#disconnect('client reconnects');
    const delay = backoff(this.#failed, this.#random);
    this.#failed += 1;
    this.#next.set(delay, () => void this.#connect());
    this.#tell('error', error);
    this.#become('waiting');
  }

  /** Ends the connection, or the attempt at one. */
  #disconnect(reason: string): void {
    this.#attempt += 1;
    this.#next.clear();
    this.#stable.clear();
    this.#bunch.clear();
    this.#connection?.close(reason);
    this.#connection = undefined;
  }

  #stop(): void {
    this.#disconnect('client closes');
    this.#unsent.clear();
  }

  // ---- messages ----

  #read(frame: Exclude<ServerFrame, Hello>): void {
    switch (frame.type) {
      case 'event':
        // The order of the log is that of positions: what is not later has come before.
        if (this.#received !== undefined && frame.position <= this.#received) return;
        this.#received = frame.position;
        if (this.#events.add(frame.event.id)) this.#take(frame);
        return;
      case 'notification': {
        const { id } = frame.notification;
        if (this.#notifications.add(id)) {
          this.#take(frame);
        } else if (this.#acknowledged.has(id)) {
          // The acknowledgement went down with its connection.
          this.#sendAck(id);
        }
        return;
      }
      case 'reset':
        this.#received = frame.position;
        this.#events.clear();
        this.#take(frame);
        return;
      case 'error':
        this.#tell(
          'error',
          new RealtimeError('server', `the server refused: ${frame.message} (${frame.code})`, {
            serverCode: frame.code,
          }),
        );
        return;
      case 'pong':
        return;
    }
  }

  #take(message: Message): void {
    this.#inbox.push(message);
    this.#handOut();
    if (this.#inbox.full) {
      this.#disconnect('the reader is slow');
      this.#become('paused');
    }
  }

  get #heeded(): boolean {
    const { event, notification, reset } = this.#listeners;
    return event.size + notification.size + reset.size > 0;
  }

  #handOut(): void {
    while (this.#heeded) {
      const message = this.#inbox.poll();
      if (message === undefined) break;
      this.#tell(message.type, message);
    }
    this.#resume();
  }

  #resume(): void {
    if (this.#state === 'paused' && this.#inbox.empty) void this.#connect();
  }

  // ---- the rest ----

  #sendAck(id: string): void {
    this.#unsent.add(id);
    this.#sendAcks();
  }

  #sendAcks(): void {
    if (this.#connection?.ready !== true || this.#bunch.isSet || this.#unsent.empty) return;
    for (const id of this.#unsent.take(BUNCH)) this.#connection.send({ type: 'ack', notification_id: id });
    this.#bunch.set(BUNCH_EVERY, () => this.#sendAcks());
  }

  #refuseIfClosed(): void {
    if (this.#state === 'closed') throw new RealtimeError('closed', 'the client has ended');
  }

  #become(state: State): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.#tell('state', state);
  }

  #tell<Kind extends keyof Happenings>(kind: Kind, happening: Happenings[Kind]): void {
    for (const listener of [...this.#listeners[kind]]) {
      try {
        listener(happening);
      } catch (error) {
        throwLater(error);
      }
    }
  }
}

/** A failure of the application's own is nobody's to catch here; nor does it stop the client. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Connects, and stays connected until it is closed. */
export function connect(options: Options): Client {
  return new Client(options);
}
