// Ports that the host writes: what their objects are asked by the part that is Rust.

import { CrmError, refused, remembered } from "./errors.js";
import { native, type NativeAsk, type NativeBytes, type Serve } from "./native.js";
import { toNotification, toUser, type Notification, type User } from "./surface.js";

type Awaitable<T> = T | PromiseLike<T>;
/** Bytes piece by piece, or at once. */
export type Chunks = AsyncIterable<Uint8Array> | Iterator<Uint8Array> | Uint8Array;

/** An account with a carrier. */
export interface CarrierAccount {
    /** The carrier's name of it. */
    readonly name: string;
    /** What proves that it is ours. */
    readonly secrets: {
        /** The first is used; each is good for signatures. */
        readonly authTokens: readonly string[];
        readonly apiKey: { readonly id: string; readonly secret: string } | null;
    };
    /** The carrier's own settings. */
    readonly options: { readonly [name: string]: string };
}

/** A call that a carrier shall make. Numbers are in E.164. */
export interface OutgoingCall {
    readonly to: string;
    readonly from: string;
    readonly record: boolean;
    readonly detectMachine: boolean;
    readonly ringForSeconds: number;
    readonly script: readonly ScriptStep[];
    /** Where to tell of the call. */
    readonly callback: string | null;
}

/** What happens in a call. */
export type ScriptStep =
    | { readonly kind: "say"; readonly text: string; readonly language: string | null }
    | {
          readonly kind: "connect";
          readonly to: string;
          readonly callerId: string | null;
          readonly record: boolean;
          readonly callback: string | null;
      }
    | { readonly kind: "pause"; readonly seconds: number }
    | { readonly kind: "reject" };

/** A call whose carrier's name is not known. */
export interface SoughtCall {
    readonly to: string;
    readonly from: string;
    readonly since: Date;
    readonly until: Date;
}

/** How far a call is. */
export type CarrierStatus =
    | "queued" | "initiated" | "ringing" | "in_progress" | "failed" | "canceled" | "no_answer" | "busy" | "completed";

/** A call as the carrier has it. */
export interface CarrierCall {
    readonly id: string;
    readonly status: CarrierStatus;
    /** Since when. */
    readonly at?: Date | string | null;
    /** The carrier's number of this step. */
    readonly sequence?: number | null;
    /** Earlier steps. */
    readonly steps?: readonly {
        readonly status: CarrierStatus;
        readonly sequence?: number | null;
        readonly at?: Date | string | null;
    }[];
    readonly answeredAt?: Date | string | null;
    readonly endedAt?: Date | string | null;
    readonly durationSeconds?: number | null;
    readonly answeredBy?: "human" | "machine" | "fax" | "unknown" | null;
    readonly price?: { readonly amount: string; readonly currency: string } | null;
    readonly failure?: { readonly code: string; readonly message: string } | null;
}

/** A recording as the carrier has it. */
export interface CarrierRecording {
    readonly id: string;
    readonly status: "in_progress" | "absent" | "failed" | "completed";
    readonly durationSeconds?: number | null;
    readonly channels?: 1 | 2 | null;
}

/** The audio of a recording. */
export interface CarrierAudio {
    readonly contentType: string;
    readonly chunks: Chunks;
    /** How many bytes there are. */
    readonly bytes?: number | null;
}

/** A request of the carrier's, as it came. */
export interface CallbackRequest {
    readonly url: string;
    /** Names in lower case. */
    readonly headers: readonly (readonly [string, string])[];
    readonly body: Buffer;
}

/** What a request says. `token` is the same when the request is repeated. */
export type CarrierNews = { readonly token?: string | null } & (
    | { readonly kind: "incoming"; readonly call: CarrierCall; readonly from?: string | null; readonly to: string }
    | { readonly kind: "call"; readonly call: CarrierCall }
    | { readonly kind: "recording"; readonly callId: string; readonly recording: CarrierRecording }
    | { readonly kind: "other" }
);

/** What a carrier is answered. */
export interface CarrierReply {
    readonly contentType?: string | null;
    readonly body?: string;
}

