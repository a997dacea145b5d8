// How operations are called: by promises, or on the caller's thread.

import { CrmError, crmError } from "./errors.js";
import { written, type Shape } from "./given.js";
import { native, type NativeCaller } from "./native.js";

export type { Shape };

/** What every call takes. */
export interface Options {
    /** Ends the waiting. What was begun goes on. */
    readonly signal?: AbortSignal | undefined;
}

/** The same methods, each of which waits on the caller's thread. */
export type Blocking<T> = {
    readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (
        ...args: infer A
    ) => Promise<infer R>
        ? (...args: A) => R
        : T[K] extends (...args: infer A) => AsyncIterableIterator<infer R>
          ? (...args: A) => IterableIterator<R>
          : never;
};

export interface Operation<R> {
    readonly name: string;
    readonly number: number;
    readonly choose: boolean;
    readonly revive: ((reply: any) => R) | null;
    readonly shape: Shape;
    readonly nested: Shape | undefined;
}

const numbers = new Map(native.names().map((name, number) => [name, number]));

export function operation<R>(
    name: string,
    choose: boolean,
    revive: ((reply: any) => R) | null,
    shape: Shape,
    nested?: { readonly [name: string]: Shape },
): Operation<R> {
    const number = numbers.get(name);
    if (number === undefined) {
        throw new Error(`crm-core.node has no ${name}: it is of another version`);
    }
    const tables = nested && Object.entries(nested).map(([key, own]) => [key, [key, own] as const]);
    return { name, number, choose, revive, shape, nested: tables && Object.fromEntries(tables) };
}

function text(operation: Operation<unknown>, args: object, fields: unknown): string {
    return written(operation.name, operation.choose, args, operation.nested, fields, operation.shape);
}

function revived<R>(operation: Operation<R>, reply: string): R {
    const value = JSON.parse(reply);
    return operation.revive === null ? (value ?? undefined) : operation.revive(value);
}

interface PageLike<T> {
    readonly items: readonly T[];
    readonly nextCursor: string | null;
}

/** What calls operations. `any`, since it is asked for a promise or for the value. */
export interface Caller {
    call(operation: Operation<any>, args: object, fields: unknown, options: Options | undefined): any;
    pages(operation: Operation<any>, args: object, fields: object | undefined, options: Options | undefined): any;
}

/** What is awaited and not there yet, for who closes the CRM. */
export class Awaited {
    #count = 0;
    #idle: (() => void)[] = [];

    track<R>(work: Promise<R>): Promise<R> {
        this.#count += 1;
        const done = () => {
            this.#count -= 1;
            if (this.#count === 0) {
                this.#idle.splice(0).forEach((idle) => idle());
            }
        };
        work.then(done, done);
        return work;
    }

    idle(): Promise<void> {
        return this.#count === 0 ? Promise.resolve() : new Promise((idle) => this.#idle.push(idle));
    }
}

/** What `work` comes to, or the signal's reason where that is first. */
export function until<R>(work: () => Promise<R>, signal: AbortSignal | undefined): Promise<R> {
    if (signal === undefined) {
        return work();
    }
    return new Promise((resolve, reject) => {
        if (signal.aborted) {
            reject(signal.reason);
            return;
        }
        const aborted = () => reject(signal.reason);
        signal.addEventListener("abort", aborted, { once: true });
        work()
            .then(resolve, reject)
            .finally(() => signal.removeEventListener("abort", aborted));
    });
}

/** What Rust does, with its errors as ours. */
export async function crossing<R>(work: () => Promise<R>): Promise<R> {
    try {
        return await work();
    } catch (error) {
        throw crmError(error);
    }
}

export class AsyncCaller implements Caller {
    readonly #native: NativeCaller;
    readonly #awaited: Awaited;

    constructor(native: NativeCaller, awaited: Awaited) {
        this.#native = native;
        this.#awaited = awaited;
    }

    async call<R>(operation: Operation<R>, args: object, fields: unknown, options: Options | undefined): Promise<R> {
        const given = text(operation, args, fields);
        try {
            const call = () => this.#awaited.track(this.#native.call(operation.number, given));
            return revived(operation, await until(call, options?.signal));
        } catch (error) {
            if (options?.signal?.aborted && error === options.signal.reason) {
                throw error;
            }
            throw crmError(error);
        }
    }

    async *pages<T>(
        operation: Operation<PageLike<T>>,
        args: object,
        fields: object | undefined,
        options: Options | undefined,
    ): AsyncGenerator<T, void, undefined> {
        let asked: object | undefined = fields;
        for (;;) {
            const page = await this.call(operation, args, asked, options);
            yield* page.items;
            if (page.nextCursor === null) {
                return;
            }
            asked = { ...fields, cursor: page.nextCursor };
        }
    }
}

export class BlockingCaller implements Caller {
    readonly #native: NativeCaller;

    constructor(native: NativeCaller) {
        this.#native = native;
    }

    call<R>(operation: Operation<R>, args: object, fields: unknown, options: Options | undefined): R {
        options?.signal?.throwIfAborted();
        const given = text(operation, args, fields);
        let reply: string;
        try {
            reply = this.#native.callBlocking(operation.number, given);
        } catch (error) {
            throw crmError(error);
        }
        return revived(operation, reply);
    }

    *pages<T>(
        operation: Operation<PageLike<T>>,
        args: object,
        fields: object | undefined,
        options: Options | undefined,
    ): Generator<T, void, undefined> {
        let asked: object | undefined = fields;
        for (;;) {
            const page = this.call(operation, args, asked, options);
            yield* page.items;
            if (page.nextCursor === null) {
                return;
            }
            asked = { ...fields, cursor: page.nextCursor };
        }
    }
}

/** Operations of one subject. */
export abstract class Namespace {
    readonly #caller: Caller;

    /** @internal */
    constructor(caller: Caller) {
        this.#caller = caller;
    }

    /** @internal */
    protected call<R>(operation: Operation<R>, args: object, fields: unknown, options: Options | undefined): Promise<R> {
        return this.#caller.call(operation, args, fields, options);
    }

    /** @internal */
    protected pages<T>(
        operation: Operation<PageLike<T>>,
        args: object,
        fields: object | undefined,
        options: Options | undefined,
    ): AsyncIterableIterator<T> {
        return this.#caller.pages(operation, args, fields, options);
    }
}

export { CrmError };
