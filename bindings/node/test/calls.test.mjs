import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Calls, Contacts, Crm, CrmError, Events } from "crm-core";
import { failure, member, opened, session } from "./support.mjs";

const require = createRequire(import.meta.url);

test("one class of errors for import and require", () => {
    assert.equal(require("crm-core").CrmError, CrmError);
});

test("every stream of the surface is there", () => {
    const surface = JSON.parse(readFileSync(new URL("../../surface.json", import.meta.url)));
    const classes = { contacts: Contacts, calls: Calls, events: Events };
    for (const { name, in_session: inSession } of surface.streams) {
        const [namespace, verb] = name.split(".");
        const method = verb.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
        const of = inSession ? classes[namespace] : Crm;
        assert.equal(typeof of?.prototype[method], "function", name);
    }
});

test("records have dates, and the host's own fields keep their names", async (t) => {
    const { contacts } = await session(t);
    const made = await contacts.create({
        firstName: "Ada", emails: [{ address: "ada@example.com" }],
        addresses: [{ postalCode: "SW1" }], custom: { own_field: 1, __proto__: undefined },
    });
    assert.ok(made.createdAt instanceof Date);
    assert.equal(made.deletedAt, null);
    assert.deepEqual(made.custom, { own_field: 1 });
    assert.equal(made.addresses[0].postalCode, "SW1");
    assert.deepEqual(await contacts.get(made.id), made);
    const changed = await contacts.update(made.id, { firstName: null, title: undefined }, { version: 1 });
    assert.deepEqual([changed.firstName, changed.version], [null, 2]);
});

test("activities have data of their kind, with dates", async (t) => {
    const { contacts, activities } = await session(t);
    const { id: contactId } = await contacts.create({ firstName: "Ada" });
    const endsAt = new Date("2030-01-01T10:00:00Z");
    const made = await activities.create({ contactId, kind: "meeting", data: { endsAt } });
    assert.deepEqual(made.data.endsAt, endsAt);
    const note = await activities.create({ contactId, kind: "note", body: "Called." });
    assert.deepEqual(note.data, {});
});

test("the blocking form answers the same", async (t) => {
    const { contacts, blocking } = await session(t);
    const made = blocking.contacts.create({ firstName: "Ada" });
    assert.deepEqual(blocking.contacts.get(made.id), await contacts.get(made.id));
    assert.deepEqual([...blocking.contacts.iterate({ limit: 1 })], [made]);
    assert.throws(() => blocking.contacts.get("none"), { name: "CrmError", code: "not_found" });
});

test("errors say what, where and why", async (t) => {
    const { contacts } = await session(t);
    const ada = await contacts.create({ emails: [{ address: "ada@example.com" }] });
    const taken = await failure(() => contacts.create({ emails: [{ address: "ada@example.com" }] }));
    assert.ok(taken instanceof CrmError && taken instanceof Error);
    assert.equal(taken.code, "already_exists");
    assert.equal(taken.operation, "contacts.create");
    assert.equal(taken.existingId, ada.id);
    assert.equal(taken.retryable, false);
    const refused = await failure(() => contacts.create({ firstName: "x".repeat(300), emails: [{ address: "no" }] }));
    assert.equal(refused.code, "invalid");
    assert.deepEqual(refused.fields.map((one) => one.field), ["firstName", "emails[0].address"]);
    const stale = await failure(() => contacts.update(ada.id, { title: "Dr" }, { version: 7 }));
    assert.equal(stale.code, "version_conflict");
    const nobody = await failure(() => contacts.list({ colour: "red" }));
    assert.equal(nobody.code, "unknown_parameter");
});

test("arguments of wrong kinds are errors that name the field", async (t) => {
    const { contacts } = await session(t);
    const circle = {};
    circle.self = circle;
    const cases = [
        [{ firstName: NaN }, "firstName"],
        [{ firstName: 7 }, "firstName"],
        [{ firstName: "\ud800" }, "firstName"],
        [{ firstName: "a\0b" }, "firstName"],
        [{ firstName: "x".repeat(1_000_000) }, "firstName"],
        [{ firstName: Symbol("a") }, "firstName"],
        [{ firstName: () => 1 }, "firstName"],
        [{ firstName: new Date(NaN) }, "firstName"],
        [{ firstName: new Map() }, "firstName"],
        [{ first_name: "Ada" }, "first_name"],
        [{ emails: [{ address: undefined }] }, "emails[0]"],
        [{ emails: "ada@example.com" }, "emails"],
        [{ emails: [undefined] }, "emails[0]"],
        [{ custom: { a: { b: 1 } } }, "custom"],
        [{ custom: circle }, "custom.self"],
        [{ custom: { big: 2n ** 80n } }, "custom.big"],
        [{ firstName: "Ada", tags: [1] }, "tags[0]"],
    ];
    for (const [given, field] of cases) {
        const error = await failure(() => contacts.create(given));
        assert.ok(error instanceof CrmError, String(error));
        assert.equal(error.code, "invalid");
        assert.ok(error.fields[0].field.startsWith(field), `${error.fields[0].field} for ${field}`);
    }
    for (const id of [7, null, undefined, {}, NaN, "\udc00", "a\0", "x".repeat(100_000)]) {
        const error = await failure(() => contacts.get(id));
        assert.ok(error instanceof CrmError, String(error));
    }
    assert.equal((await failure(() => contacts.create(7))).code, "invalid");
    const thrown = new Error("mine");
    const hostile = { get firstName() { throw thrown; } };
    assert.equal((await failure(() => contacts.create(hostile))).cause, thrown);
});

