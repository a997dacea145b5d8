// Ports as a host writes them; compiled, not run.

import {
    Crm, CrmError,
    type Blobs, type CallbackRequest, type CarrierAccount, type CarrierAudio, type CarrierCall, type CarrierNews,
    type CarrierRecording, type CarrierReply, type CarrierRequest, type Channel, type Clock, type EventBus,
    type Notification, type OutgoingCall, type ScriptStep, type SoughtCall, type Telephony, type TelephonyCallbacks,
    type User,
} from "crm-core";

class Plain implements Telephony, TelephonyCallbacks {
    check({ account }: { account: CarrierAccount }): void {
        if (account.secrets.authTokens[0] === account.options["edge"]) {
            throw new CrmError({ code: "invalid", message: "no", fields: [{ field: "name", code: "odd", message: "no" }] });
        }
    }

    start({ call }: { account: CarrierAccount; call: OutgoingCall }): CarrierCall {
        return { id: `${call.to}${call.callback ?? ""}`, status: "queued", at: new Date() };
    }

    find({ sought }: { account: CarrierAccount; sought: SoughtCall }): CarrierCall[] {
        return sought.since <= sought.until ? [] : [];
    }

    fetch({ callId }: { account: CarrierAccount; callId: string }): CarrierCall {
        return { id: callId, status: "ringing", steps: [{ status: "queued" }] };
    }

    async hangUp({ callId }: { account: CarrierAccount; callId: string }): Promise<CarrierCall> {
        return { id: callId, status: "completed", price: { amount: "0.1", currency: "USD" } };
    }

    recordings(): CarrierRecording[] {
        return [{ id: "R1", status: "completed" }];
    }

    async audio(): Promise<CarrierAudio> {
        return { contentType: "audio/basic", chunks: pieces(), bytes: 0 };
    }

    async deleteRecording(): Promise<void> {}

    accountOf({ request }: { request: CallbackRequest }): string | null {
        return request.url;
    }

    verify({ request }: { account: CarrierAccount; request: CallbackRequest }): boolean {
        return new Map(request.headers).get("x-signature") === "1";
    }

    parse(): CarrierNews {
        return { kind: "call", call: { id: "C1", status: "busy" } };
    }

    writeScript({ script }: { script: readonly ScriptStep[] }): CarrierReply {
        return { contentType: "text/plain", body: script.map((step) => (step.kind === "say" ? step.text : "")).join() };
    }

    takeCallbacks({ now }: { now: Date }): CarrierRequest[] {
        return [{ url: now.toISOString(), headers: [["x-signature", "1"]], body: new Uint8Array() }];
    }
}

async function* pieces(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1);
}

const bus: EventBus = {
    async publish({ message }) {
        console.log(message.length);
    },
    async *subscribe() {
        yield null;
        yield "message";
    },
};

const blobs: Blobs = {
    async put({ key, chunks }) {
        for await (const chunk of chunks) console.log(key, chunk.length);
    },
    get: ({ start, end }) => new Uint8Array((end ?? start) - start),
    delete: () => {},
};

const clock: Clock = { now: () => new Date() };
const letters: Channel = {
    send({ notification, user }: { notification: Notification; user: User }) {
        console.log(notification.title, user.email);
    },
};

export async function used(): Promise<void> {
    await using crm = await Crm.open({
        database: "sqlite::memory:", telephony: { theirs: new Plain() }, eventBus: bus, blobs, clock,
        channels: { letters }, portTimeout: 10,
    });
    // @ts-expect-error the clock is asked at once
    await Crm.open({ database: "sqlite::memory:", clock: { now: async () => new Date() } });
    const { fetch, find, hangUp, start, verify } = new Plain();
    // @ts-expect-error what reads requests is there together or not at all
    await Crm.open({ database: "sqlite::memory:", telephony: { half: { fetch, find, hangUp, start, verify } } });
    // @ts-expect-error it is a `Date`, or text
    await Crm.open({ database: "sqlite::memory:", clock: { now: () => 3 } });
    await crm.check();
}
