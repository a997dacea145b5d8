// Compiled, not run: what a host writes passes the strictest checks.

import { createServer } from "node:http";

import { Crm, CrmError, type Contact, type ErrorCode, type Handler, type Page, type SearchHit,
    type WebhookReply } from "crm-core";

export async function used(): Promise<readonly Contact[]> {
    const crm = await Crm.open({ database: "sqlite::memory:" });
    const session = await crm.session("", "");
    const made: Contact = await session.contacts.create({ firstName: "Ada", lastName: undefined, title: null });
    const at: Date = made.createdAt;
    // @ts-expect-error records cannot be changed
    made.firstName = "Grace";
    // @ts-expect-error there is no such field
    await session.contacts.create({ first_name: "Ada" });
    const one: Contact = session.blocking.contacts.get(made.id);
    const many: Contact[] = [...session.blocking.contacts.iterate({ createdAfter: at })];
    const hits: Page<SearchHit> = await session.contacts.search({ q: "ada" });
    const activity = await session.activities.get("");
    if (activity.kind === "meeting") {
        const ends: Date | null = activity.data.endsAt;
        console.log(ends, hits);
    }
    for await (const delivery of session.events.subscribe({ after: "now" })) {
        if (delivery.type === "event" && delivery.event.name === "contact.created.v1") break;
    }
    const handler: Handler = crm.handler({ prefix: "/crm", perCaller: null, corsOrigins: ["https://app.example"] });
    createServer(async (request, response) => {
        const { headers, url = "" } = request;
        const reply: WebhookReply = await crm.webhook("twilio", { url, headers, body: Buffer.concat(await request.toArray()) });
        await crm.webhook("twilio", { url, headers: new Headers(), body: "" });
        await crm.webhook("twilio", { url, headers: [["a", "b"]], body: "" });
        // @ts-expect-error these are no pairs
        await crm.webhook("twilio", { url, headers: request.rawHeaders, body: "" });
        response.end(reply.contentType ?? reply.body);
    });
    createServer(handler).on("upgrade", (request, socket, head) => handler.upgrade(request, socket, head));
    // @ts-expect-error there is no such option
    crm.handler({ per_caller: null });
    try {
        await crm[Symbol.asyncDispose]();
    } catch (error) {
        const code: ErrorCode = error instanceof CrmError ? error.code : "internal";
        console.log(code);
    }
    return [one, ...many];
}
