import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const folder = fileURLToPath(new URL("..", import.meta.url));
const printed = [...readFileSync(new URL("../README.md", import.meta.url), "utf8").matchAll(/```js\n(.*?)```/gs)];

test("the lines of the README run as printed", () => {
    const expected = [["module", "Ada Lovelace"], ["commonjs", "true invalid"]];
    assert.equal(printed.length, expected.length);
    printed.forEach(([, lines], at) => {
        const [kind, says] = expected[at];
        const node = spawnSync(process.execPath, [`--input-type=${kind}`, "--eval", lines],
            { cwd: folder, encoding: "utf8", timeout: 60_000 });
        assert.equal(node.status, 0, node.stderr);
        assert.ok(node.stdout.startsWith(says), node.stdout);
    });
});
