import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

import { session } from "./support.mjs";

const BEGIN = `
    import { Crm } from ${JSON.stringify(import.meta.resolve("crm-core"))};
    const crm = await Crm.open({ database: "sqlite::memory:" });
    const { tenant, owner } = await crm.tenants.create(
        { name: "Acme", slug: "acme", defaultRegion: "US", ownerEmail: "o@acme.example", ownerName: "Olga" });
    const session = await crm.session(tenant.id, owner.id);
    crm.startWorker();
    const busy = () => Array.from({ length: 200 }, () => session.contacts.create({ firstName: "Ada" }));
`;

const run = (program) => {
    const node = spawnSync(process.execPath, ["--input-type=module", "--eval", BEGIN + program],
        { encoding: "utf8", timeout: 60_000 });
    return [node.status, node.signal, node.stdout.trim()];
};

test("a process ends with a worker at work, and nobody closes anything", () => {
    assert.deepEqual(run(`await Promise.all(busy()); console.log("done");`), [0, null, "done"]);
});

test("a process exits in the middle of work", () => {
    for (let round = 0; round < 10; round += 1) {
        assert.deepEqual(run(`busy(); session.events.subscribe().next(); process.exit(7);`), [7, null, ""]);
    }
});

test("worker threads end in the middle of work", async () => {
    for (let round = 0; round < 20; round += 1) {
        const program = `import("node:worker_threads").then(async ({ parentPort }) => { ${BEGIN
            .replace(/import \{ Crm \} from (.*);/, "const { Crm } = await import($1);")}
            busy(); session.events.subscribe().next(); parentPort.postMessage("busy"); for (;;) await Promise.all(busy()); });`;
        const worker = new Worker(program, { eval: true });
        await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
        assert.equal(await worker.terminate(), 1);
    }
});

test("the event loop goes on under pages and imports", async (t) => {
    const { contacts } = await session(t);
    const rows = Array.from({ length: 5000 }, (_, at) => `N${at},n${at}@example.com\n`);
    const file = Buffer.from(`first_name,email\n${rows.join("")}`);
    await contacts.importFrom(file);
    await contacts.list({ limit: 200 });
    // What else the machine does only makes it slower: the best of some rounds is ours.
    let best = Infinity;
    for (let round = 0; round < 5 && best >= 5; round += 1) {
        const delay = monitorEventLoopDelay({ resolution: 1 });
        delay.enable();
        await contacts.importFrom(file, { onConflict: "update" });
        for (let page = 0; page < 100; page += 1) {
            await contacts.list({ limit: 200 });
        }
        delay.disable();
        best = Math.min(best, delay.percentile(99) / 1e6);
    }
    assert.ok(best < 5, `${best} ms`);
});

test("memory does not grow with calls", async (t) => {
    const { contacts, blocking } = await session(t);
    const { id } = await contacts.create({ firstName: "Ada", emails: [{ address: "ada@example.com" }] });
    const calls = Number(process.env.CRM_TEST_CALLS ?? 100_000);
    const some = async (count) => {
        for (let at = 0; at < count; at += 100) {
            await Promise.all(Array.from({ length: 20 }, () => contacts.get(id)));
            for (let call = 0; call < 79; call += 1) blocking.contacts.get(id);
            await contacts.get("none").catch(() => undefined);
        }
        return process.memoryUsage.rss();
    };
    const before = await some(calls / 2);
    const after = await some(calls / 2);
    assert.ok(after < before * 1.1, `${before} bytes, then ${after}`);
});
