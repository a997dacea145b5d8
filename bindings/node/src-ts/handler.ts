// The HTTP API, mounted in a server of Node.

import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { Awaited } from "./calling.js";
import { crmError, refused, type CrmError } from "./errors.js";
import type { NativeAnswer, NativeExchange, NativeMount } from "./native.js";
import type { ErrorCode, Mounting } from "./surface.js";

/** How the HTTP API is mounted. */
export interface HandlerOptions extends Mounting {
    /** The path below which the routes are, as it is written in URLs, e.g. `/crm`; none where nothing is said. */
    prefix?: string | undefined;
}

/** Serves the HTTP API to `http`, Express, Fastify and others that give the request and the response of Node. */
export interface Handler {
    /**
     * Serves a request, whose body nobody has read. What is not below the prefix goes to `next`; where there is none
     * it is answered with 404.
     */
    (request: IncomingMessage, response: ServerResponse, next?: () => void): void;

    /**
     * Serves what comes with the event `upgrade` of a server: WebSockets. Whether it has: what is not below the
     * prefix is left as it is.
     */
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;

    /** Ends event streams and WebSockets, and refuses requests from now on; a server that closes waits for them. */
    close(): void;
}

/** Bytes of a body that crosses whole. */
const SMALL = 64 * 1024;

const STATUSES: { readonly [code in ErrorCode]?: number } = { malformed: 400, not_found: 404, unavailable: 503 };

/** The prefix without a slash at its end. */
export function prefixOf(prefix: string): string {
    if (prefix !== "" && !/^(\/[A-Za-z0-9\-._~!$&'()*+,;=:@%]*)+$/.test(prefix)) {
        throw refused("crm.handler", "prefix", "invalid_value", "a prefix is a path as it is written in URLs, e.g. `/crm`");
    }
    return prefix.replace(/\/+$/, "");
}

function targetOf(request: IncomingMessage): string {
    // Express and others take the place where it is mounted from `url`.
    const target = (request as { originalUrl?: string }).originalUrl ?? request.url ?? "/";
    return /^https?:\/\//i.test(target) ? target.replace(/^https?:\/\/[^/?#]*/i, "").replace(/^(?!\/)/, "/") : target;
}

const isBelow = (target: string, prefix: string) =>
    target.startsWith(prefix) && (prefix === "" || target.length === prefix.length || "/?".includes(target[prefix.length]!));

const addressOf = (socket: Socket) =>
    [socket.remoteAddress ?? "", socket.remotePort ?? 0] as const;

function problem(response: ServerResponse, error: Pick<CrmError, "code" | "message">): void {
    if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
    }
    const status = STATUSES[error.code] ?? 500;
    const body = { type: "about:blank", title: STATUS_CODES[status], status, detail: error.message, code: error.code, errors: [] };
    response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(body));
}

/** The length of a body: none for one that is not said. */
function lengthOf(request: IncomingMessage): number | undefined {
    const said = request.headers["content-length"];
    if (said !== undefined) {
        return Number(said);
    }
    return request.headers["transfer-encoding"] === undefined ? 0 : undefined;
}

