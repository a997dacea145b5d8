// Calls Ada at the speed of life, over a database that is gone afterwards.

import { Crm } from "crm-core";

import { Carrier } from "./carrier.js";
import { callAda } from "./office.js";
import { Switchboard } from "./switchboard.js";

await using crm = await Crm.open({
    database: "sqlite::memory:", telephony: { switchboard: new Carrier(new Switchboard()) },
});
await callAda(crm, console.log);
