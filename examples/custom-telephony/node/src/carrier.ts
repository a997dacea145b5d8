// The switchboard as a carrier of the CRM's calls: its words become the CRM's.

import { createHmac, timingSafeEqual } from "node:crypto";

import {
    CrmError,
    type CallbackRequest, type CarrierAccount, type CarrierAudio, type CarrierCall, type CarrierNews,
    type CarrierRecording, type CarrierReply, type CarrierRequest, type CarrierStatus, type OutgoingCall,
    type SoughtCall, type Telephony, type TelephonyCallbacks,
} from "crm-core";

import { NoSuchLine, type Happening, type Line, type Switchboard } from "./switchboard.js";

const SIGNATURE = "x-switchboard-signature";
/** Where a line is reported that nobody wants to be told of. */
const NOWHERE = "switchboard:report";

const STATUS: { readonly [H in Happening]: CarrierStatus } = {
    dialled: "initiated", ringing: "ringing", answered: "in_progress", ended: "completed", "given up": "canceled",
};

/** What the switchboard tells of a line. */
interface Report {
    readonly owner: string;
    readonly line: string;
    readonly place: number;
    readonly happening: Happening;
    readonly at: string;
    readonly talked: number | null;
}

interface Account {
    readonly account: CarrierAccount;
}

/**
 * Calls over a switchboard. What is asked of it over the network is awaited; what is marked *at once* in the CRM's
 * `docs/ports.md` is plain.
 */
export class Carrier implements Telephony, TelephonyCallbacks {
    readonly #switchboard: Switchboard;

    constructor(switchboard: Switchboard) {
        this.#switchboard = switchboard;
    }

    /** Accounts are named as their owners are. */
    check({ account }: Account): void {
        if (!/^[a-z]+$/i.test(account.name)) {
            const message = "an owner's name has letters alone";
            throw new CrmError({ code: "invalid", message, fields: [{ field: "name", code: "invalid_account", message }] });
        }
    }

    /**
     * Dials. What the switchboard throws is let pass: the CRM then looks for the call with `find`, and nobody is called
     * twice.
     */
    async start({ account, call }: Account & { call: OutgoingCall }): Promise<CarrierCall> {
        const line = await this.#switchboard.dial({
            owner: account.name, password: account.secrets.authTokens[0] ?? "", caller: call.from, called: call.to,
            taped: call.record, reportTo: call.callback ?? NOWHERE,
        });
        return this.#call(line);
    }

    /** The calls that may be the one that is looked for. */
    async find({ account, sought }: Account & { sought: SoughtCall }): Promise<CarrierCall[]> {
        const lines = await this.#switchboard.lines(account.name);
        const wanted = lines.filter(({ dialled, dialledAt }) =>
            dialled.caller === sought.from && dialled.called === sought.to
            && sought.since <= dialledAt && dialledAt <= sought.until);
        return wanted.map((line) => this.#call(line));
    }

    /** The call as it is now. */
    async fetch({ account, callId }: Account & { callId: string }): Promise<CarrierCall> {
        return this.#call(await this.#line(account, callId));
    }

    /** Ends the call. */
    async hangUp({ account, callId }: Account & { callId: string }): Promise<CarrierCall> {
        const line = await this.#line(account, callId);
        await this.#switchboard.hangUp(line);
        return this.#call(line);
    }

    /** The tape of the call, which has the number of its line. */
    async recordings({ account, callId }: Account & { callId: string }): Promise<CarrierRecording[]> {
        const line = await this.#line(account, callId);
        const durationSeconds = line.talked(this.#switchboard.now());
        return durationSeconds === null || !line.taped
            ? []
            : [{ id: callId, status: "completed", durationSeconds, channels: 1 }];
    }

    /** What is on the tape, second by second. */
    async audio({ account, recordingId }: Account & { recordingId: string }): Promise<CarrierAudio> {
        if ((await this.recordings({ account, callId: recordingId })).length === 0) {
            throw new CrmError({ code: "not_found", message: "there is no such tape" });
        }
        const tape = await this.#switchboard.tape(await this.#line(account, recordingId));
        return { contentType: "audio/basic", chunks: seconds(tape), bytes: tape.length };
    }

    /** Erases the tape. Where there is none, nothing is left to do. */
    async deleteRecording({ account, recordingId }: Account & { recordingId: string }): Promise<void> {
        const lines = await this.#switchboard.lines(account.name);
        const line = lines.find(({ number }) => String(number) === recordingId);
        if (line !== undefined) {
            await this.#switchboard.eraseTape(line);
        }
    }

    /** Whose the reported line is. */
    accountOf({ request }: { request: CallbackRequest }): string {
        return read(request.body).owner;
    }

    /** Whether one of the owner's passwords has signed the report. */
    verify({ account, request }: Account & { request: CallbackRequest }): boolean {
        const given = Buffer.from(new Map(request.headers).get(SIGNATURE) ?? "");
        return account.secrets.authTokens.some((password) => {
            const ours = Buffer.from(signature(password, request.url, request.body));
            return ours.length === given.length && timingSafeEqual(ours, given);
        });
    }

    /** What is reported of the line. */
    parse({ request }: { request: CallbackRequest }): CarrierNews {
        const { line, place, happening, at, talked } = read(request.body);
        const call = { id: line, status: STATUS[happening], sequence: place, at, durationSeconds: talked };
        return { kind: "call", call, token: `${line}-${place}` };
    }

    /** The switchboard takes no calls from outside. */
    writeScript(): CarrierReply {
        return {};
    }

    /** The reports, as the switchboard would send them if it could reach us. */
    takeCallbacks({ now }: { now: Date }): CarrierRequest[] {
        return [...this.#switchboard.reports(now)].map(({ line, place, step: { happening, at } }) => {
            const { owner, password, reportTo: url } = line.dialled;
            const report: Report = {
                owner, line: String(line.number), place, happening, at: at.toISOString(), talked: line.talked(at),
            };
            const body = JSON.stringify(report);
            return { url, headers: [[SIGNATURE, signature(password, url, body)] as const], body };
        });
    }

    async #line(account: CarrierAccount, callId: string): Promise<Line> {
        try {
            return await this.#switchboard.line(account.name, Number(callId));
        } catch (cause) {
            if (cause instanceof NoSuchLine) {
                throw new CrmError({ code: "not_found", message: "there is no such line", cause });
            }
            throw cause;
        }
    }

    #call(line: Line): CarrierCall {
        const now = this.#switchboard.now();
        const all = line.steps(now).map(({ happening, at }, sequence) => ({ status: STATUS[happening], sequence, at }));
        const last = all.pop() ?? { status: "queued" as const, sequence: 0, at: line.dialledAt };
        return { id: String(line.number), ...last, steps: all, durationSeconds: line.talked(now) };
    }
}

function* seconds(tape: Buffer): Generator<Buffer> {
    for (let at = 0; at < tape.length; at += 8000) {
        yield tape.subarray(at, at + 8000);
    }
}

function read(body: Buffer): Report {
    try {
        return JSON.parse(body.toString());
    } catch (cause) {
        throw new CrmError({ code: "malformed", message: "this is no report of the switchboard's", cause });
    }
}

/** Of the address and the body: neither can be altered. */
function signature(password: string, url: string, body: Uint8Array | string): string {
    return createHmac("sha256", password).update(`${url}\n`).update(body).digest("hex");
}