/** A request that a carrier would have sent. */
export interface CarrierRequest {
    readonly url: string;
    readonly headers?: readonly (readonly [string, string])[];
    readonly body: Uint8Array | string;
}

/** What a carrier has that tells of calls by requests. */
export interface TelephonyCallbacks {
    accountOf(given: { readonly request: CallbackRequest }): string | null | undefined;
    verify(given: { readonly account: CarrierAccount; readonly request: CallbackRequest }): boolean;
    parse(given: { readonly request: CallbackRequest }): CarrierNews;
    writeScript(given: { readonly script: readonly ScriptStep[] }): CarrierReply;
}

/** A carrier of calls; one object serves every account. What each method has to do says docs/ports.md. */
export interface Telephony {
    check?(given: { readonly account: CarrierAccount }): void;
    start(given: { readonly account: CarrierAccount; readonly call: OutgoingCall }): Awaitable<CarrierCall>;
    find(given: { readonly account: CarrierAccount; readonly sought: SoughtCall }): Awaitable<readonly CarrierCall[]>;
    fetch(given: { readonly account: CarrierAccount; readonly callId: string }): Awaitable<CarrierCall>;
    hangUp(given: { readonly account: CarrierAccount; readonly callId: string }): Awaitable<CarrierCall>;
    recordings?(given: {
        readonly account: CarrierAccount;
        readonly callId: string;
    }): Awaitable<readonly CarrierRecording[]>;
    audio?(given: { readonly account: CarrierAccount; readonly recordingId: string }): Awaitable<CarrierAudio>;
    deleteRecording?(given: { readonly account: CarrierAccount; readonly recordingId: string }): Awaitable<void>;
    takeCallbacks?(given: { readonly now: Date }): readonly CarrierRequest[];
}

/** The methods of `TelephonyCallbacks` are there together or not at all. */
type Carrier = Telephony & (TelephonyCallbacks | { readonly [M in keyof TelephonyCallbacks]?: undefined });

/** What carries messages between processes. */
export interface EventBus {
    publish(given: { readonly message: string }): Awaitable<void>;
    subscribe(given: object): Awaitable<AsyncIterable<string | null | undefined>>;
}

/** A place of recordings. */
export interface Blobs {
    put(given: { readonly key: string; readonly chunks: AsyncIterable<Buffer> }): Awaitable<void>;
    get(given: { readonly key: string; readonly start: number; readonly end: number | null }): Awaitable<Chunks>;
    delete(given: { readonly key: string }): Awaitable<void>;
    check?(given: object): Awaitable<void>;
}

/** The time. */
export interface Clock {
    now(given: object): Date | string;
}

/** A way to send notifications on, such as letters. */
export interface Channel {
    send(given: { readonly notification: Notification; readonly user: User }): Awaitable<void>;
}

/** Objects of the host's that take the place of what the CRM brings. */
export interface Ports {
    /** Carriers of calls, by the name of the provider: 1 to 32 of `a-z0-9_`. */
    telephony?: { readonly [provider: string]: Carrier } | undefined;
    /** The bus between processes. */
    eventBus?: EventBus | undefined;
    /** The place of recordings. */
    blobs?: Blobs | undefined;
    /** The clock. */
    clock?: Clock | undefined;
    /** Channels of notifications, by their names: 1 to 64 of `a-z0-9_`, and not `in_app`. */
    channels?: { readonly [name: string]: Channel } | undefined;
    /** How many seconds a call of a port may take; 30, and 5 for those at once, and 1 for the clock. */
    portTimeout?: number | undefined;
}

type Method = (given: object) => unknown;

interface Host {
    readonly number: number;
    readonly methods: string[];
}

/** The objects of one CRM. */
export class Hosts {
    readonly #objects: Record<string, Method>[] = [];
    readonly #iterators = new Map<number, AsyncIterator<unknown> | Iterator<unknown>>();
    #count = 0;

