// Ports that are written in JavaScript.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Crm, CrmError } from "crm-core";

import { Awaited, Plain } from "./carriers.mjs";
import { failure, member, opened } from "./support.mjs";

const require = createRequire(import.meta.url);
const { proveTelephony } = require("../dist/ports.js");
const { native } = require("../dist/native.js");

const memory = "sqlite::memory:";
const file = () => `sqlite://${join(mkdtempSync(join(tmpdir(), "crm-")), "crm.db")}`;

async function whole(chunks) {
    const pieces = [];
    for await (const piece of chunks) {
        pieces.push(piece);
    }
    return Buffer.concat(pieces);
}

/** A clock that is put forward. */
class Clock {
    moment = new Date("2026-03-01T09:30:00Z");

    now() {
        return this.moment;
    }

    putForward(seconds) {
        this.moment = new Date(this.moment.getTime() + seconds * 1000);
    }
}

class PlainBlobs {
    kept = new Map();

    async put({ key, chunks }) {
        this.kept.set(key, await whole(chunks));
    }

    get({ key, start, end }) {
        if (!this.kept.has(key)) {
            throw new CrmError({ code: "not_found", message: "no such blob" });
        }
        const piece = this.kept.get(key).subarray(start, end ?? undefined);
        return [piece.subarray(0, 100), piece.subarray(100)].values();
    }

    delete({ key }) {
        this.kept.delete(key);
    }
}

class AwaitedBlobs extends PlainBlobs {
    raises;
    hangs = false;

    async *get({ key, start, end }) {
        if (this.raises !== undefined) {
            throw this.raises;
        }
        if (this.hangs) {
            await new Promise(() => {});
        }
        for (let at = start; at < end; at += 5000) {
            await null;
            yield this.kept.get(key).subarray(at, Math.min(at + 5000, end));
        }
    }

    async delete(given) {
        super.delete(given);
    }

    async check() {}
}

class Bus {
    listening = new Set();
    published = [];

    async publish({ message }) {
        this.published.push(message);
        for (const listener of this.listening) {
            listener.waiting.push(message);
            listener.wake();
        }
    }

    /** An iterator that can be ended while it waits, which a generator cannot. */
    subscribe() {
        const listener = { waiting: [null], wake: () => {}, done: false };
        this.listening.add(listener);
        return {
            [Symbol.asyncIterator]() {
                return this;
            },
            async next() {
                while (listener.waiting.length === 0 && !listener.done) {
                    await new Promise((wake) => (listener.wake = wake));
                }
                return { value: listener.waiting.shift(), done: listener.done };
            },
            return: async () => {
                this.listening.delete(listener);
                listener.done = true;
                listener.wake();
                return { done: true };
            },
        };
    }
}

class Letters {
    sent = [];

    async send(given) {
        this.sent.push(given);
    }
}

/** The carrier in the clock's time. */
function byClock(carrier, clock) {
    (carrier.plain ?? carrier).now = () => clock.now();
    return carrier;
}

/** Waits for what others bring about. */
async function until(come) {
    for (let round = 0; round < 3000; round += 1) {
        const value = await come();
        if (value) {
            return value;
        }
        await pause(10);
    }
    throw new Error("it does not come about");
}

async function withAccount(crm, provider = "theirs") {
    const { tenant } = await member(crm);
    const session = await crm.operator(tenant.id);
    const account = { provider, name: "acme", secrets: { authTokens: ["token"] }, numbers: ["+14255550199"] };
    await session.telephony.createAccount(account);
    return session;
}

/** The carrier, which notes which of its methods are called. */
function watched(carrier, methods) {
    const calls = [];
    for (const method of methods) {
        const before = carrier[method];
        carrier[method] = function (given) {
            calls.push(method);
            return before.call(this, given);
        };
    }
    return { carrier, calls };
}

async function called(session, options = {}) {
    const ada = await session.contacts.create({ firstName: "Ada", phones: [{ number: "+14255550150" }] });
    await session.contacts.recordConsent(ada.id, { purpose: "recording", granted: true });
    return { ada, call: await session.calls.start({ contactId: ada.id, ...options }) };
}

