// Contacts and recordings as files.

import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { crossing, type Caller, type Options } from "./calling.js";
import { CrmError } from "./errors.js";
import { written } from "./given.js";
import type { NativeBytes, NativeRecording, NativeSession } from "./native.js";
import { CallsOperations, ContactsOperations, toImportReport, type ImportReport } from "./surface.js";

/** How many rows came to what. */
export interface ImportProgress {
    /** Rows that made a contact. */
    readonly created: number;
    /** Rows that changed a contact. */
    readonly updated: number;
    /** Rows that were left as they are. */
    readonly skipped: number;
    /** Rows that were refused. */
    readonly failed: number;
}

/** How a file is imported. */
export interface ImportOptions extends Options {
    /** The format; told by the first bytes where it is absent. */
    format?: "csv" | "vcard" | "jsonl" | undefined;
    /** What to do with a row that is a known contact: leave it (the default), change it, or report the row. */
    onConflict?: "skip" | "update" | "error" | undefined;
    /** Whether to say what would happen and do nothing. */
    dryRun?: boolean | undefined;
    /** The source of contacts whose row names none. */
    source?: string | undefined;
    /** For CSV: by a column's header the field that it fills. */
    map?: { readonly [header: string]: string } | undefined;
    /** For CSV: the character between cells, where it shall not be found out. */
    delimiter?: string | undefined;
    /** Is told after each piece of the file how far it is. */
    onProgress?: ((progress: ImportProgress) => void) | undefined;
}

/** How a file is written. */
export interface ExportOptions extends Options {
    /** The format. */
    format: "csv" | "vcard" | "jsonl";
}

/** A file, or what it holds. A text is the path of a file. */
export type Source = string | URL | Uint8Array | Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;

const importShape = {
    format: ["format"], onConflict: ["on_conflict"], dryRun: ["dry_run"], source: ["source"], map: ["map"],
    delimiter: ["delimiter"],
} as const;
/** So much is handed over at once: enough for the border to cost nothing, little for the event loop. */
const PIECE = 256 * 1024;

async function* piecesOf(source: Source): AsyncGenerator<Uint8Array> {
    if (typeof source === "string" || source instanceof URL) {
        yield* createReadStream(source, { highWaterMark: PIECE });
        return;
    }
    const whole = source instanceof Uint8Array ? [source] : source;
    for await (const piece of whole) {
        const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
        if (!(bytes instanceof Uint8Array)) {
            const message = "a file is a path, bytes, or a stream of bytes or text";
            throw new CrmError({ code: "invalid", operation: "contacts.import", message,
                fields: [{ field: "source", code: "invalid_value", message }] });
        }
        for (let at = 0; at < bytes.length; at += PIECE) {
            yield bytes.subarray(at, at + PIECE);
        }
    }
}

function readable(begin: () => Promise<NativeBytes>, signal: AbortSignal | undefined): Readable {
    let bytes: Promise<NativeBytes> | undefined;
    return new Readable({
        ...(signal === undefined ? {} : { signal }),
        read() {
            bytes ??= begin();
            bytes
                .then((bytes) => bytes.next())
                .then((piece) => this.push(piece))
                .catch((error: unknown) => this.destroy(error as Error));
        },
    });
}

/** The contacts of a tenant. */
export class Contacts extends ContactsOperations {
    readonly #native: NativeSession;

    /** @internal */
    constructor(caller: Caller, native: NativeSession) {
        super(caller);
        this.#native = native;
    }

    /**
     * Import contacts from a file, bytes or a stream; a bad row is counted and explained, the good ones are kept.
     * A `signal` ends the import: what was read is written, the rest is left.
     */
    async importFrom(source: Source, options: ImportOptions = {}): Promise<ImportReport> {
        const { onProgress, signal, ...rest } = options;
        signal?.throwIfAborted();
        const asked = written("contacts.import", false, {}, undefined, rest, importShape);
        const native = await crossing(() => this.#native.import(asked));
        try {
            for await (const bytes of piecesOf(source)) {
                const progress = await crossing(() => native.push(bytes));
                onProgress?.(JSON.parse(progress));
                signal?.throwIfAborted();
            }
        } catch (error) {
            await native.stop().catch(() => undefined);
            throw error;
        }
        return toImportReport(JSON.parse(await crossing(() => native.finish())));
    }

    /** Export all contacts as a stream of bytes. */
    export(options: ExportOptions): Readable {
        const { signal, ...rest } = options;
        const asked = written("contacts.export", false, {}, undefined, rest, { format: ["format"] });
        return readable(() => crossing(() => this.#native.export(asked)), signal);
    }

    /** Export all contacts to a file or into a stream. */
    async exportTo(target: string | URL | NodeJS.WritableStream, options: ExportOptions): Promise<void> {
        const to = typeof target === "string" || target instanceof URL ? createWriteStream(target) : target;
        await pipeline(this.export(options), to);
    }
}

/** A recording that can be heard. */
export class Recording {
    /** What it is, e.g. `audio/x-wav`. */
    readonly contentType: string;
    /** How many bytes it has. */
    readonly bytes: number;
    /** SHA-256 of the audio in hexadecimal digits. */
    readonly sha256: string;
    readonly #native: NativeRecording;

    /** @internal */
    constructor(native: NativeRecording) {
        this.#native = native;
        this.contentType = native.contentType;
        this.bytes = native.bytes;
        this.sha256 = native.sha256;
    }

    /** The audio, or the part from `start` to before `end`. That it was given is in the audit log. */
    stream(options: Options & { start?: number; end?: number } = {}): Readable {
        const { start = 0, end = this.bytes, signal } = options;
        return readable(() => crossing(() => this.#native.hear(start, end)), signal);
    }
}

/** The calls of a tenant. */
export class Calls extends CallsOperations {
    readonly #native: NativeSession;

    /** @internal */
    constructor(caller: Caller, native: NativeSession) {
        super(caller);
        this.#native = native;
    }

    /** A call's recording. `not_found` where there is none that can be heard. */
    async recording(id: string): Promise<Recording> {
        return new Recording(await crossing(() => this.#native.recording(String(id))));
    }
}
