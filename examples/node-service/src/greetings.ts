// Each new contact is greeted once: by a note on its timeline, as the event log tells of it.

import type { Session } from "crm-core";

/** Greets who is new, from where the group of readers stopped the last time, until the signal. */
export async function greet(session: Session, signal: AbortSignal): Promise<void> {
    try {
        for await (const batch of session.events.group("shop.greetings", { otherwise: "start", signal })) {
            const created = batch.events.filter((event) => event.name === "contact.created.v1");
            if (created.length === 0) {
                await batch.done();
                continue;
            }
            // The notes and the group's step are one commit: an event that comes twice greets once.
            await batch.session.activities.createAll(
                created.map(({ subject }) => ({ contactId: subject.id, kind: "note", subject: "Welcome to the shop" })),
            );
        }
    } catch (error) {
        if (error !== signal.reason) throw error;
    }
}
