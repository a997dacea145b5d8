/** The time that the client goes by, in milliseconds; tests give their own. */
export interface Timers {
  setTimeout(callback: () => void, delay: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const systemTimers: Timers = {
  setTimeout: (callback, delay) => globalThis.setTimeout(callback, delay),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as number),
};

/** One timer that can be set again, and ends with what it times. */
export class Alarm {
  readonly #timers: Timers;
  #timer: unknown;
  #set = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get isSet(): boolean {
    return this.#set;
  }

  set(delay: number, callback: () => void): void {
    this.clear();
    this.#set = true;
    this.#timer = this.#timers.setTimeout(() => {
      this.#set = false;
      callback();
    }, delay);
  }

  clear(): void {
    if (this.#set) this.#timers.clearTimeout(this.#timer);
    this.#set = false;
  }
}
