/** What the fuzzer found once, run again: each input that reached new code, with the checks of sanitizers. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("../fuzz.mjs", import.meta.url));
const corpus = fileURLToPath(new URL("../native/fuzz/corpus", import.meta.url));

function findReason(): string | undefined {
	const input = "int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }";
	const args = ["-fsanitize=fuzzer,address,undefined", "-x", "c", "-", "-o", "/dev/null"];
	return spawnSync("clang", args, { input }).status === 0 ? undefined : "this machine has no clang with libFuzzer";
}

const whyNot = findReason();
if (whyNot) console.log(`skipped: ${whyNot}`);

describe.skipIf(whyNot)("the corpus of the fuzzer", () => {
	test("runs without a crash", { timeout: 120_000 }, () => {
		const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--replay"], { encoding: "utf8" });
		expect(status, stdout + stderr).toBe(0);
		expect(stdout).toBe(`${readdirSync(corpus).length} inputs, no crash\n`);
	});
});
