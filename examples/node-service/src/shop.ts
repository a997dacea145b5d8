// The shop: its own orders, the CRM's contacts, and the routes of both.

import type { Crm, Session } from "crm-core";
import { CrmError } from "crm-core";
import fastify, { type FastifyInstance } from "fastify";

import { greet } from "./greetings.js";

/** An order as a customer places it. */
interface NewOrder {
    readonly firstName: string;
    readonly lastName: string;
    readonly email: string;
    readonly item: string;
}

interface Order {
    readonly id: number;
    readonly contactId: string;
    readonly item: string;
}

const newOrder = {
    type: "object",
    required: ["firstName", "lastName", "email", "item"],
    properties: {
        firstName: { type: "string" },
        lastName: { type: "string" },
        email: { type: "string" },
        item: { type: "string", minLength: 1 },
    },
};

/** The shop's tenant, made at the first start. */
async function sessionOf(crm: Crm): Promise<Session> {
    try {
        const { id } = await crm.tenants.get("shop");
        return await crm.operator(id);
    } catch (error) {
        if (!(error instanceof CrmError) || error.code !== "not_found") throw error;
    }
    const { tenant } = await crm.tenants.create({
        name: "Shop", slug: "shop", defaultRegion: "GB", ownerEmail: "owner@shop.example", ownerName: "Olga Owner",
    });
    return crm.operator(tenant.id);
}

/** The service over an open CRM, which it does not close. */
export async function shop(crm: Crm): Promise<FastifyInstance> {
    const session = await sessionOf(crm);
    const orders: Order[] = [];
    const app = fastify({ forceCloseConnections: true });

    const routes = crm.handler({ prefix: "/crm" });
    app.addHook("onRequest", (request, reply, done) => routes(request.raw, reply.raw, done));
    app.server.on("upgrade", (request, socket, head) => {
        if (!routes.upgrade(request, socket, head)) socket.destroy();
    });

    app.setErrorHandler((error, _, reply) => {
        if (!(error instanceof CrmError)) return reply.send(error);
        const status = error.code === "invalid" ? 422 : error.retryable ? 503 : 500;
        return reply.status(status).send({ code: error.code, detail: error.message, errors: error.fields });
    });
    app.get("/orders", () => orders);
    app.post<{ Body: NewOrder }>("/orders", { schema: { body: newOrder } }, async (request, reply) => {
        const { firstName, lastName, email, item } = request.body;
        const { contact } = await session.contacts.createOrUpdate({ firstName, lastName, emails: [{ address: email }] });
        await session.activities.create({ contactId: contact.id, kind: "note", subject: `Ordered: ${item}` });
        const order = { id: orders.length + 1, contactId: contact.id, item };
        orders.push(order);
        return reply.status(201).send(order);
    });

    const ending = new AbortController();
    const greeting = greet(session, ending.signal);
    app.addHook("preClose", async () => {
        routes.close();
        ending.abort();
        await greeting;
    });
    return app;
}