test("all pages are walked", async (t) => {
    const { contacts } = await session(t);
    await contacts.createAll(Array.from({ length: 25 }, (_, at) => ({ firstName: `N${at}` })));
    const names = [];
    for await (const contact of contacts.iterate({ limit: 10 })) {
        names.push(contact.firstName);
    }
    assert.equal(new Set(names).size, 25);
    const page = await contacts.list({ limit: 10, includeTotal: true });
    assert.deepEqual([page.items.length, page.total], [10, 25]);
});

test("a signal ends the waiting, and the command goes on", async (t) => {
    const { contacts } = await session(t);
    const ending = new AbortController();
    const waiting = contacts.create({ emails: [{ address: "ada@example.com" }] }, { signal: ending.signal });
    ending.abort();
    assert.equal((await failure(() => waiting)).name, "AbortError");
    let found = [];
    while (found.length === 0) {
        found = (await contacts.list({ email: "ada@example.com" })).items;
    }
    const reason = new Error("mine");
    assert.equal(await failure(() => contacts.get(found[0].id, { signal: AbortSignal.abort(reason) })), reason);
});

test("a thousand promises at once", async (t) => {
    const { contacts } = await session(t);
    const made = await Promise.all(Array.from({ length: 1000 }, (_, at) => contacts.create({ firstName: `N${at}` })));
    assert.equal(new Set(made.map((contact) => contact.id)).size, 1000);
});

test("tenants see nothing of each other", async (t) => {
    const crm = await opened(t);
    const [one, two] = [await member(crm), await member(crm)];
    const fill = async ({ session: { contacts } }, name) => {
        const made = await Promise.all(Array.from({ length: 100 }, () => contacts.create({ firstName: name })));
        return made.map((contact) => contact.id);
    };
    const [ids] = await Promise.all([fill(one, "One"), fill(two, "Two")]);
    for await (const contact of two.session.contacts.iterate()) {
        assert.equal(contact.firstName, "Two");
    }
    assert.equal((await failure(() => two.session.contacts.get(ids[0]))).code, "not_found");
    const nobody = await failure(() => crm.session(one.tenant.id, two.owner.id));
    assert.equal(nobody.code, "unauthenticated");
});

test("people come in by password and token", async (t) => {
    const crm = await opened(t, { registration: "open" });
    const signedUp = await crm.identity.register({
        companyName: "Acme", fullName: "Olga", email: "o@acme.example", password: "correct horse battery staple",
    });
    const mine = await crm.authenticate(signedUp.accessToken);
    assert.equal((await mine.account.me()).user.email, "o@acme.example");
    assert.equal((await failure(() => crm.authenticate("nonsense"))).code, "unauthenticated");
    const operator = await crm.operator(signedUp.tenant.id);
    assert.equal((await operator.tenant.get()).id, signedUp.tenant.id);
});

test("a closed CRM refuses", async () => {
    const crm = await Crm.open({ database: "sqlite::memory:" });
    const { session } = await member(crm);
    crm.startWorker();
    const follow = session.events.subscribe({ after: "start" });
    while ((await follow.next()).value.event.name !== "user.created.v1");
    // What is begun may be told of before the end.
    const ended = (async () => { while (!(await follow.next()).done); })();
    const begun = session.contacts.create({ firstName: "Ada" });
    await crm.close();
    await ended;
    assert.equal((await begun).firstName, "Ada");
    assert.equal((await failure(() => session.contacts.list())).code, "conflict");
    assert.throws(() => crm.startWorker(), { code: "conflict" });
    assert.equal((await failure(() => Crm.open({ database: "nonsense" }))).fields[0].field, "database");
    assert.equal((await failure(() => Crm.open({ data_base: 1 }))).fields[0].code, "unknown_field");
});

test("a panic is an error", async (t) => {
    const native = require("../crm-core.node");
    assert.ok(native.panics, "the library is built for debugging");
    const told = (error) => {
        const { code, cause } = JSON.parse(error.message);
        assert.deepEqual([code, cause], ["internal", "a panic: on demand"]);
        return true;
    };
    await assert.rejects(native.panics(), told);
    assert.throws(() => native.panicsBlocking(), told);
    await session(t);
});
