// Following what happens.

import { crossing, until, type Awaited, type Options } from "./calling.js";
import type { NativeBatch, NativeReader, NativeSession } from "./native.js";
import { Session } from "./session.js";
import { toFollowedEvent, type FollowedEvent } from "./surface.js";

/** Where to begin: with what happens from now on, with the oldest that is kept, or after an event's position. */
export type After = "now" | "start" | (string & {});

/** The next event; or that some are missing, which are no longer kept: read anew what was built from them. */
export type Delivery =
    | { readonly type: "event"; readonly event: FollowedEvent }
    | { readonly type: "reset"; readonly position: string };

/** Reads until the end, the signal, or the reader goes; then the wait in Rust ends, too. */
async function* reading<T>(
    begin: () => Promise<NativeReader<T>>,
    signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
    signal?.throwIfAborted();
    const reader = await crossing(begin);
    try {
        for (;;) {
            const next = await until(() => crossing(() => reader.next()), signal);
            if (next === null) {
                return;
            }
            yield next;
        }
    } finally {
        reader.close();
    }
}

/** Events for a group, to be handled at least once. */
export class Batch {
    /** The events, the oldest first. */
    readonly events: readonly FollowedEvent[];
    /** Whether events before these are no longer kept. */
    readonly incomplete: boolean;
    readonly #native: NativeBatch;
    readonly #awaited: Awaited;

    /** @internal */
    constructor(native: NativeBatch, awaited: Awaited) {
        this.#native = native;
        this.#awaited = awaited;
        this.events = JSON.parse(native.events).map(toFollowedEvent);
        this.incomplete = native.incomplete;
    }

    /** A session whose first write moves the group past this batch in the same commit. */
    get session(): Session {
        return new Session(this.#native.session(), this.#awaited);
    }

    /** Moves the group past the batch; until then its events come again. */
    done(): Promise<void> {
        return crossing(() => this.#native.done());
    }
}

/** The event log of a tenant. */
export class Events {
    readonly #native: NativeSession;
    readonly #awaited: Awaited;

    /** @internal */
    constructor(native: NativeSession, awaited: Awaited) {
        this.#native = native;
        this.#awaited = awaited;
    }

    /**
     * Follow the tenant's events from a position on, until the loop is left, the signal comes or the CRM closes. "From
     * now on" is when the first is asked for.
     */
    async *subscribe(options: Options & { after?: After } = {}): AsyncGenerator<Delivery, void, undefined> {
        const begin = () => this.#native.subscribe(String(options.after ?? "now"));
        for await (const text of reading(begin, options.signal)) {
            const { reset, events } = JSON.parse(text);
            if (reset !== null) {
                yield { type: "reset", position: reset };
            }
            for (const event of events) {
                yield { type: "event", event: toFollowedEvent(event) };
            }
        }
    }

    /** Follow the tenant's events in a group whose position is stored; `otherwise` is where a new group begins. */
    async *group(name: string, options: Options & { otherwise?: After } = {}): AsyncGenerator<Batch, void, undefined> {
        const begin = () => this.#native.group(String(name), String(options.otherwise ?? "now"));
        for await (const batch of reading(begin, options.signal)) {
            yield new Batch(batch, this.#awaited);
        }
    }
}
