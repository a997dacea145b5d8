// Requests of carriers, which a server of the host's has taken.

import { CrmError, refused } from "./errors.js";
import { written } from "./given.js";

const OPERATION = "calls.webhook";

/** A request that a carrier has sent. */
export interface WebhookRequest {
    /** The address that was called, with its query, as the public knows it: `publicUrl` and what follows. */
    readonly url: string;
    /** The headers: `request.headers` of `node:http`, pairs of names and values, `Headers`. Names in any case. */
    readonly headers:
        | { readonly [name: string]: string | readonly string[] | undefined }
        | Iterable<readonly [name: string, value: string]>;
    /** The body as it came, byte by byte. */
    readonly body: Uint8Array | string;
}

/** What to answer a carrier that has sent a request. */
export interface WebhookReply {
    /** What the body is, e.g. `text/xml`; null where there is nothing to say (HTTP's 204). */
    readonly contentType: string | null;
    /** The body. */
    readonly body: string;
}

/** The headers as pairs; what can be none of them stays as it is, and is refused where it is read. */
function pairsOf(headers: WebhookRequest["headers"]): unknown {
    if (typeof headers !== "object" || headers === null) {
        return headers;
    }
    if (Symbol.iterator in headers) {
        return [...headers];
    }
    return Object.entries(headers).flatMap(([name, value]) =>
        value === undefined ? [] : Array.isArray(value) ? value.map((one) => [name, one]) : [[name, value]],
    );
}

/** The request as Rust is given it: all but the body as JSON, and the body. */
export function handedIn(provider: string, request: WebhookRequest): [head: string, body: Uint8Array] {
    try {
        const { headers, body, ...rest } = request;
        const bytes = typeof body === "string" ? Buffer.from(body) : body;
        if (!(bytes instanceof Uint8Array)) {
            throw refused(OPERATION, "body", "invalid_value", "`body`: the body is bytes or text");
        }
        const given = { ...rest, headers: pairsOf(headers) };
        return [written(OPERATION, false, { provider }, undefined, given, { url: ["url"], headers: ["headers"] }), bytes];
    } catch (error) {
        if (error instanceof CrmError) {
            throw error;
        }
        // There is no request, or its headers are objects of the host's that have thrown.
        throw new CrmError({ code: "invalid", operation: OPERATION, message: "what is given cannot be read", cause: error });
    }
}
