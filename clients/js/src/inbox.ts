import type { Message } from './messages.js';

type Taker = { resolve(result: IteratorResult<Message>): void; reject(error: unknown): void };

/** Messages that wait for their reader. It never holds more than `limit`; who fills it looks at `full`. */
export class Inbox {
  readonly #messages: Message[] = [];
  readonly #takers: Taker[] = [];
  readonly #limit: number;
  readonly #handOut: (message: Message) => void;
  #end: { error?: unknown } | undefined;

  /** `handOut` is told of each message just before the reader has it. */
  constructor(limit: number, handOut: (message: Message) => void) {
    this.#limit = limit;
    this.#handOut = handOut;
  }

  get full(): boolean {
    return this.#messages.length >= this.#limit;
  }

  get empty(): boolean {
    return this.#messages.length === 0;
  }

  push(message: Message): void {
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#messages.push(message);
    } else {
      this.#handOut(message);
      taker.resolve({ done: false, value: message });
    }
  }

  /** The next message, if one waits. */
  poll(): Message | undefined {
    const message = this.#messages.shift();
    if (message !== undefined) this.#handOut(message);
    return message;
  }

  /** The next message, once there is one. */
  take(): Promise<IteratorResult<Message>> {
    const message = this.poll();
    if (message !== undefined) return Promise.resolve({ done: false, value: message });
    const end = this.#end;
    if (end === undefined) return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
    if (!('error' in end)) return Promise.resolve({ done: true, value: undefined });
    // Once: an iterator is done after it has thrown.
    this.#end = {};
    return Promise.reject(end.error);
  }

  /** Nothing comes any more, and what waits is not wanted. */
  close(): void {
    this.#messages.length = 0;
    this.#end = {};
    for (const taker of this.#takers.splice(0)) taker.resolve({ done: true, value: undefined });
  }

  /** Nothing comes any more: what waits can still be read, then its reader meets the error. */
  fail(error: unknown): void {
    const [first, ...others] = this.#takers.splice(0);
    this.#end = first === undefined ? { error } : {};
    first?.reject(error);
    for (const taker of others) taker.resolve({ done: true, value: undefined });
  }
}