/** A call to Ada that was recorded. */
async function recorded(session, clock) {
    const { ada, call } = await called(session, { record: true });
    await until(async () => {
        clock.putForward(0.1);
        return (await session.calls.get(call.id)).status === "completed";
    });
    // The carrier is asked for recordings some minutes after the end.
    clock.putForward(600);
    const recording = await until(() => session.calls.recording(call.id).catch((error) => {
        assert.equal(error.code, "not_found");
    }));
    return { ada, call, recording };
}

for (const Carrier of [Plain, Awaited]) {
    test(`a carrier in JavaScript does what every carrier must: ${Carrier.name}`, async () => {
        const proofs = await proveTelephony(() => new Carrier());
        assert.ok(proofs.length >= 10);
        assert.deepEqual(proofs.filter(([, wrong]) => wrong !== null), []);
    });
}

test("a carrier that does wrong is found", async () => {
    class Deaf extends Plain {
        hangUp({ account, callId }) {
            return this.fetch({ account, callId });
        }
    }
    const wrong = (await proveTelephony(() => new Deaf())).filter(([, wrong]) => wrong !== null).map(([name]) => name);
    assert.deepEqual(wrong, ["a_call_that_is_hung_up_ends", "hanging_up_twice_is_once"]);
});

for (const [Carrier, Blobs] of [[Plain, PlainBlobs], [Awaited, AwaitedBlobs]]) {
    test(`a call is followed and its recording kept: ${Carrier.name}`, async (t) => {
        const [clock, blobs, eventBus, letter] = [new Clock(), new Blobs(), new Bus(), new Letters()];
        const crm = await opened(t, {
            database: file(), publicUrl: "https://crm.example", telephony: { theirs: byClock(new Carrier(), clock) },
            blobs, clock, eventBus, channels: { letter },
        });
        const session = await withAccount(crm);
        await session.notifications.broadcast({ title: "Closed on Friday" });
        const worker = crm.startWorker();
        const { ada, call, recording } = await recorded(session, clock);
        assert.equal(recording.contentType, "audio/basic");
        assert.deepEqual(await whole(recording.stream()), Buffer.alloc(8010, 0xff));
        assert.equal(blobs.kept.size, 1);
        const { items } = await session.contacts.timeline(ada.id);
        assert.ok(items.some(({ kind, data }) => kind === "call" && data.status === "completed"));
        const over = await session.calls.get(call.id);
        assert.deepEqual([over.provider, over.providerCallId, over.durationSeconds], ["theirs", "C1", 10]);
        assert.equal(over.endedAt - over.answeredAt, 10_000);
        const { notification, user } = await until(() => letter.sent[0]);
        assert.equal(notification.title, "Closed on Friday");
        assert.ok(notification.createdAt instanceof Date);
        assert.match(user.email, /^owner@/);
        assert.ok(eventBus.published.some((message) => message.includes("events")));
        await worker.stop();
        assert.equal(eventBus.listening.size, 1);
        await crm.close();
        await until(() => eventBus.listening.size === 0);
    });
}

test("two nodes hear of each other", async (t) => {
    const eventBus = new Bus();
    const database = file();
    const [one, other] = [await opened(t, { database, eventBus }), await opened(t, { database, eventBus })];
    const { tenant, owner, session } = await member(one);
    await until(() => eventBus.listening.size === 2);
    const events = (await other.session(tenant.id, owner.id)).events.subscribe({ after: "start" });
    const happened = (name) => (function next() {
        return events.next().then(({ value }) => value.event.name === name || next());
    })();
    await session.contacts.create({ firstName: "Ada" });
    await happened("contact.created.v1");
    await session.contacts.create({ firstName: "Bea" });
    await happened("contact.created.v1");
    assert.ok(eventBus.published.length > 0);
    await events.return();
});

const brokenClock = (error) => ({
    now() {
        throw error;
    },
});

test("what a port throws is the cause, and its words are not shown", async () => {
    for (const strange of [new TypeError("s3cret"), "s3cret"]) {
        const error = await failure(() => Crm.open({ database: memory, clock: brokenClock(strange) }));
        assert.equal(error.code, "internal");
        assert.equal(error.message, "`now` of the host's clock has failed");
        assert.equal(error.cause, strange);
    }
});

