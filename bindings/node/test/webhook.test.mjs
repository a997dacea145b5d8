// What carriers send to a server of the program's own.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";

import { CrmError } from "crm-core";

import { Awaited, Plain } from "./carriers.mjs";
import { failure, member, opened } from "./support.mjs";

const ACCOUNT = "AC00000000000000000000000000000000";
const TOKEN = "0123456789abcdef0123456789abcdef";
const VOICE = "https://crm.example/webhooks/twilio/voice";
const STATUS = "https://crm.example/webhooks/twilio";

const calling = {
    AccountSid: ACCOUNT, CallSid: "CA00000000000000000000000000000001", From: "+14255550123", To: "+14255550111",
    Direction: "inbound", CallStatus: "ringing",
};
const completed = { ...calling, CallStatus: "completed", CallDuration: "42", SequenceNumber: "3" };

/** What Twilio sends: signed over the address and the parameters in their order. */
function signed(url, fields, token = TOKEN) {
    const text = Object.keys(fields).sort().map((name) => name + fields[name]).join("");
    const signature = createHmac("sha1", token).update(url + text).digest("base64");
    const headers = { "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature };
    return { url, headers, body: new URLSearchParams(fields).toString() };
}

async function called(t) {
    const crm = await opened(t, { publicUrl: "https://crm.example" });
    const session = await crm.operator((await member(crm)).tenant.id);
    await session.telephony.createAccount({
        provider: "twilio", name: ACCOUNT, secrets: { authTokens: [TOKEN] }, numbers: [calling.To],
        greeting: "Hello <you> & all",
    });
    return { crm, calls: async () => (await session.calls.list()).items };
}

test("a call comes in, and is told of further", async (t) => {
    const { crm, calls } = await called(t);
    const answered = await crm.webhook("twilio", signed(VOICE, calling));
    assert.equal(answered.contentType, "text/xml; charset=utf-8");
    assert.match(answered.body, /Hello &lt;you&gt; &amp; all/);
    assert.deepEqual((await calls()).map((call) => [call.status, call.from]), [["ringing", calling.From]]);
    for (let time = 0; time < 2; time += 1) {
        assert.deepEqual(await crm.webhook("twilio", signed(STATUS, completed)), { contentType: null, body: "" });
    }
    const [call, ...others] = await calls();
    assert.deepEqual([call.status, call.durationSeconds, call.version, others.length], ["completed", 42, 2, 0]);
});

/** It sends what it has to tell by itself. */
class Sending extends Plain {
    takeCallbacks = undefined;

    sent() {
        return super.takeCallbacks();
    }
}

for (const [how, made] of [["plain", (sending) => sending], ["awaited", (sending) => new Awaited(sending)]]) {
    test(`what a carrier of the host's own sends moves its call on: ${how}`, async (t) => {
        const carrier = new Sending();
        const crm = await opened(t, {
            publicUrl: "https://crm.example", telephony: { theirs: made(carrier) }, clock: { now: () => carrier.now() },
        });
        const session = await crm.operator((await member(crm)).tenant.id);
        await session.telephony.createAccount({
            provider: "theirs", name: "acme", secrets: { authTokens: ["token"] }, numbers: ["+14255550199"],
        });
        const { id: contactId } = await session.contacts.create({ firstName: "Ada", phones: [{ number: "+14255550150" }] });
        const worker = crm.startWorker();
        const { id } = await session.calls.start({ contactId });
        // The carrier is asked in between.
        while ((await session.calls.get(id)).providerCallId === null) await new Promise(setImmediate);
        await worker.stop();
        carrier.passTime({ seconds: 20 });
        const [first, ...others] = carrier.sent();
        const forged = { ...first, body: first.body.replace("initiated", "completed") };
        assert.equal((await failure(() => crm.webhook("theirs", forged))).code, "forbidden");
        const told = [];
        for (const request of [first, ...others]) {
            for (let time = 0; time < 2; time += 1) {
                assert.deepEqual(await crm.webhook("theirs", request), { contentType: null, body: "" });
            }
            told.push((await session.calls.get(id)).status);
        }
        assert.deepEqual(told, ["initiated", "ringing", "in_progress", "completed"]);
    });
}

test("what is not the carrier's is refused", async (t) => {
    const { crm, calls } = await called(t);
    const sent = signed(VOICE, calling);
    const cases = [
        ["nobody", sent, "not_found"],
        ["twilio", signed(VOICE, calling, "another token"), "forbidden"],
        ["twilio", { ...sent, url: STATUS }, "forbidden"],
        ["twilio", { ...sent, body: signed(VOICE, completed).body }, "forbidden"],
        ["twilio", { ...sent, headers: {} }, "forbidden"],
        ["twilio", signed(VOICE, { ...calling, CallStatus: "dead" }), "malformed"],
    ];
    for (const [provider, request, code] of cases) {
        const error = await failure(() => crm.webhook(provider, request));
        assert.ok(error instanceof CrmError, String(error));
        assert.deepEqual([error.code, error.operation], [code, "calls.webhook"]);
    }
    assert.deepEqual(await calls(), []);
});

test("headers and bodies as Node has them", async (t) => {
    const { crm } = await called(t);
    const { url, headers, body } = signed(VOICE, calling);
    const ways = [
        { headers: Object.entries(headers) },
        { headers: new Map(Object.entries(headers)) },
        { headers: new Headers(headers) },
        { headers: { ...headers, via: ["a", "b"], accept: undefined } },
        // Of several the first counts.
        { headers: { ...headers, "X-Twilio-Signature": [headers["X-Twilio-Signature"], "forged"] } },
        { body: Buffer.from(body) },
        { body: new TextEncoder().encode(body) },
    ];
    for (const way of ways) {
        const reply = await crm.webhook("twilio", { url, headers, body, ...way });
        assert.equal(reply.contentType, "text/xml; charset=utf-8");
    }
});

test("a server of Node's hands in what it is sent", async (t) => {
    const { crm } = await called(t);
    const server = createServer(async (request, response) => {
        const url = `https://crm.example${request.url}`;
        const body = Buffer.concat(await request.toArray());
        const reply = await crm.webhook("twilio", { url, headers: request.headers, body });
        response.writeHead(200, { "content-type": reply.contentType }).end(reply.body);
    });
    t.after(() => server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { url, ...sent } = signed(VOICE, calling);
    const here = `http://127.0.0.1:${server.address().port}${new URL(url).pathname}`;
    const response = await fetch(here, { ...sent, method: "POST" });
    assert.match(await response.text(), /<Response>/);
});

test("what cannot be a request is named", async (t) => {
    const crm = await opened(t);
    const request = { url: VOICE, headers: {}, body: "" };
    const thrown = new Error("mine");
    const cases = [
        [7, {}, "provider"],
        ["twilio", { url: undefined }, "url"],
        ["twilio", { url: new URL(VOICE) }, "url"],
        ["twilio", { url: "\ud800" }, "url"],
        ["twilio", { headers: undefined }, "headers"],
        ["twilio", { headers: "a: b" }, "headers"],
        ["twilio", { headers: ["a", "b"] }, "headers[0]"],
        ["twilio", { headers: [["a", "b", "c"]] }, "headers[0]"],
        ["twilio", { headers: { a: "b", c: 7 } }, "headers[1][1]"],
        ["twilio", { body: undefined }, "body"],
        ["twilio", { body: [1, 2] }, "body"],
        ["twilio", { method: "POST" }, "method"],
    ];
    for (const [provider, given, field] of cases) {
        const error = await failure(() => crm.webhook(provider, { ...request, ...given }));
        assert.ok(error instanceof CrmError, String(error));
        assert.deepEqual([error.code, error.operation], ["invalid", "calls.webhook"]);
        assert.equal(error.fields[0].field, field);
    }
    const hostile = { ...request, headers: { get a() { throw thrown; } } };
    assert.equal((await failure(() => crm.webhook("twilio", hostile))).cause, thrown);
    assert.equal((await failure(() => crm.webhook("twilio"))).code, "invalid");
});

test("a closed CRM takes none, and waits for what it took", async (t) => {
    const { crm } = await called(t);
    let answered;
    void crm.webhook("twilio", signed(VOICE, calling)).then((reply) => { answered = reply; });
    await crm.close();
    // Its promise is kept now, and those that hang on it follow.
    await new Promise(setImmediate);
    assert.equal(answered?.contentType, "text/xml; charset=utf-8");
    const error = await failure(() => crm.webhook("twilio", signed(VOICE, calling)));
    assert.deepEqual([error.code, error.operation], ["conflict", "calls.webhook"]);
});
