// The carrier proven, and a call over it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { Crm } from "crm-core";

import { Carrier } from "../src/carrier.js";
import { callAda } from "../src/office.js";
import { Switchboard } from "../src/switchboard.js";

const START = Date.parse("2026-03-01T09:30:00Z");

/** A carrier whose time passes when it is told to, as the suite asks for. */
class Proven extends Carrier {
    readonly now: () => Date;
    readonly passTime: (given: { seconds: number }) => void;

    constructor() {
        let moment = START;
        super(new Switchboard(() => new Date(moment)));
        this.now = () => new Date(moment);
        this.passTime = ({ seconds }) => {
            moment += seconds * 1000;
        };
    }
}

const require = createRequire(import.meta.url);
const within = (name: string) => require(join(dirname(require.resolve("crm-core")), name));
const isForTests = "proveTelephony" in within("native.js").native;

test("it does what every carrier must", { skip: !isForTests && "the package is not built for tests" }, async () => {
    const proofs: [name: string, wrong: string | null][] = await within("ports.js").proveTelephony(() => new Proven());
    assert.ok(proofs.length >= 10);
    assert.deepEqual(proofs.filter(([, wrong]) => wrong !== null), []);
});

test("a call is followed to its end", async () => {
    const said: string[] = [];
    const begun = performance.now();
    // Four seconds are one of the machine's.
    const now = () => new Date(START + 4 * (performance.now() - begun));
    const telephony = { switchboard: new Carrier(new Switchboard(now)) };
    await using crm = await Crm.open({ database: "sqlite::memory:", telephony, clock: { now } });
    await callAda(crm, (what) => said.push(what));
    assert.deepEqual(said.slice(-3), ["completed", "on the timeline: call completed", "on the timeline: contact_created"]);
    const course = ["queued", "initiated", "ringing", "in_progress", "completed"];
    assert.deepEqual(said.slice(0, -2), course.filter((status) => said.includes(status)));
});
