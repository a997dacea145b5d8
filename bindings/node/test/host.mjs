// Serves the CRM mounted at `/crm`, as crm-http/tests/http/host.rs asks a host to.

import { createServer } from "node:http";

import { Crm } from "crm-core";

const { http, ...options } = JSON.parse(process.argv[2]);
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const renamed = (options) => Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value]));

const crm = await Crm.open(renamed(options));
const handler = crm.handler({ prefix: "/crm", ...renamed(http) });
const server = createServer(handler);
server.on("upgrade", (...upgrade) => handler.upgrade(...upgrade) || upgrade[1].destroy());
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/crm`));
process.stdin.resume().on("end", async () => {
    server.close();
    server.closeAllConnections();
    await crm.close();
    process.exit(0);
});
