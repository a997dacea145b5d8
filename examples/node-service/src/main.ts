import { Crm } from "crm-core";

import { shop } from "./shop.js";

const crm = await Crm.open({ database: process.env["CRM_DATABASE"] ?? "sqlite://shop.db", registration: "open" });
crm.startWorker();
const app = await shop(crm);
console.log(await app.listen({ port: Number(process.env["PORT"] ?? 8000) }));
for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void app.close().then(() => crm.close()));
}
