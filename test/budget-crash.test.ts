import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sqliteStore } from "holdpoint";
import { expect, onTestFinished, test } from "vitest";
import { cashier, max, paidIn } from "./budget-scene.ts";

/** Processes that spend one budget together are killed with SIGKILL, and others go on with what they had begun. */

const child = fileURLToPath(new URL("./budget-child.ts", import.meta.url));

/** Resolves with the signal that ended it, or its exit code and what it said. */
function spend(folder: string, name: string, at: number): Promise<string> {
	const args = ["--conditions=@holdpoint/source", child, folder, name, String(at)];
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

test("a budget that killed processes shared is not overdrawn, and in the end spent is what was paid", async () => {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-budget-crash-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	for (const [round, at] of [1, 9].entries()) {
		const names = [`a${round}`, `b${round}`];
		expect(await Promise.all(names.map((name) => spend(folder, name, at)))).toEqual(["SIGKILL", "SIGKILL"]);
		const { spent, held } = await account(folder);
		expect(spent + held).toBeLessThanOrEqual(max);
		// What was paid is spent or held, whatever was written of it.
		expect(spent + held).toBeGreaterThanOrEqual(sumOf(folder));
	}
	const { harness, run } = cashier(folder);
	for (;;) {
		const ready = await harness.readyRuns(1_000);
		if (ready.length === 0) break;
		await Promise.all(ready.map(({ run }) => harness.resume(run)));
	}
	await Promise.all(Array.from({ length: 80 }, (_, i) => run(`last-${i}`)));
	expect(await account(folder)).toEqual({ spent: sumOf(folder), held: 0 });
	expect(sumOf(folder)).toBe(max);
	await harness.close();
}, 120_000);
