/** The last so many ids. */
export class Recent {
  readonly #ids = new Set<string>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Whether the id is new. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#limit) {
      // A set keeps the order in which ids came.
      for (const oldest of this.#ids) {
        this.#ids.delete(oldest);
        break;
      }
    }
    return true;
  }

  /** Takes out up to so many, the oldest first. */
  take(count: number): string[] {
    const ids = [...this.#ids].slice(0, count);
    for (const id of ids) this.#ids.delete(id);
    return ids;
  }

  get empty(): boolean {
    return this.#ids.size === 0;
  }

  clear(): void {
    this.#ids.clear();
  }
}
