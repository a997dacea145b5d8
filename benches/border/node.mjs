// What calls cost through the Node package, on the file that the Rust bench has filled. The package's entry, and the
// file. Prints one line of JSON: nanoseconds a call, the median of five rounds.

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [entry, file] = process.argv.slice(2);
const { Crm } = await import(pathToFileURL(resolve(entry)));
const native = createRequire(import.meta.url)(resolve(dirname(entry), "crm-core.node"));
const ROUNDS = 5;

const median = (rounds) => Math.round(rounds.sort((one, other) => one - other)[Math.floor(ROUNDS / 2)]);

function timed(calls, work) {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
        const began = process.hrtime.bigint();
        for (let call = 0; call < calls; call++) work(call);
        rounds.push(Number(process.hrtime.bigint() - began) / calls);
    }
    return median(rounds);
}

async function awaited(calls, work) {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
        const began = process.hrtime.bigint();
        for (let call = 0; call < calls; call++) await work(call);
        rounds.push(Number(process.hrtime.bigint() - began) / calls);
    }
    return median(rounds);
}

const crm = await Crm.open({ database: `sqlite://${file}` });
const session = await crm.operator((await crm.tenants.get("bench")).id);
const { items } = await session.contacts.list({ limit: 200 });
const ids = items.map((contact) => contact.id);
const names = items.map((contact) => contact.displayName);
const { contacts } = session;
const blocking = session.blocking.contacts;
const figures = {
    "blocking get": timed(20_000, (call) => blocking.get(ids[call % 200])),
    "blocking search": timed(500, (call) => blocking.search({ q: names[call % 200], limit: 10 })),
    "page of 50": timed(200, () => blocking.list({ limit: 50 })),
    create: timed(200, () => blocking.create({ firstName: "Grace", lastName: "Hopper" })),
    "awaited no-op": await awaited(5_000, () => native.nothing()),
    "awaited get": await awaited(5_000, (call) => contacts.get(ids[call % 200])),
    "awaited search": await awaited(300, (call) => contacts.search({ q: names[call % 200], limit: 10 })),
    "awaited page of 50": await awaited(200, () => contacts.list({ limit: 50 })),
};
const data = process.env.CRM_TEST_DATA;
if (data) {
    figures.import = await awaited(1, async () => {
        const folder = mkdtempSync(join(tmpdir(), "crm-bench-"));
        const own = await Crm.open({ database: `sqlite://${join(folder, "crm.db")}` });
        const made = await own.tenants.create({ name: "Import", defaultRegion: "US", ownerEmail: "bench@bench.example" });
        const importing = await own.operator(made.tenant.id);
        await importing.contacts.importFrom(join(data, "contacts", "adventureworks_people.csv"));
        await own.close();
        rmSync(folder, { recursive: true });
    });
}
console.log(JSON.stringify(figures));
await crm.close();
