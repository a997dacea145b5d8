// The scenarios of `parity/`, taken by promises and by calls that wait.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { Crm } from "crm-core";

const root = new URL("../../../", import.meta.url);
const json = (path) => JSON.parse(readFileSync(new URL(path, root), "utf8"));
const files = readdirSync(new URL("parity", root)).filter((name) => name.endsWith(".json")).sort();
const scenarios = files.flatMap((name) => json(`parity/${name}`));
const operations = new Map(json("bindings/surface.json").operations.map((one) => [one.name, one]));

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;
const STEP = new Set(["call", "with", "as", "gives", "fails", "keep", "events"]);

const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
/** Names below these are the host's own. */
const own = (name) => name === "custom";

/** The same with its names written otherwise, and times as text. */
function renamed(value, rename) {
    if (value instanceof Date) return value.toISOString();
    if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
    if (value === null || typeof value !== "object") return value;
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return Object.fromEntries(
        fields.map(([name, field]) => [rename(name), renamed(field, own(name) ? (same) => same : rename)]),
    );
}

/** The operation as its method takes it: the arguments that it needs, the fields, and what may be left out. */
function method(on, operation, given) {
    const [namespace, name] = operation.name.split(".").map(camel);
    const fields = renamed(given, camel);
    const args = [];
    const options = {};
    for (const argument of operation.arguments) {
        const key = camel(argument.name);
        if (argument.required) args.push(fields[key]);
        else options[key] = fields[key];
        delete fields[key];
    }
    if (operation.fields !== null) args.push(fields);
    else assert.deepEqual(fields, {}, `${operation.name} takes no fields`);
    return on[namespace][name](...args, options);
}

const told = (error) => ({
    code: error.code,
    fields: error.fields.map((one) => ({ ...one, field: snake(one.field) })),
    existing_id: error.existingId,
});

class Front {
    #crm;
    #blocking;

    constructor(crm, blocking) {
        this.#crm = crm;
        this.#blocking = blocking;
    }

    async call(name, given, by) {
        const operation = operations.get(name);
        assert.ok(operation, `there is no ${name}`);
        try {
            const of = operation.in_session ? await this.#crm.authenticate(by) : this.#crm;
            const on = this.#blocking ? of.blocking : of;
            const reply = method(on, operation, given);
            assert.equal(reply instanceof Promise, !this.#blocking);
            return { reply: renamed(await reply, snake) ?? null };
        } catch (error) {
            if (error.name !== "CrmError") throw error;
            return { error: told(error) };
        }
    }

    async events(by, count) {
        const session = await this.#crm.authenticate(by);
        const names = [];
        for await (const delivery of session.events.subscribe({ after: "start" })) {
            if (delivery.type === "event") names.push(delivery.event.name);
            if (names.length === count) return names;
        }
    }
}

/** The same with what was kept in place of `$name`. */
function filled(value, kept) {
    if (typeof value === "string" && value.startsWith("$") && value !== "$any") {
        assert.ok(kept.has(value.slice(1)), `nothing was kept as ${value}`);
        return kept.get(value.slice(1));
    }
    if (Array.isArray(value)) return value.map((item) => filled(item, kept));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, filled(field, kept)]));
}

/** Whether a value holds all that is expected of it; a Date has no more than milliseconds. */
function holds(value, expected, path) {
    if (expected === "$any" && value !== null && value !== undefined) return;
    if (Array.isArray(expected)) {
        assert.ok(Array.isArray(value) && value.length === expected.length,
            `at ${path}: ${JSON.stringify(value)}, not ${JSON.stringify(expected)}`);
        expected.forEach((wanted, at) => holds(value[at], wanted, `${path}[${at}]`));
    } else if (expected !== null && typeof expected === "object") {
        for (const [name, wanted] of Object.entries(expected)) {
            holds(value?.[name] ?? null, wanted, `${path}.${name}`);
        }
    } else if (typeof value === "string" && TIME.test(value) && TIME.test(expected)) {
        assert.equal(Date.parse(value), Date.parse(expected), `at ${path}: ${value}, not ${expected}`);
    } else {
        assert.ok(value === expected, `at ${path}: ${JSON.stringify(value)}, not ${JSON.stringify(expected)}`);
    }
}

async function takeStep(front, step, kept) {
    const unknown = Object.keys(step).filter((key) => !STEP.has(key));
    assert.deepEqual(unknown, [], "no part of a step");
    const by = filled(step.as ?? "$owner", kept);
    if (step.events) {
        assert.deepEqual(await front.events(by, step.events.length), step.events);
        return;
    }
    const { reply, error } = await front.call(step.call, filled(step.with ?? {}, kept), by);
    if (step.fails) {
        assert.ok(error, `${JSON.stringify(reply)}, not ${JSON.stringify(step.fails)}`);
        holds(error, filled(step.fails, kept), "");
        return;
    }
    assert.equal(error, undefined, JSON.stringify(error));
    if (step.gives) holds(reply, filled(step.gives, kept), "");
    for (const [name, path] of Object.entries(step.keep ?? {})) {
        const value = path.split(".").reduce((value, part) => value?.[part], reply) ?? null;
        assert.notEqual(value, null, `there is no ${path} to keep`);
        kept.set(name, value);
    }
}

async function take(front, scenario) {
    const { reply } = await front.call("identity.register", {
        company_name: "Acme", full_name: "Olive Owner", email: "olive@example.com",
        password: "nine herons over the weir", default_region: "DE",
    });
    const kept = new Map(Object.entries({
        owner: reply.access_token, owner_id: reply.user.id, tenant_id: reply.tenant.id,
    }));
    for (const [at, step] of scenario.steps.entries()) {
        try {
            await takeStep(front, step, kept);
        } catch (error) {
            error.message = `step ${at + 1}, ${step.call ?? "events"}: ${error.message}`;
            throw error;
        }
    }
}

async function opened(t, blocking) {
    const crm = await Crm.open({ database: "sqlite::memory:", registration: "open" });
    t.after(() => crm.close());
    return new Front(crm, blocking);
}

test("all scenarios are there", () => assert.ok(scenarios.length >= 14, `only ${scenarios.length}`));

for (const [how, blocking] of [["by promises", false], ["by calls that wait", true]]) {
    for (const scenario of scenarios) {
        test(`${scenario.name}, ${how}`, async (t) => take(await opened(t, blocking), scenario));
    }
}

test("a step that comes out otherwise is told", async (t) => {
    const steps = [{ call: "contacts.create", with: { first_name: "Ada" }, gives: { version: 2 } }];
    const message = "step 1, contacts.create: at .version: 1, not 2";
    await assert.rejects(take(await opened(t, false), { name: "wrong", steps }), { message });
});
