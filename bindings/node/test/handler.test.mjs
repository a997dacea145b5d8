import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";

import express from "express";
import fastify from "fastify";
import { WebSocket } from "ws";

import { failure, opened } from "./support.mjs";

const servers = {
    http: (handler) => createServer(handler),
    express: (handler) => {
        const app = express();
        app.use(handler);
        app.get("/own", (request, response) => response.send("own"));
        return createServer(app);
    },
    "express below a path": (handler, crm) => {
        const app = express();
        app.use("/crm", crm.handler());
        app.get("/own", (request, response) => response.send("own"));
        return createServer(app);
    },
    fastify: async (handler) => {
        const app = fastify({ forceCloseConnections: true });
        app.addHook("onRequest", (request, reply, done) => handler(request.raw, reply.raw, done));
        app.get("/own", () => "own");
        await app.ready();
        return app.server;
    },
};

/** A server with the CRM at `/crm`: who has registered there, and its URL. */
async function served(t, make = servers.http, options = {}) {
    const crm = await opened(t, { registration: "open" });
    const handler = crm.handler({ prefix: "/crm", heartbeatSeconds: 1, perCaller: null, ...options });
    const server = await make(handler, crm);
    server.on("upgrade", (...upgrade) => handler.upgrade(...upgrade) || upgrade[1].destroy());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
        server.close();
        server.closeAllConnections();
    });
    const base = `http://127.0.0.1:${server.address().port}`;
    const registered = await fetch(`${base}/crm/auth/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
            company_name: "Acme", full_name: "Olive Owner", email: "olive@example.com",
            password: "nine herons over the weir", default_region: "DE",
        }),
    });
    assert.equal(registered.status, 201, await registered.clone().text());
    const authorization = `Bearer ${(await registered.json()).access_token}`;
    const call = (path, { headers, ...init } = {}) =>
        fetch(`${base}${path}`, { ...init, headers: { authorization, ...headers } });
    return { base, call, authorization, crm, handler, port: server.address().port };
}

const rows = (count) =>
    `first_name,email\n${Array.from({ length: count }, (_, at) => `N${at},n${at}@example.com\n`).join("")}`;

for (const [name, make] of Object.entries(servers)) {
    test(`the routes are mounted in ${name}`, async (t) => {
        const { base, call } = await served(t, make);
        const created = await call("/crm/contacts", {
            method: "POST", headers: { "content-type": "application/json" }, body: '{"first_name":"Åda"}',
        });
        assert.equal(created.status, 201);
        assert.ok(created.headers.get("location").startsWith("/crm/contacts/"));
        const found = await call(created.headers.get("location"));
        assert.equal((await found.json()).first_name, "Åda");
        assert.equal((await call("/crm/nothing")).headers.get("content-type"), "application/problem+json");
        assert.equal((await fetch(`${base}/crm/contacts`)).status, 401);
        assert.equal((await call("/crmx/contacts")).status, 404);
        assert.equal((await call("/contacts")).status, 404);
        if (make !== servers.http) {
            assert.equal(await (await fetch(`${base}/own`)).text(), "own");
        }
        const imported = await call("/crm/contacts/import", {
            method: "POST", headers: { "content-type": "text/csv" }, body: rows(5000),
        });
        assert.equal((await imported.json()).created, 5000);
        const chunked = new ReadableStream({
            start(controller) {
                controller.enqueue(Buffer.from("email\nchunk"));
                controller.enqueue(Buffer.from("ed@example.com\n"));
                controller.close();
            },
        });
        const streamed = await call("/crm/contacts/import", {
            method: "POST", headers: { "content-type": "text/csv" }, body: chunked, duplex: "half",
        });
        assert.equal((await streamed.json()).created, 1);
        const exported = await (await call("/crm/contacts/export?format=csv")).text();
        assert.equal(exported.trim().split("\n").length, 5003);
    });
}

test("events follow, and end with the handler", async (t) => {
    const { call, handler } = await served(t);
    const events = await call("/crm/events?after=0000000000000000", { headers: { "accept-encoding": "identity" } });
    assert.equal(events.headers.get("content-type"), "text/event-stream");
    let text = "";
    for await (const piece of events.body.pipeThrough(new TextDecoderStream())) {
        text += piece;
        if (text.includes("user.created.v1")) handler.close();
    }
    assert.ok(text.includes("tenant.created.v1"), text);
    const refused = await call("/crm/contacts");
    assert.deepEqual([refused.status, (await refused.json()).code], [503, "unavailable"]);
});

test("a WebSocket follows events", async (t) => {
    const { base, authorization, crm, port } = await served(t);
    const url = `${base.replace("http", "ws")}/crm/ws`;
    const socket = new WebSocket(url, { headers: { authorization } });
    socket.on("error", (error) => assert.fail(error));
    // It may come with the end of the handshake.
    const hello = once(socket, "message");
    await once(socket, "open");
    const [message] = await hello;
    assert.equal(typeof JSON.parse(String(message)), "object");
    const closed = once(socket, "close");
    socket.close(1000);
    assert.equal((await closed)[0], 1000);

    const refused = new WebSocket(url);
    const [, response] = await once(refused.on("error", () => undefined), "unexpected-response");
    assert.equal(response.statusCode, 401);
    response.destroy();

    const elsewhere = new WebSocket(url.replace("/crm", "/other"));
    assert.equal((await once(elsewhere, "error"))[0].code, "ECONNRESET");

    // What was passed on is passed on for one request alone: no other path comes in behind it.
    const raw = connect(port, "127.0.0.1");
    const head = (path) => `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`;
    raw.write(head("/crm/ws") + head("/contacts"));
    let said = "";
    for await (const piece of raw) said += piece;
    assert.equal(said.match(/HTTP\/1\.1 /g).length, 1, said);

    const last = new WebSocket(url, { headers: { authorization } });
    await once(last, "open");
    const ended = once(last, "close");
    await crm.close();
    assert.equal((await ended)[0], 1001);
});

test("who reads slowly is waited for, and who goes away is not", async (t) => {
    const { base, call, authorization } = await served(t);
    await (await call("/crm/contacts/import", {
        method: "POST", headers: { "content-type": "text/csv" }, body: rows(40_000),
    })).json();
    const slow = ask(`${base}/crm/contacts/export?format=jsonl`, { headers: { authorization } }).end();
    const [response] = await once(slow, "response");
    response.pause();
    let lines = 0;
    for await (const piece of response) lines += piece.toString("latin1").split("\n").length - 1;
    assert.equal(lines, 40_000);

    const before = process.memoryUsage.rss();
    for (let round = 0; round < 20; round += 1) {
        const leaving = new AbortController();
        const reply = await call("/crm/contacts/export?format=jsonl", { signal: leaving.signal });
        await reply.body.getReader().read();
        leaving.abort();
    }
    assert.ok(process.memoryUsage.rss() < before + 100e6);
    assert.equal((await call("/crm/contacts?limit=1")).status, 200);
});

test("who has gone away follows no more", async (t) => {
    const { call } = await served(t, servers.http, { realtimeConnections: 1, heartbeatSeconds: 60 });
    const leaving = new AbortController();
    assert.equal((await call("/crm/events", { signal: leaving.signal })).status, 200);
    assert.notEqual((await call("/crm/events")).status, 200);
    leaving.abort();
    // Until the server has heard of it there is no place.
    let next;
    do {
        next = await call("/crm/events");
    } while (!next.ok && (await next.text()));
    await next.body.cancel();
});

test("an import whose sender goes away ends", async (t) => {
    const { base, call, authorization } = await served(t);
    const going = ask(`${base}/crm/contacts/import`, {
        method: "POST", headers: { authorization, "content-type": "text/csv", "content-length": 1e6 },
    });
    const gone = new Promise((resolve) => going.on("error", () => undefined).on("close", resolve));
    going.write(rows(1000), () => going.destroy());
    await gone;
    assert.equal((await call("/crm/contacts?limit=1")).status, 200);
});

test("a body that is too large is refused before its end", async (t) => {
    const { call } = await served(t);
    const refused = await call("/crm/contacts", {
        method: "POST", headers: { "content-type": "application/json" }, body: "x".repeat(2 << 20),
    });
    assert.equal(refused.status, 413);
});

test("options that are wrong are named", async (t) => {
    const crm = await opened(t);
    const refused = async (options) => (await failure(async () => crm.handler(options))).fields.map((one) => one.field);
    assert.deepEqual(await refused({ colour: 1 }), ["colour"]);
    assert.deepEqual(await refused({ perCaller: "many" }), ["perCaller"]);
    assert.deepEqual(await refused({ prefix: "crm" }), ["prefix"]);
    crm.handler({ perCaller: null, corsOrigins: ["https://app.example"], prefix: "/crm/" }).close();
    await crm.close();
    assert.equal((await failure(async () => crm.handler())).code, "conflict");
});
