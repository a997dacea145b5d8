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

    /** @internal */
    constructor(told: Told) {
        super(told.message, told.cause === undefined || told.cause === null ? {} : { cause: told.cause });
        this.name = "CrmError";
        this.code = told.code;
        this.operation = told.operation ?? "";
        this.retryable = told.retryable ?? false;
        this.fields = told.fields ?? [];
        this.existingId = told.existing_id ?? null;
        this.retryAfter = told.retry_after ?? null;
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
        return new CrmError({ ...told, fields, cause: told.cause === null ? undefined : new Error(String(told.cause)) });
    } catch {
        return new CrmError({ code: "internal", message: "an internal error occurred", cause: thrown });
    }
}

export function refused(operation: string, field: string, code: string, message: string): CrmError {
    return new CrmError({ code: "invalid", operation, message, fields: [{ field, code, message }] });
}
