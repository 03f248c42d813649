import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Harness } from "holdpoint";
import { crashingStore } from "holdpoint/testing";
import { expect, onTestFinished, test } from "vitest";
import { memoryHarness, openStore, session } from "./memory-scene.ts";

/** Processes that keep things in memory are killed with SIGKILL. */

const child = fileURLToPath(new URL("./memory-child.ts", import.meta.url));

function start(...words: string[]) {
	const args = ["--conditions=@holdpoint/source", child, ...words];
	const running = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
	let said = "";
	running.stderr.on("data", (chunk) => (said += chunk));
	const ended = new Promise<string>((resolve) =>
		running.on("close", (code, signal) => resolve(signal ?? `${code} ${said}`)),
	);
	return { running, ended };
}

function newFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-memory-crash-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

const kept = { plan: "Then the refund", tea: "Ann drinks green tea" };

async function memoryIn({ memory }: Harness): Promise<Record<string, string>> {
	const entries = [...(await memory.list({ session })), ...(await memory.list({ principal: "ann" }))];
	return Object.fromEntries(entries.map(({ name, text }) => [name, text]));
}

/** What the run's journal says that it keeps. */
async function memoryTold(harness: Harness): Promise<Record<string, string>> {
	const told = new Map<string, string>();
	for (const { run } of await harness.runs({ session })) {
		const { state, events } = await harness.show(run);
		for (const { event } of events) {
			if (event.type !== "call.finished" || !("ok" in event.outcome)) continue;
			const { name, text } = (state.calls.get(event.call)?.args ?? {}) as { name: string; text?: string };
			if (text === undefined) told.delete(name);
			else told.set(name, text);
		}
	}
	return Object.fromEntries(told);
}

/** How often the story commits. */
async function commitsOf(folder: string): Promise<number> {
	const store = crashingStore(openStore(folder));
	const { harness, work } = memoryHarness(store);
	await work();
	expect(await memoryIn(harness)).toEqual(kept);
	await harness.close();
	return store.commits;
}

test("after a kill at any commit memory is what the journal says, and the run goes on to the same end", async () => {
	const root = newFolder();
	const commits = await commitsOf(root);
	expect(commits).toBeGreaterThan(4);
	const deaths = Array.from({ length: commits }, (_, i) => i + 1).flatMap((at) =>
		(["before", "after"] as const).map((when) => ({ folder: join(root, `${at}-${when}`), at, when })),
	);
	for (const { folder } of deaths) mkdirSync(folder);
	const { ended } = start("die", ...deaths.flatMap(({ folder, at, when }) => [folder, String(at), when]));
	expect(await ended).toBe("SIGKILL");
	for (const { folder } of deaths) {
		const { harness, work } = memoryHarness(openStore(folder));
		expect(await memoryIn(harness), folder).toEqual(await memoryTold(harness));
		await work();
		expect(await memoryIn(harness), folder).toEqual(kept);
		expect(await memoryTold(harness), folder).toEqual(kept);
		await harness.close();
	}
}, 120_000);

test("of writers that are killed nothing is lost that was said to be kept, and nothing is kept in part", async () => {
	const folder = newFolder();
	const writers = ["a", "b", "c"].map((name) => ({ name, acked: [] as string[], ...start("write", folder, name) }));
	await Promise.all(
		writers.map(async ({ running, acked, ended }, i) => {
			const lines = createInterface({ input: running.stdout });
			lines.on("line", (line) => {
				acked.push(line);
				if (acked.length === 20 + i * 7) running.kill("SIGKILL");
			});
			expect(await ended).toBe("SIGKILL");
		}),
	);
	const { harness } = memoryHarness(openStore(folder));
	const entries = await harness.memory.list({ principal: "ann", limit: 1_000 });
	const names = new Set(entries.map(({ name }) => name));
	for (const { name, acked } of writers) {
		expect(acked.filter((one) => !names.has(one))).toEqual([]);
		// It may have died over the words that say so.
		const own = [...names].filter((one) => one.startsWith(`${name}/`));
		expect(own).toHaveLength(Math.max(...own.map((one) => Number(one.slice(2)))) + 1);
	}
	for (const { name, text } of entries) {
		expect(text).toBe(`word${name.replace("/", "")} ${"text ".repeat(50)}`);
		const [found] = await harness.memory.search(`word${name.replace("/", "")}`, { principal: "ann" });
		expect(found?.name).toBe(name);
	}
	expect(await harness.memory.forget({ principal: "ann" })).toEqual({ entries: entries.length });
	await harness.close();
}, 120_000);
