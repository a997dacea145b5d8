// Builds the package where it stands: the Rust with cargo, the TypeScript with tsc. `--debug` is for tests.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, renameSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const root = join(here, "..", "..");
const debug = process.argv.includes("--debug");
const run = (program, args, cwd) =>
    execFileSync(program, args, { cwd, stdio: "inherit", shell: process.platform === "win32" });

const library = join(here, "crm-core.node");
if (existsSync(join(here, "Cargo.toml"))) {
    const profile = debug ? ["--features", "conformance"] : ["--release"];
    run("cargo", ["build", "--locked", "-p", "crm-node", ...profile], root);
    const name = { darwin: "libcrm_node.dylib", win32: "crm_node.dll" }[process.platform] ?? "libcrm_node.so";
    const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
    // Renamed, since a library that is written over brings down the processes that have it loaded.
    copyFileSync(join(target, debug ? "debug" : "release", name), `${library}.new`);
    renameSync(`${library}.new`, library);
} else if (!existsSync(library)) {
    throw new Error("there is no crm-core.node for this machine, and no source to build it from");
}
if (existsSync(join(here, "src-ts"))) {
    const tsc = join(here, "node_modules", "typescript", "bin", "tsc");
    if (!existsSync(tsc)) {
        run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], here);
    }
    run(process.execPath, [tsc], here);
}
