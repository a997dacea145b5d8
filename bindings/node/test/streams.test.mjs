import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";

import { failure, session } from "./support.mjs";

const file = (rows) =>
    `first_name,email\n${Array.from({ length: rows }, (_, at) => `N${at},n${at}@example.com\n`).join("")}`;

test("events come in order, from where one says", async (t) => {
    const { contacts, events } = await session(t);
    const follow = events.subscribe();
    const first = follow.next();
    const names = [];
    let created;
    do {
        // The subscription begins when it is first asked.
        created = await contacts.create({ firstName: "Ada" });
    } while (!(await Promise.race([first, new Promise((late) => setImmediate(late))])));
    const { value } = await first;
    assert.equal(value.event.name, "contact.created.v1");
    assert.ok(value.event.occurredAt instanceof Date);
    await follow.return();
    await contacts.update(created.id, { title: "Dr" });
    for await (const delivery of events.subscribe({ after: value.event.position })) {
        assert.equal(delivery.type, "event");
        names.push(delivery.event.name);
        if (delivery.event.name === "contact.updated.v1") break;
    }
    assert.equal(names.at(-1), "contact.updated.v1");
    assert.equal((await failure(() => events.subscribe({ after: "soon" }).next())).code, "malformed");
});

test("a signal ends a subscription", async (t) => {
    const { events } = await session(t);
    const ending = new AbortController();
    const waiting = events.subscribe({ signal: ending.signal }).next();
    setImmediate(() => ending.abort());
    assert.equal((await failure(() => waiting)).name, "AbortError");
});

test("what a group has not done comes again", async (t) => {
    const { contacts, events } = await session(t);
    await contacts.create({ firstName: "Ada" });
    const names = async (done) => {
        for await (const batch of events.group("letters", { otherwise: "start" })) {
            if (done) await batch.done();
            return batch.events.map((event) => event.name);
        }
    };
    const first = await names(false);
    assert.ok(first.includes("contact.created.v1"));
    assert.deepEqual(await names(true), first);
    const [batch] = [(await (async () => {
        const group = events.group("letters");
        const next = group.next();
        await contacts.create({ firstName: "Grace" });
        const { value } = await next;
        await group.return();
        return value;
    })())];
    assert.deepEqual(batch.events.map((event) => event.name), ["contact.created.v1"]);
    await batch.session.activities.create({ contactId: batch.events[0].subject.id, kind: "note" });
    assert.equal((await failure(() => batch.done())).code, "conflict");
});

test("contacts come from and go to paths, bytes and streams", async (t) => {
    const { contacts } = await session(t);
    const folder = mkdtempSync(join(tmpdir(), "crm-node-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "in.csv");
    writeFileSync(path, file(1200));
    const told = [];
    const report = await contacts.importFrom(path, { onProgress: (progress) => told.push(progress) });
    assert.deepEqual([report.created, report.failed, report.errorsOmitted], [1200, 0, 0]);
    assert.ok(told.length > 0);
    assert.equal((await contacts.importFrom(Buffer.from(file(3)))).skipped, 3);
    assert.equal((await contacts.importFrom(Readable.from(["first_name\n", "Ada\n"]), { dryRun: true })).created, 1);
    const bad = await contacts.importFrom([Buffer.from("email\nnope\n")], { format: "csv" });
    assert.equal(bad.errors[0].code, "invalid_email");
    const out = join(folder, "out.csv");
    await contacts.exportTo(out, { format: "csv" });
    assert.equal(readFileSync(out, "utf8").trim().split("\n").length, 1201);
    const again = (await session(t)).contacts;
    assert.equal((await again.importFrom(contacts.export({ format: "jsonl" }))).created, 1200);
});

test("files that are none are errors", async (t) => {
    const { contacts, calls } = await session(t);
    assert.equal((await failure(() => contacts.importFrom("/nonexistent/file.csv"))).code, "ENOENT");
    assert.equal((await failure(() => contacts.importFrom([7]))).code, "invalid");
    assert.equal((await failure(() => contacts.importFrom(Buffer.from("a"), { format: "docx" }))).code, "invalid");
    assert.equal((await failure(() => contacts.export({ format: "docx" }).toArray())).code, "invalid");
    assert.equal((await failure(() => calls.recording("none"))).code, "not_found");
    const mine = new Error("mine");
    const thrown = () => contacts.importFrom(Buffer.from(file(1)), { onProgress: () => { throw mine; } });
    assert.equal(await failure(thrown), mine);
});