    /** The object, under a number. */
    add(object: unknown, name: string): Host {
        if (typeof object !== "object" || object === null) {
            throw refused("crm.open", name, "invalid_type", `\`${name}\` is an object with the port's methods`);
        }
        const methods = object as Record<string, Method>;
        this.#objects.push(methods);
        const has = (method: string) => typeof methods[method] === "function";
        return { number: this.#objects.length - 1, methods: native.portMethods().filter(has) };
    }

    /** Answers what is asked. */
    readonly serve: Serve = (ask) => {
        if (ask === null) {
            return;
        }
        try {
            const answer = ask.method === null ? this.#step(ask) : this.#call(ask, ask.method);
            if (!isThenable(answer)) {
                this.#settle(ask, answer);
                return;
            }
            answer.then(
                (value) => this.#settled(ask, value),
                (error: unknown) => ask.fail(told(error)),
            );
            if (ask.atOnce) {
                ask.fail(told(new Error(`\`${ask.method}\` must not be asynchronous`)));
            }
        } catch (error) {
            ask.fail(told(error));
        }
    };

    #call(ask: NativeAsk, name: string): unknown {
        const object = this.#objects[ask.number]!;
        return object[name]!(given(ask) as object);
    }

    #step(ask: NativeAsk): unknown {
        const iterator = this.#iterators.get(ask.number);
        if (ask.leaves) {
            this.#iterators.delete(ask.number);
            return iterator?.return?.();
        }
        return iterator?.next() ?? { done: true };
    }

    /** A late answer may be one that cannot be read. */
    #settled(ask: NativeAsk, value: unknown): void {
        try {
            this.#settle(ask, value);
        } catch (error) {
            ask.fail(told(error));
        }
    }

    #settle(ask: NativeAsk, value: unknown): void {
        const bytes: Uint8Array[] = [];
        if (ask.method !== null) {
            ask.answer(JSON.stringify(this.#written(value, bytes, 0)), bytes);
            return;
        }
        const step = value as IteratorResult<unknown> | undefined;
        if (step === undefined || step.done === true) {
            this.#iterators.delete(ask.number);
            ask.end();
        } else {
            ask.answer(JSON.stringify(this.#written(step.value, bytes, 0)), bytes);
        }
    }

    #written(value: unknown, bytes: Uint8Array[], depth: number): unknown {
        switch (typeof value) {
            case "string":
                return value.isWellFormed() ? value : unreadable("text with half of a surrogate pair");
            case "boolean":
                return value;
            case "number":
                return Number.isFinite(value) ? value : unreadable(String(value));
            case "bigint":
                return BigInt.asIntN(53, value) === value ? Number(value) : unreadable("a number that is too large");
            case "undefined":
                return null;
            case "function":
            case "symbol":
                return unreadable(`a ${typeof value}`);
            case "object":
                return value === null ? null : this.#object(value, bytes, depth);
        }
    }

    #object(value: object, bytes: Uint8Array[], depth: number): unknown {
        if (depth > DEEPEST) {
            return unreadable("a value that is too deep");
        }
        if (value instanceof Date) {
            return Number.isNaN(value.getTime()) ? unreadable("an invalid date") : { time: value.toISOString() };
        }
        if (value instanceof Uint8Array) {
            bytes.push(value);
            return { bytes: bytes.length - 1 };
        }
        if (Array.isArray(value)) {
            return value.map((member) => this.#written(member, bytes, depth + 1));
        }
        const iterator = iteratorOf(value);
        if (iterator !== undefined) {
            this.#count += 1;
            this.#iterators.set(this.#count, iterator);
            return { iterator: this.#count };
        }
        const fields = Object.entries(value).filter(([, field]) => field !== undefined);
        return { object: Object.fromEntries(fields.map(([name, field]) => [name, this.#written(field, bytes, depth + 1)])) };
    }
}

/** Deeper than anything that a port answers. */
const DEEPEST = 16;

const unreadable = (what: string) => ({ unreadable: what });

function isThenable(value: unknown): value is PromiseLike<unknown> {
    return typeof value === "object" && value !== null && typeof (value as PromiseLike<unknown>).then === "function";
}

function iteratorOf(value: object): AsyncIterator<unknown> | Iterator<unknown> | undefined {
    if (Symbol.asyncIterator in value) {
        return (value as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    }
    if (typeof (value as { next?: unknown }).next === "function") {
        return value as Iterator<unknown>;
    }
    return undefined;
}

/** The arguments of a method. */
function given(ask: NativeAsk): unknown {
    const read = (value: any): unknown => {
        if (value === null || typeof value !== "object") {
            return value;
        }
        if (Array.isArray(value)) {
            return value.map(read);
        }
        const [tag, inner] = Object.entries(value)[0] as [string, any];
        switch (tag) {
            case "object":
                return Object.fromEntries(Object.entries(inner).map(([name, field]) => [name, read(field)]));
            case "map":
                return inner;
            case "time":
                return new Date(inner);
            case "bytes":
                return ask.bytes(inner);
            case "iterator":
                return pieces(ask.pieces(inner)!);
            case "record":
                return inner[0] === "Notification" ? toNotification(inner[1]) : toUser(inner[1]);
            default:
                throw new Error(`a value of kind ${tag}: crm-core.node is of another version`);
        }
    };
    const fields = Object.entries(JSON.parse(ask.given)).map(([name, value]) => [name, read(value)]);
    return Object.fromEntries(fields);
}

async function* pieces(from: NativeBytes): AsyncGenerator<Buffer, void, undefined> {
    for (let piece = await from.next(); piece !== null; piece = await from.next()) {
        yield piece;
    }
}

/** What Node says of connections that cannot be had, or are lost. */
const TRANSIENT = new Set([
    "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EPIPE",
    "ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_SOCKET",
]);

function isTransient(error: unknown): boolean {
    if (!(error instanceof Error)) {
        return false;
    }
    const code = (error as { code?: unknown }).code;
    // `fetch` says no more than that it failed, and its cause says why.
    return error.name === "TimeoutError" || (typeof code === "string" && TRANSIENT.has(code)) || isTransient(error.cause);
}

/** What is raised, as the part that is Rust reads it. */
function told(error: unknown): string {
    const number = remembered(error);
    if (error instanceof CrmError) {
        const { code, message, retryable, fields, retryAfter } = error;
        return JSON.stringify({ code, message, retryable, fields, retry_after: retryAfter, number });
    }
    const message = error instanceof Error ? error.message : String(error);
    return JSON.stringify({ message: message.toWellFormed(), retryable: isTransient(error), number });
}

/** What `open` is given: its own options, and the objects of the host's. */
export function offered(options: unknown): { rest: unknown; hosts?: string; serve?: Serve } {
    if (typeof options !== "object" || options === null) {
        return { rest: options };
    }
    const { telephony, eventBus, blobs, clock, channels, portTimeout, ...rest } = options as Ports;
    const hosts = new Hosts();
    const one = (name: string, object: unknown) => (object === undefined ? undefined : hosts.add(object, name));
    const named = (name: string, objects: object | undefined) =>
        Object.fromEntries(Object.entries(objects ?? {}).map(([own, object]) => [own, hosts.add(object, `${name}.${own}`)]));
    if (portTimeout !== undefined && !(Number.isFinite(portTimeout) && portTimeout > 0)) {
        throw refused("crm.open", "portTimeout", "invalid_value", "`portTimeout`: write a number of seconds above 0");
    }
    const all = {
        telephony: named("telephony", telephony), eventBus: one("eventBus", eventBus), blobs: one("blobs", blobs),
        clock: one("clock", clock), channels: named("channels", channels), portTimeout,
    };
    const any = telephony ?? eventBus ?? blobs ?? clock ?? channels;
    return any === undefined ? { rest } : { rest, hosts: JSON.stringify(all), serve: hosts.serve };
}

/**
 * Runs the conformance suite over the carriers that `fresh` makes: the cases, each with what is wrong or `null`. Beside
 * what telephony needs, a carrier has `now({})` and `passTime({ seconds })` for its time. Only where the native part was
 * built for tests.
 * @internal
 */
export async function proveTelephony(fresh: () => object): Promise<[name: string, wrong: string | null][]> {
    const hosts = new Hosts();
    hosts.add({ fresh: () => hosts.add(fresh(), "telephony").number }, "fresh");
    const { methods } = new Hosts().add(fresh(), "telephony");
    return JSON.parse(await native.proveTelephony!(methods, hosts.serve));
}
