import type { Crm } from "crm-core";

const ENDS = ["completed", "failed", "canceled", "no_answer", "busy"];

/** Calls a new contact of a new tenant, and says how the call goes on, and what the timeline tells in the end. */
export async function callAda(crm: Crm, say: (what: string) => void): Promise<void> {
    const { tenant, owner } = await crm.tenants.create({
        name: "Acme", defaultRegion: "US", ownerEmail: "olive@acme.example",
    });
    const session = await crm.session(tenant.id, owner.id);
    await session.telephony.createAccount({
        provider: "switchboard", name: "acme", secrets: { authTokens: ["password"] }, numbers: ["+14255550199"],
    });
    const ada = await session.contacts.create({
        firstName: "Ada", lastName: "Lovelace", phones: [{ number: "+14255550150" }],
    });
    await using _worker = crm.startWorker();
    const call = await session.calls.start({ contactId: ada.id });
    let status: string | undefined;
    for await (const delivery of session.events.subscribe({ after: "start" })) {
        if (delivery.type === "event" && delivery.event.subject?.id === call.id) {
            const known = (await session.calls.get(call.id)).status;
            if (known !== status) {
                status = known;
                say(status);
            }
            if (ENDS.includes(status)) break;
        }
    }
    for (const { kind, data } of (await session.contacts.timeline(ada.id)).items) {
        say(`on the timeline: ${kind} ${"status" in data ? data.status : ""}`.trimEnd());
    }
}
