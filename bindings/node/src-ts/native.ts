// The part that is Rust, as `src/*.rs` declares it.

import { existsSync } from "node:fs";
import { join } from "node:path";

export interface NativeCaller {
    call(operation: number, given: string): Promise<string>;
    callBlocking(operation: number, given: string): string;
}

export interface NativeCrm extends NativeCaller {
    session(tenant: string, user: string): Promise<NativeSession>;
    sessionBlocking(tenant: string, user: string): NativeSession;
    operator(tenant: string): Promise<NativeSession>;
    authenticate(bearer: string): Promise<NativeSession>;
    start(jobs: boolean, atOnce?: number): NativeWorker;
    mount(options: string): NativeMount;
    webhook(head: string, body: Uint8Array): Promise<string>;
    check(): Promise<void>;
    close(): void;
}

export interface NativeMount {
    begin(head: string, body: Uint8Array | null, pushed: boolean): NativeExchange;
    connect(prefix: string, address: string, port: number): NativePipe;
    close(): void;
}

export interface NativeAnswer {
    readonly status: number;
    readonly headers: string;
    readonly body: Buffer;
    readonly whole: boolean;
}

export interface NativeExchange {
    answer(): Promise<NativeAnswer>;
    push(piece: Uint8Array): Promise<boolean>;
    end(whole: boolean): void;
    next(): Promise<Buffer | null>;
    leave(): void;
}

export interface NativePipe {
    read(): Promise<Buffer | null>;
    write(piece: Uint8Array): Promise<boolean>;
    end(): Promise<void>;
    close(): void;
}

export interface NativeSession extends NativeCaller {
    subscribe(after: string): Promise<NativeReader<string>>;
    group(name: string, otherwise: string): Promise<NativeReader<NativeBatch>>;
    import(options: string): Promise<NativeImport>;
    export(options: string): Promise<NativeBytes>;
    recording(call: string): Promise<NativeRecording>;
}

export interface NativeReader<T> {
    next(): Promise<T | null>;
    close(): void;
}

export interface NativeBatch {
    readonly events: string;
    readonly incomplete: boolean;
    session(): NativeSession;
    done(): Promise<void>;
}

export interface NativeImport {
    push(bytes: Uint8Array): Promise<string>;
    finish(): Promise<string>;
    stop(): Promise<string>;
}

export interface NativeBytes {
    next(): Promise<Buffer | null>;
}

export interface NativeRecording {
    readonly contentType: string;
    readonly bytes: number;
    readonly sha256: string;
    hear(start: number, end: number): Promise<NativeBytes>;
}

export interface NativeWorker {
    stop(): Promise<void>;
}

/** Something that an object of the host's is asked. */
export interface NativeAsk {
    readonly number: number;
    readonly method: string | null;
    readonly leaves: boolean;
    readonly atOnce: boolean;
    readonly given: string;
    bytes(at: number): Buffer;
    pieces(at: number): NativeBytes | null;
    answer(value: string, bytes: Uint8Array[]): void;
    end(): void;
    fail(told: string): void;
}

export type Serve = (ask: NativeAsk | null) => void;

interface Native {
    names(): string[];
    open(options: string, hosts?: string, serve?: Serve): Promise<NativeCrm>;
    portMethods(): string[];
    /** Only where the library was built for tests. */
    portContract?(): string;
    proveTelephony?(methods: string[], serve: Serve): Promise<string>;
}

/** What was built from the source stands here; what npm has fetched is a package of its own, for this kind of machine. */
function library(): Native {
    const built = join(__dirname, "..", "crm-core.node");
    if (existsSync(built)) {
        return require(built);
    }
    const fetched = `crm-core-${process.platform}-${process.arch}`;
    try {
        return require(fetched);
    } catch (cause) {
        throw new Error(`crm-core has no native part for this machine: ${fetched} cannot be loaded`, { cause });
    }
}

export const native: Native = library();
