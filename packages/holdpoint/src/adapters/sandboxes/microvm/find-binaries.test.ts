/** What a checkout of this repository trusts of its own build. */
import { spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, expect, test } from "vitest";

const checkout = mkdtempSync(join(tmpdir(), "holdpoint-checkout-"));
const bin = join(checkout, "packages/microvm/bin");
const sources = "packages/holdpoint/src/adapters/sandboxes/microvm";
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

const files = { microvmd: "the process", "guest.elf": "the guest" };
const published = { microvmd: ["a".repeat(64)], "guest.elf": ["b".repeat(64), "c".repeat(64)] };
const own = Object.fromEntries(
	Object.entries(files).map(([name, text]) => [
		name,
		{ sha256: hash("sha256", text), insteadOf: published[name as keyof typeof published] },
	]),
);

/** Just so much of one that the code finds itself in it. */
beforeEach(() => {
	rmSync(join(checkout, "packages"), { recursive: true, force: true });
	mkdirSync(bin, { recursive: true });
	mkdirSync(join(checkout, sources), { recursive: true });
	for (const file of ["find-binaries.ts", "binary-digests.ts"]) {
		cpSync(fileURLToPath(new URL(file, import.meta.url)), join(checkout, sources, file));
	}
	writeFileSync(join(checkout, "packages/microvm/package.json"), '{"name":"@holdpoint/microvm"}');
	for (const [name, text] of Object.entries(files)) writeFileSync(join(bin, name), text);
	writeFileSync(join(bin, "own-digests.json"), JSON.stringify(own));
});

function found(environment: NodeJS.ProcessEnv = {}): string {
	const code = `
		import { findBinaries } from ${JSON.stringify(join(checkout, sources, "find-binaries.ts"))};
		try {
			const { microvmd, guest } = findBinaries(undefined, ${JSON.stringify(published)});
			console.log(microvmd + ", " + guest);
		} catch (error) {
			console.log(error.message + " " + error.hint);
		}
	`;
	const args = ["--input-type=module", "--eval", code];
	return spawnSync(process.execPath, args, { encoding: "utf8", env: environment }).stdout.trim();
}

test("one that other tools made is run", () => {
	expect(found()).toBe("the process, the guest");
});

test.each<[string, () => void]>([
	["of which nothing is said", () => rmSync(join(bin, "own-digests.json"))],
	["of which no sense is made", () => writeFileSync(join(bin, "own-digests.json"), "[null")],
	["of which nothing sensible is said", () => writeFileSync(join(bin, "own-digests.json"), "null")],
	[
		"of which something else is said",
		() => writeFileSync(join(bin, "own-digests.json"), '{"microvmd":{"insteadOf":7}}'),
	],
	["that is another one by now", () => writeFileSync(join(bin, "microvmd"), "another process")],
	[
		"that went with another record",
		() => {
			const older = { ...own, microvmd: { ...own["microvmd"], insteadOf: ["d".repeat(64)] } };
			writeFileSync(join(bin, "own-digests.json"), JSON.stringify(older));
		},
	],
	["outside of a checkout", () => writeFileSync(join(checkout, "packages/microvm/package.json"), "{}")],
])("one %s is not", (_, change) => {
	change();
	expect(found()).toMatch(/is not as published.*--record|not installed/);
});

test("one in a folder that is named must be as published", () => {
	expect(found({ HOLDPOINT_MICROVM_DIR: bin })).toContain("is not as published");
});

test("the build says what it made with which tools", () => {
	const module = fileURLToPath(new URL("../../../../../../scripts/digests-source.mjs", import.meta.url));
	const lock = { microvmd: [{ tools: "gcc 12", sha256: "a" }] };
	const own = (tools: string, sha256: string): string => {
		const code = `
			import { ownDigests } from ${JSON.stringify(module)};
			const built = { microvmd: ${JSON.stringify({ tools, sha256 })} };
			try {
				console.log(JSON.stringify(ownDigests(${JSON.stringify(lock)}, built) ?? null));
			} catch (error) {
				console.log(error.message);
			}
		`;
		return spawnSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" }).stdout.trim();
	};
	expect(own("gcc 12", "a")).toBe("null");
	expect(own("gcc 12", "b")).toContain("--record");
	expect(own("gcc 13", "b")).toBe('{"microvmd":{"sha256":"b","insteadOf":["a"]}}');
});
