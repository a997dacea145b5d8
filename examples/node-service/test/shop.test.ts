import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { Crm, type Session } from "crm-core";

import { shop } from "../src/shop.js";

const order = { firstName: "Ada", lastName: "Lovelace", email: "ada@example.com", item: "lamp" };

async function opened(t: TestContext) {
    const crm = await Crm.open({ database: "sqlite::memory:", registration: "open" });
    const app = await shop(crm);
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    t.after(async () => {
        await app.close();
        await crm.close();
    });
    const post = (path: string, body: object) =>
        fetch(`${url}${path}`, {
            method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
        });
    const session = await crm.operator((await crm.tenants.get("shop")).id);
    return { url, post, session };
}

/** Follows events until so many notes have been logged. */
async function notes(session: Session, count: number): Promise<void> {
    let seen = 0;
    for await (const delivery of session.events.subscribe({ after: "start" })) {
        if (delivery.type === "event" && delivery.event.name === "activity.logged.v1") seen += 1;
        if (seen === count) return;
    }
}

test("an order is the shop's and its customer a contact", async (t) => {
    const { url, post, session } = await opened(t);
    const placed = await post("/orders", order);
    assert.equal(placed.status, 201);
    const { contactId } = (await placed.json()) as { contactId: string };
    assert.equal((await session.contacts.get(contactId)).displayName, "Ada Lovelace");
    await post("/orders", { ...order, item: "desk" });
    const orders = (await (await fetch(`${url}/orders`)).json()) as { contactId: string; item: string }[];
    assert.deepEqual(orders.map((one) => [one.contactId, one.item]), [[contactId, "lamp"], [contactId, "desk"]]);
});

test("what the CRM refuses is told", async (t) => {
    const { post } = await opened(t);
    const refused = await post("/orders", { ...order, email: "ada" });
    const { errors } = (await refused.json()) as { errors: { field: string }[] };
    assert.deepEqual([refused.status, errors.map((one) => one.field)], [422, ["emails[0].address"]]);
    assert.equal((await post("/orders", { ...order, item: "" })).status, 400);
});

test("a new contact is greeted once", async (t) => {
    const { post, session } = await opened(t);
    const { contactId } = (await (await post("/orders", order)).json()) as { contactId: string };
    await post("/orders", { ...order, item: "desk" });
    // Two orders and one greeting.
    await notes(session, 3);
    const { items } = await session.contacts.timeline(contactId);
    const subjects = items.map((one) => one.subject).filter((subject) => subject === "Welcome to the shop");
    assert.equal(subjects.length, 1);
});

test("the CRM has its routes below /crm, and the shop its own", async (t) => {
    const { url, post } = await opened(t);
    assert.equal((await fetch(`${url}/crm/contacts`)).status, 401);
    const registered = await post("/crm/auth/register", {
        company_name: "Acme", full_name: "Olive Owner", email: "olive@example.com",
        password: "nine herons over the weir", default_region: "DE",
    });
    assert.equal(registered.status, 201);
    const { access_token } = (await registered.json()) as { access_token: string };
    const mine = await fetch(`${url}/crm/contacts`, { headers: { authorization: `Bearer ${access_token}` } });
    assert.deepEqual(((await mine.json()) as { items: object[] }).items, []);
    assert.equal((await fetch(`${url}/contacts`)).status, 404);
});