test("what passes is unavailable", async () => {
    const refused = Object.assign(new Error("no"), { code: "ECONNREFUSED" });
    const failed = new TypeError("fetch failed", { cause: refused });
    for (const strange of [refused, failed, new DOMException("late", "TimeoutError")]) {
        const error = await failure(() => Crm.open({ database: memory, clock: brokenClock(strange) }));
        assert.deepEqual([error.code, error.retryable, error.cause], ["unavailable", true, strange]);
    }
});

test("an error of ours is kept", async () => {
    const field = { field: "theirOwn[0].value", code: "too_short", message: "no" };
    for (const raising of [
        { code: "invalid", message: "no", fields: [field] },
        { code: "rate_limited", message: "slowly", retryAfter: 1.5 },
        { code: "conflict", message: "not now" },
    ]) {
        const thrown = new CrmError(raising);
        const error = await failure(() => Crm.open({ database: memory, clock: brokenClock(thrown) }));
        assert.equal(error.cause, thrown);
        assert.deepEqual([error.code, error.fields, error.retryAfter], [thrown.code, thrown.fields, thrown.retryAfter]);
    }
});

test("what a check says is told", async (t) => {
    const field = { field: "name", code: "odd", message: "no" };
    const choosy = new Plain();
    choosy.check = () => {
        throw new CrmError({ code: "invalid", message: "no", fields: [field] });
    };
    const error = await failure(async () => withAccount(await opened(t, { telephony: { theirs: choosy } })));
    assert.deepEqual([error.code, error.fields], ["invalid", [field]]);
});

