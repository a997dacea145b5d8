import type { ErrorCode } from "./surface.js";

/** A value that was refused. */
export interface FieldError {
    /** Where it is, e.g. `emails[0].address`. */
    readonly field: string;
    /** A stable word for programs, e.g. `invalid_email`. */
    readonly code: string;
    /** A sentence for people. */
    readonly message: string;
}

interface Told {
    readonly code: ErrorCode;
    readonly operation?: string;
    readonly message: string;
    readonly retryable?: boolean;
    readonly fields?: readonly FieldError[];
    readonly existing_id?: string | null;
    readonly retry_after?: number | null;
    readonly cause?: unknown;
    readonly raised?: number | null;
}

/** What ports have raised, for the errors that come of it: the newest, by their numbers. */
const raised = new Map<number, unknown>();
const REMEMBERED = 1000;
let count = 0;

/** Keeps what a port has raised, and says under which number. */
export function remembered(thrown: unknown): number {
    count = (count + 1) % 2 ** 32;
    raised.set(count, thrown);
    raised.delete((count - REMEMBERED + 2 ** 32) % 2 ** 32);
    return count;
}

/** What a port of the host's raises, to say with a code what happened. */
export interface Raising {
    /** What, in a word of the CRM's. */
    readonly code: ErrorCode;
    /** In words, for whoever called the CRM. */
    readonly message: string;
    /** The values that are refused, with the code `invalid`. */
    readonly fields?: readonly FieldError[];
    /** After how many seconds to try again, with the code `rate_limited`. */
    readonly retryAfter?: number;
    /** What it comes from. */
    readonly cause?: unknown;
}

/** What went wrong: every failure of the CRM is one of these. */
export class CrmError extends Error {
    /** What, in a word that is stable. */
    readonly code: ErrorCode;
    /** In which operation, e.g. `contacts.get`; empty where that is not known. */
    readonly operation: string;
    /** Whether the same call may succeed later. */
    readonly retryable: boolean;
    /** The values that were refused. */
    readonly fields: readonly FieldError[];
    /** The record that is in the way, where the code is `already_exists`. */
    readonly existingId: string | null;
    /** After how many seconds to try again, where that is known. */
    readonly retryAfter: number | null;

    /** Ports of the host's raise such errors; all others come from the CRM. */
    constructor(raising: Raising);
    /** @internal */
    constructor(told: Told);
    constructor(told: Told & { readonly retryAfter?: number }) {
        super(told.message, told.cause === undefined || told.cause === null ? {} : { cause: told.cause });
        this.name = "CrmError";
        this.code = told.code;
        this.operation = told.operation ?? "";
        this.retryable = told.retryable ?? false;
        this.fields = told.fields ?? [];
        this.existingId = told.existing_id ?? null;
        this.retryAfter = told.retry_after ?? told.retryAfter ?? null;
    }
}

/** Names of the host's own fields stay as they are. */
function camelPath(path: string): string {
    const custom = /^(.*?\bcustom)\.(.*)$/.exec(path);
    const camel = (text: string) => text.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    return custom ? `${camel(custom[1]!)}.${custom[2]!}` : camel(path);
}

/** What the part that is Rust has thrown. */
export function crmError(thrown: unknown): CrmError {
    if (thrown instanceof CrmError) {
        return thrown;
    }
    try {
        const told: Told & { fields: FieldError[] } = JSON.parse((thrown as Error).message);
        const fields = told.fields.map((one) => ({ ...one, field: camelPath(one.field) }));
        const known = told.raised === null ? undefined : raised.get(told.raised!);
        const cause = known ?? (told.cause === null ? undefined : new Error(String(told.cause)));
        return new CrmError({ ...told, fields, cause });
    } catch {
        return new CrmError({ code: "internal", message: "an internal error occurred", cause: thrown });
    }
}

export function refused(operation: string, field: string, code: string, message: string): CrmError {
    return new CrmError({ code: "invalid", operation, message, fields: [{ field, code, message }] });
}
