// Writes the package.json of what is published, from the one that stands here:
//
//   node package.mjs common            of `crm-core`, with one optional dependency for each kind of machine
//   node package.mjs native linux-x64  of the native part for one kind of machine

import { readFileSync } from "node:fs";
import { join } from "node:path";

const machines = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64"];

const { name, version, description, license, engines, main, types, exports } = JSON.parse(
    readFileSync(join(import.meta.dirname, "package.json"), "utf8"),
);
const native = (machine) => `${name}-${machine}`;
const [what, machine] = process.argv.slice(2);
const written = {
    common: () => ({
        name, version, description, license, engines, main, types, exports,
        optionalDependencies: Object.fromEntries(machines.map((each) => [native(each), version])),
    }),
    native: () => {
        if (!machines.includes(machine)) {
            throw new Error(`there is no package for ${machine}: it is one of ${machines.join(", ")}`);
        }
        const [os, cpu] = machine.split("-");
        return {
            name: native(machine), version, description: `${description}: the native part for ${machine}`,
            license, engines, main: "crm-core.node", files: ["crm-core.node"],
            os: [os], cpu: [cpu], ...(os === "linux" && { libc: ["glibc"] }),
        };
    },
}[what];
if (!written) {
    throw new Error("usage: node package.mjs common | native MACHINE");
}
console.log(JSON.stringify(written(), null, 2));
