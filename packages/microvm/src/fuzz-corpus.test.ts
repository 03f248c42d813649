/** What the fuzzer found once, run again: each input that reached new code, with the checks of sanitizers. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { frame } from "./machine-for-tests.ts";

const script = fileURLToPath(new URL("../fuzz.mjs", import.meta.url));
const corpus = fileURLToPath(new URL("../native/fuzz/corpus", import.meta.url));

function findReason(): string | undefined {
	const input = "int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }";
	const args = ["-fsanitize=fuzzer,address,undefined", "-x", "c", "-", "-o", "/dev/null"];
	return spawnSync("clang", args, { input }).status === 0 ? undefined : "this machine has no clang with libFuzzer";
}

const whyNot = findReason();
if (whyNot) console.log(`skipped: ${whyNot}`);

const folder = mkdtempSync(join(tmpdir(), "holdpoint-seeds-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of native/fuzz/frames.c: a guest that reports this (stop, unknown call, bytes of text, pages), and these requests. */
function input(report: readonly number[], ...requests: readonly Buffer[]): Buffer {
	const fields = Uint32Array.from([...report, 0, 0, 0, 0, 0, 0]);
	// One act, which writes a report; sixteen bytes for the memory.
	const guest = Buffer.concat([Buffer.from([1]), Buffer.alloc(16), Buffer.from(fields.buffer)]);
	const length = Buffer.alloc(2);
	length.writeUInt16LE(guest.length, 0);
	return Buffer.concat([length, guest, ...requests]);
}

const slice = Buffer.from(BigUint64Array.from([0n, 1_000_000n, 1_000_000n, 0n]).buffer);
const [begin, goOn, snapshot] = [frame(1, slice), frame(2, slice), frame(3)];
const words = (...numbers: readonly number[]) => Buffer.from(Uint32Array.from(numbers).buffer);
/** Of an image: size of its memory, number of its pages, which. Its length is that of all of it, the pages do not come. */
const restore = (bytes: number, pages: number, ...which: readonly number[]) =>
	frame(4, words(bytes, pages, ...which), 8 + pages * (4 + 4_096));

/** What no edge of the code tells apart, and so no fuzzer keeps: one input beyond each bound. */
const beyond: Readonly<Record<string, Buffer>> = {
	"a text without an end": input([0, 0, 0xffff_ffff, 4], begin),
	"more memory than there is": input([0, 0, 1, 0xffff], begin, snapshot),
	"less memory than at first": input([0, 0, 1, 1], begin, goOn),
	"a page beyond the memory": input([0, 0, 1, 4], restore(4 * 65_536, 1, 0x7fff_ffff), Buffer.alloc(4_096)),
	"more pages than there are": input([0, 0, 1, 4], restore(4 * 65_536, 3_000, ...Array(3_000).keys())),
	"an image of more memory than there is": input([0, 0, 1, 4], restore(0xffff * 65_536, 0), goOn),
};

describe.skipIf(whyNot)("the corpus of the fuzzer", () => {
	test("runs without a crash, and so does what lies beyond each bound", { timeout: 120_000 }, () => {
		for (const [name, bytes] of Object.entries(beyond)) writeFileSync(join(folder, name), bytes);
		const args = [script, "--replay", folder];
		const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
		expect(status, stdout + stderr).toBe(0);
		const count = readdirSync(corpus).length + Object.keys(beyond).length;
		expect(stdout).toBe(`${count} inputs, no crash\n`);
	});
});