async function whole(request: IncomingMessage): Promise<Uint8Array> {
    const pieces: Buffer[] = [];
    for await (const piece of request) {
        pieces.push(piece);
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/** Passes a body on as fast as it is read there. */
async function pushed(request: IncomingMessage, exchange: NativeExchange): Promise<void> {
    try {
        for await (const piece of request.iterator({ destroyOnReturn: false })) {
            if (!(await exchange.push(piece))) {
                // Refused before its end. What is left is read and dropped, so that the client hears why.
                request.resume();
                return;
            }
        }
        exchange.end(true);
    } catch {
        exchange.end(false);
    }
}

const drained = (response: ServerResponse) =>
    new Promise<void>((resolve) => {
        const done = () => {
            response.off("drain", done);
            response.off("close", done);
            resolve();
        };
        response.on("drain", done);
        response.on("close", done);
    });

async function reply(response: ServerResponse, answer: NativeAnswer, exchange: NativeExchange): Promise<void> {
    response.writeHead(answer.status, answer.headers === "" ? [] : answer.headers.split("\n"));
    if (answer.whole) {
        response.end(answer.body);
        return;
    }
    if (answer.body.length > 0) {
        response.write(answer.body);
    } else {
        response.flushHeaders();
    }
    for (;;) {
        if (response.writableNeedDrain) {
            await drained(response);
        }
        const piece = response.destroyed ? null : await exchange.next();
        if (piece === null) {
            response.end();
            return;
        }
        response.write(piece);
    }
}

async function serve(
    native: NativeMount,
    awaited: Awaited,
    prefix: string,
    request: IncomingMessage,
    response: ServerResponse,
): Promise<void> {
    const length = lengthOf(request);
    const small = length !== undefined && length <= SMALL;
    const body = small && length > 0 ? await whole(request) : null;
    const [address, port] = addressOf(request.socket);
    const head = [request.method, targetOf(request), prefix, address, port, ...request.rawHeaders].join("\n");
    const exchange = native.begin(head, body, !small);
    const left = () => {
        if (!response.writableFinished) {
            exchange.leave();
        }
    };
    response.once("close", left);
    if (response.destroyed) {
        left();
        return;
    }
    if (!small) {
        void pushed(request, exchange);
    }
    await reply(response, await awaited.track(exchange.answer()), exchange);
}

/** The head of a request as it came, but that it is the last of its connection, which does not come back to Node. */
function headOf(request: IncomingMessage): Buffer {
    const lines = [`${request.method} ${targetOf(request)} HTTP/1.1`];
    const raw = request.rawHeaders;
    for (let at = 0; at + 1 < raw.length; at += 2) {
        lines.push(`${raw[at]}: ${raw[at + 1]}`);
    }
    return Buffer.from(`${lines.join("\r\n")}\r\nconnection: close\r\n\r\n`, "latin1");
}

async function passOn(native: NativeMount, prefix: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const pipe = native.connect(prefix, ...addressOf(request.socket));
    socket.on("error", () => pipe.close());
    socket.once("close", () => pipe.close());
    const inwards = async () => {
        await pipe.write(headOf(request));
        if (head.length > 0) {
            await pipe.write(head);
        }
        for await (const piece of socket.iterator({ destroyOnReturn: false })) {
            if (!(await pipe.write(piece))) {
                return;
            }
        }
        await pipe.end();
    };
    inwards().catch(() => pipe.close());
    for (;;) {
        const piece = await pipe.read();
        if (piece === null || socket.destroyed) {
            break;
        }
        if (!socket.write(piece)) {
            await new Promise<void>((resolve) => {
                const done = () => {
                    socket.off("drain", done);
                    socket.off("close", done);
                    resolve();
                };
                socket.on("drain", done);
                socket.on("close", done);
            });
        }
    }
    // Nothing more is served on it, so nobody waits for the client's end.
    socket.end(() => socket.destroy());
}

/** @internal */
export function handler(native: NativeMount, awaited: Awaited, said: string | undefined): Handler {
    const serving: Handler = (request, response, next) => {
        const prefix = said ?? (request as { baseUrl?: string }).baseUrl ?? "";
        if (!isBelow(targetOf(request), prefix)) {
            if (next) {
                next();
            } else {
                problem(response, { code: "not_found", message: "there is nothing under this path" });
            }
            return;
        }
        serve(native, awaited, prefix, request, response).catch((error: unknown) => problem(response, crmError(error)));
    };
    serving.upgrade = (request, socket, head) => {
        const prefix = said ?? "";
        if (!isBelow(targetOf(request), prefix)) {
            return false;
        }
        passOn(native, prefix, request, socket, head).catch(() => socket.destroy());
        return true;
    };
    serving.close = () => native.close();
    return serving;
}
