/**
 * Every example runs as it stands: numbered, at most 80 lines, it ends well and by itself, and its last line
 * says what it proves: `proves: …`.
 * `holdpoint` is the built package, as for a user.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { forEachAtOnce, runScript } from "./run-all.mjs";

const folder = fileURLToPath(new URL("../examples", import.meta.url));
const linesMax = 80;
const limitMs = 60_000;

const names = readdirSync(folder)
	.filter((name) => name.endsWith(".ts"))
	.sort();
const faults = [];

names.forEach((name, at) => {
	const expected = String(at + 1).padStart(2, "0");
	if (!/^\d\d-[a-z0-9-]+\.ts$/.test(name)) faults.push(`${name}: an example is named NN-what-it-shows.ts`);
	else if (!name.startsWith(`${expected}-`)) faults.push(`${name}: number ${expected} is next`);
	const lines = readFileSync(join(folder, name), "utf8").trimEnd().split("\n").length;
	if (lines > linesMax) faults.push(`${name}: ${lines} lines; at most ${linesMax}`);
});

await forEachAtOnce(names, 2, async (name) => {
	const { fault, stdout, output } = await runScript(join(folder, name), limitMs);
	if (fault !== undefined) faults.push(`${name} ${fault}\n${output.trimEnd()}`);
	else if (!/^proves: \S/.test(stdout.trimEnd().split("\n").at(-1))) {
		faults.push(`${name} ends without a line "proves: …"\n${stdout}`);
	}
});

for (const fault of faults) console.error(fault);
if (names.length === 0) console.error("examples/ has no example");
console.log(`${names.length} examples, ${faults.length} faults`);
if (faults.length > 0 || names.length === 0) process.exitCode = 1;
