import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sqliteStore } from "holdpoint";
import { expect, onTestFinished, test } from "vitest";
import { cashier, cents, max, paidIn } from "./budget-scene.ts";

/** Processes that spend one budget together are killed with SIGKILL, and others go on with what they had begun. */

const child = fileURLToPath(new URL("./budget-child.ts", import.meta.url));

/** Resolves with the signal that ended it, or its exit code and what it said. */
function spend(folder: string, from: number, at: number): Promise<string> {
	const args = ["--conditions=@holdpoint/source", child, folder, String(from), String(at)];
	const running = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
	let said = "";
	running.stderr.on("data", (chunk) => (said += chunk));
	return new Promise((resolve) => running.on("close", (code, signal) => resolve(signal ?? `${code} ${said}`)));
}

async function account(folder: string) {
	const store = sqliteStore(join(folder, "runs.db"));
	const [row] = await store.accounts({ prefix: "budget:" });
	await store.close();
	return { spent: row?.spent ?? 0, held: row?.held ?? 0 };
}

const sumOf = (folder: string) => [...paidIn(folder).values()].reduce((sum, cents) => sum + cents, 0);

test("a hundred runs of killed processes do not overdraw their budget, and in the end spent is what was paid", async () => {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-budget-crash-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	// Four processes share the runs; the next four go on with what others had begun, and repeat a payment that killed one.
	for (const [round, ats] of [
		[1, 3, 6, 9],
		[1, 1, 1, 1],
	].entries()) {
		const ended = await Promise.all(ats.map((at, i) => spend(folder, ((i + round) % 4) * 25, at)));
		expect(ended).toEqual(Array(4).fill("SIGKILL"));
		const { spent, held } = await account(folder);
		expect(spent + held).toBeLessThanOrEqual(max);
		// What was paid is spent or held, whatever was written of it.
		expect(spent + held).toBeGreaterThanOrEqual(sumOf(folder));
	}
	const { harness, run } = cashier(folder);
	await Promise.all(Array.from({ length: 100 }, (_, i) => run(`r${i}`)));
	expect(await account(folder)).toEqual({ spent: sumOf(folder), held: 0 });
	expect(sumOf(folder)).toBe(max - (max % cents));
	expect(await harness.readyRuns(1_000)).toEqual([]);
	await harness.close();
}, 120_000);