test("an awaited method that throws or hangs", async (t) => {
    const [clock, blobs] = [new Clock(), new AwaitedBlobs()];
    const telephony = { theirs: byClock(new Awaited(), clock) };
    const crm = await opened(t, { database: file(), telephony, blobs, clock, portTimeout: 2 });
    crm.startWorker();
    const { recording } = await recorded(await withAccount(crm), clock);
    blobs.raises = new TypeError("s3cret");
    const error = await failure(() => whole(recording.stream()));
    assert.deepEqual([error.code, error.cause], ["internal", blobs.raises]);
    blobs.raises = undefined;
    blobs.hangs = true;
    const late = await failure(() => whole(recording.stream()));
    assert.equal(late.code, "unavailable");
    assert.match(late.message, /`get` of the host's blobs has not answered within 2s/);
});

const wrong = [
    [{ status: "queued" }, "at `id`: missing field"],
    [{ id: "C1", status: "dead" }, "at `status`: expected one of `queued`"],
    [{ id: "C1", status: "queued", duration: 3 }, "at `duration`: unknown field, expected one of `id`, `status`"],
    [{ id: "C1", status: "queued", durationSeconds: "long" }, "at `durationSeconds`: "],
    [{ id: "C1", status: "queued", duration_seconds: 3 }, "an object with `duration_seconds`, whose name is not in camelCase"],
    [{ id: "C1", status: "queued", endedAt: new Date(NaN) }, "at `endedAt`: an invalid date cannot be here"],
    [{ id: Symbol("C1"), status: "queued" }, "at `id`: a symbol cannot be here"],
    [{ id: "C\ud800", status: "queued" }, "at `id`: text with half of a surrogate pair cannot be here"],
    [{ id: "C1", status: "queued", sequence: 2n ** 60n }, "at `sequence`: a number that is too large cannot be here"],
    [undefined, "answered wrongly: expected a call"],
];

for (const Carrier of [Plain, Awaited]) {
    test(`a wrong answer is told by method and field: ${Carrier.name}`, async () => {
        for (const [answer, told] of wrong) {
            const made = () => {
                const plain = new Plain();
                plain.fetch = () => answer;
                return Carrier === Plain ? plain : new Awaited(plain);
            };
            const said = new Map(await proveTelephony(made)).get("a_started_call_is_fetched");
            assert.match(said, /kind: Internal.*`fetch` of the host's telephony answered wrongly/s);
            assert.ok(said.includes(told), `${told} in ${said}`);
        }
    });
}

test("a method whose field is undefined has left it out", async () => {
    const made = () => {
        const plain = new Plain();
        const { start } = plain;
        plain.start = (given) => ({ ...start.call(plain, given), steps: undefined, price: undefined });
        return plain;
    };
    assert.equal(new Map(await proveTelephony(made)).get("a_started_call_is_fetched"), null);
});

test("a clock that tells no time is refused", async () => {
    for (const [now, told] of [
        [new Date(NaN), "expected a time with a time zone, found an invalid date"],
        [undefined, "expected a time with a time zone, found nothing"],
        [1.5, "expected a time with a time zone, found a number"],
    ]) {
        const error = await failure(() => Crm.open({ database: memory, clock: { now: () => now } }));
        assert.match(error.message, /`now` of the host's clock answered wrongly/);
        assert.ok(error.message.includes(told), error.message);
    }
});

test("what is asked at once must not be asynchronous", async () => {
    const error = await failure(() => Crm.open({ database: memory, clock: { now: async () => new Date() } }));
    assert.equal(error.code, "internal");
    assert.match(error.cause.message, /`now` must not be asynchronous/);
});

test("what cannot be a port is refused", async () => {
    for (const [given, field] of [
        [{ telephony: { theirs: {} } }, "telephony.start"],
        [{ telephony: { "Their Name": new Plain() } }, "telephony"],
        [{ telephony: { theirs: 1 } }, "telephony.theirs"],
        [{ eventBus: new Letters() }, "bus.publish"],
        [{ blobs: new Letters() }, "blobs.put"],
        [{ clock: new Letters() }, "clock.now"],
        [{ channels: { letter: new Bus() } }, "channel.send"],
        [{ channels: { in_app: new Letters() } }, "channels"],
        [{ portTimeout: 0, clock: new Clock() }, "portTimeout"],
        [{ portTimeout: "long" }, "portTimeout"],
    ]) {
        const error = await failure(() => Crm.open({ database: memory, ...given }));
        assert.deepEqual([error.code, error.fields[0]?.field], ["invalid", field]);
    }
    const half = new Plain();
    half.hangUp = undefined;
    const error = await failure(() => Crm.open({ database: memory, telephony: { theirs: half } }));
    assert.deepEqual(error.fields.map(({ field, message }) => [field, message]),
        [["telephony.hangUp", "the host's telephony has no method `hangUp`"]]);
});

test("a blocking call asks the clock of its own thread", async (t) => {
    const clock = new Clock();
    const crm = await opened(t, { database: file(), clock });
    crm.startWorker();
    const { session } = await member(crm);
    for (let round = 0; round < 50; round += 1) {
        clock.putForward(60);
        const made = session.blocking.contacts.create({ firstName: "Ada" });
        assert.deepEqual(made.createdAt, clock.moment);
    }
});

test("a blocking call leaves what may be asynchronous to the event loop", async (t) => {
    const clock = new Clock();
    const { carrier, calls } = watched(byClock(new Awaited(), clock), ["start", "takeCallbacks"]);
    const crm = await opened(t, { database: file(), telephony: { theirs: carrier }, clock });
    const session = await withAccount(crm);
    const { call, ada } = await called(session);
    crm.startWorker();
    // The worker asks the carrier meanwhile: what is asked at once is answered, the other when the event loop comes to it.
    for (let round = 0; round < 20_000 && !(calls.includes("takeCallbacks") && round > 200); round += 1) {
        session.blocking.contacts.update(ada.id, { title: `${round}` });
    }
    assert.ok(calls.includes("takeCallbacks"));
    assert.ok(!calls.includes("start"));
    await until(async () => (await session.calls.get(call.id)).providerCallId === "C1");
    assert.equal(calls.filter((method) => method === "start").length, 1);
});

test("what nobody waits for any more is not called", async (t) => {
    const clock = new Clock();
    const { carrier, calls } = watched(byClock(new Awaited(), clock), ["start", "find"]);
    const crm = await opened(t, { database: file(), telephony: { theirs: carrier }, clock, portTimeout: 0.2 });
    const session = await withAccount(crm);
    const { call } = await called(session);
    crm.startWorker();
    // The event loop does not come to it in time.
    for (const end = performance.now() + 1500; performance.now() < end; );
    const over = await until(async () => {
        clock.putForward(10);
        const now = await session.calls.get(call.id);
        return now.endedAt && now;
    });
    assert.deepEqual([over.status, over.failure.code, calls], ["failed", "lost", ["find"]]);
});

test("a method that is asked at once cannot wait for the CRM", async (t) => {
    const clock = new Clock();
    const crm = await opened(t, { database: file(), clock });
    const { session } = await member(crm);
    const { id } = await session.contacts.create({ firstName: "Ada" });
    const errors = [];
    clock.now = () => {
        try {
            session.blocking.contacts.get(id);
        } catch (error) {
            errors.push(error.code);
        }
        return clock.moment;
    };
    session.blocking.contacts.create({ firstName: "Bea" });
    assert.ok(errors.length > 0 && errors.every((code) => code === "conflict"), errors.join());
});

test("what is given to a carrier is told as the types say", async () => {
    const seen = [];
    const made = () => {
        const plain = new Plain();
        const { start, find } = plain;
        plain.start = (given) => (seen.push(given), start.call(plain, given));
        plain.find = (given) => (seen.push(given), find.call(plain, given));
        return plain;
    };
    await proveTelephony(made);
    const { account, call } = seen.find((given) => given.call !== undefined);
    assert.deepEqual(account, { name: "proven", secrets: { authTokens: ["token"], apiKey: null }, options: {} });
    assert.deepEqual(Object.keys(call).sort(),
        ["callback", "detectMachine", "from", "record", "ringForSeconds", "script", "to"]);
    const { sought } = seen.find((given) => given.sought !== undefined);
    assert.ok(sought.since instanceof Date && sought.until instanceof Date);
});

/** The members of a type of `src-ts/ports.ts`: by name, whether each may be left out, and its type as written. */
function membersOf() {
    const ts = require("typescript");
    const path = join(import.meta.dirname, "..", "src-ts", "ports.ts");
    const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
    const types = new Map();
    const gather = (name) => (node) => {
        if (ts.isPropertySignature(node) || ts.isMethodSignature(node)) {
            const { parameters = [], type } = node;
            types.get(name).set(node.name.text, { node, optional: node.questionToken !== undefined, parameters, type });
        } else {
            ts.forEachChild(node, gather(name));
        }
    };
    ts.forEachChild(source, (node) => {
        if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) {
            types.set(node.name.text, new Map());
            ts.forEachChild(node, gather(node.name.text));
        }
    });
    return types;
}

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const PORTS = { telephony: ["Telephony", "TelephonyCallbacks"], bus: ["EventBus"], blobs: ["Blobs"], clock: ["Clock"], channel: ["Channel"] };

test("the types are the contract", () => {
    const { methods, answers } = JSON.parse(native.portContract());
    const types = membersOf();
    const asked = methods.map((method) => {
        const optional = method.optional;
        return [`${method.port}.${camel(method.name)}`, method.arguments.map(camel), method.at_once, optional];
    });
    const written = Object.entries(PORTS).flatMap(([port, names]) => names.flatMap((name) =>
        [...types.get(name)].map(([method, { optional, parameters, type }]) => {
            const given = (parameters[0].type.members ?? []).map((member) => member.name.text);
            return [`${port}.${method}`, given, !/^Awaitable</.test(type.getText()), optional || name === "TelephonyCallbacks"];
        })));
    const byName = (one, other) => (one[0] < other[0] ? -1 : 1);
    assert.deepEqual(written.sort(byName), asked.sort(byName));
    // What has no schema stands beside; news are of one kind each, and steps and prices are written in their place.
    const beside = { CarrierAudio: ["chunks"], CarrierRequest: ["body"] };
    for (const [name, members] of types) {
        const schema = answers[name];
        if (schema?.properties === undefined || name === "CarrierNews") {
            continue;
        }
        const extra = beside[name] ?? [];
        const fields = Object.keys(schema.properties).map(camel).concat(extra).sort();
        assert.deepEqual([...members.keys()].sort(), fields, name);
        const needed = (schema.required ?? []).map(camel).concat(extra).sort();
        assert.deepEqual([...members].filter(([, { optional }]) => !optional).map(([field]) => field).sort(), needed, name);
    }
    assert.ok(["CarrierCall", "CarrierRecording", "CarrierAudio", "CarrierReply", "CarrierRequest"].every((name) =>
        types.has(name) && answers[name]?.properties !== undefined));
});
