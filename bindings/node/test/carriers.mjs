// A carrier of calls whose time passes when it is told to: with plain methods, and with promises.

import { createHmac, timingSafeEqual } from "node:crypto";

import { CrmError } from "crm-core";

/** How each call goes, and after how many seconds. */
const COURSE = [["initiated", 0], ["ringing", 2], ["in_progress", 5], ["completed", 15]];

export const signature = (token, url, body) => createHmac("sha256", token).update(`${url}\n`).update(body).digest("hex");

const later = (moment, seconds) => new Date(moment.getTime() + seconds * 1000);

/** Everything that a carrier can do. */
export class Plain {
    moment = new Date("2026-03-01T09:30:00Z");
    made = [];

    // Its time.

    now() {
        return this.moment;
    }

    passTime({ seconds }) {
        this.moment = later(this.moment, seconds);
    }

    // What is asked of it.

    check({ account }) {
        if (account.name.length > 32) {
            const message = "an account has a short name";
            throw new CrmError({ code: "invalid", message, fields: [{ field: "name", code: "too_long", message }] });
        }
    }

    start({ account, call }) {
        const line = {
            id: `C${this.made.length + 1}`, account, asked: call, at: this.now({}), hungUp: null, erased: false, told: 0,
        };
        this.made.push(line);
        return this._call(line);
    }

    find({ account, sought }) {
        return this._of(account)
            .filter((line) => sought.since <= line.at && line.at <= sought.until)
            .filter((line) => line.asked.from === sought.from && line.asked.to === sought.to)
            .map((line) => this._call(line));
    }

    fetch({ account, callId }) {
        return this._call(this._line(account, callId));
    }

    hangUp({ account, callId }) {
        const line = this._line(account, callId);
        if (!["completed", "canceled"].includes(this._events(line).at(-1).status)) {
            line.hungUp = this.now({});
        }
        return this._call(line);
    }

    recordings({ account, callId }) {
        const line = this._line(account, callId);
        const { durationSeconds } = this._call(line);
        if (durationSeconds === null || line.erased || !line.asked.record) {
            return [];
        }
        return [{ id: `R${callId}`, status: "completed", durationSeconds, channels: 1 }];
    }

    audio({ account, recordingId }) {
        if (this.recordings({ account, callId: recordingId.slice(1) }).length === 0) {
            throw new CrmError({ code: "not_found", message: "no such recording" });
        }
        const chunks = [Buffer.alloc(8000, 0xff), Buffer.alloc(10, 0xff)].values();
        return { contentType: "audio/basic", chunks, bytes: 8010 };
    }

    deleteRecording({ account, recordingId }) {
        for (const line of this._of(account)) {
            line.erased ||= recordingId === `R${line.id}`;
        }
    }

    // What it tells.

    accountOf({ request }) {
        return JSON.parse(request.body).account;
    }

    verify({ account, request }) {
        const given = Buffer.from(new Map(request.headers).get("x-signature") ?? "");
        return account.secrets.authTokens.some((token) => {
            const ours = Buffer.from(signature(token, request.url, request.body));
            return ours.length === given.length && timingSafeEqual(ours, given);
        });
    }

    parse({ request }) {
        let told;
        try {
            told = JSON.parse(request.body);
        } catch (cause) {
            throw new CrmError({ code: "malformed", message: "no news of a call", cause });
        }
        return { kind: "call", call: told.call, token: told.token };
    }

    writeScript({ script }) {
        return { contentType: "application/json", body: JSON.stringify(script) };
    }

    takeCallbacks() {
        return this.made.flatMap((line) => this._news(line));
    }

    _news(line) {
        const events = this._events(line);
        const url = line.asked.callback ?? "carrier:news";
        const news = events.slice(line.told).map(({ status, at }, place) => {
            const sequence = line.told + place;
            const told = {
                account: line.account.name, call: { id: line.id, status, sequence, at }, token: `${line.id}-${sequence}`,
            };
            const body = JSON.stringify(told);
            return { url, headers: [["X-Signature", signature(line.account.secrets.authTokens[0], url, body)]], body };
        });
        line.told = events.length;
        return news;
    }

    _of(account) {
        return this.made.filter((line) => line.account.name === account.name);
    }

    _line(account, id) {
        const line = this._of(account).find((line) => line.id === id);
        if (line === undefined) {
            throw new CrmError({ code: "not_found", message: "no such call" });
        }
        return line;
    }

    _events(line) {
        const over = line.hungUp ?? this.now({});
        const course = COURSE.map(([status, seconds]) => ({ status, at: later(line.at, seconds) }));
        const events = course.filter(({ at }) => at <= over);
        if (line.hungUp !== null) {
            const answered = events.some(({ status }) => status === "in_progress");
            events.push({ status: answered ? "completed" : "canceled", at: over });
        }
        return events;
    }

    _call(line) {
        const events = this._events(line);
        const since = Object.fromEntries(events.map(({ status, at }) => [status, at]));
        const [begun, ended] = [since.in_progress, since.completed];
        const { status, at } = events.at(-1);
        return {
            id: line.id, status, at, sequence: events.length - 1,
            steps: events.slice(0, -1).map((step, sequence) => ({ ...step, sequence, at: step.at.toISOString() })),
            durationSeconds: begun && ended ? Math.floor((ended - begun) / 1000) : null,
        };
    }
}

/** The same where each method that may be awaited is. */
export class Awaited {
    constructor(plain = new Plain()) {
        this.plain = plain;
    }

    async audio(given) {
        const { chunks, ...whole } = this.plain.audio(given);
        return { ...whole, chunks: awaited(chunks) };
    }
}

for (const name of Object.getOwnPropertyNames(Plain.prototype).filter((name) => !/^_|constructor|audio/.test(name))) {
    const later = ["start", "find", "fetch", "hangUp", "recordings", "deleteRecording", "passTime"].includes(name);
    Awaited.prototype[name] = later
        ? async function (given) {
              await null;
              return this.plain[name](given);
          }
        : function (given) {
              return this.plain[name](given);
          };
}

async function* awaited(chunks) {
    for (const chunk of chunks) {
        await null;
        yield chunk;
    }
}
