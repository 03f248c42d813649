import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sqliteStore } from "holdpoint";
import { crashingStore } from "holdpoint/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";
import { runId, type Worked, World, work } from "./crash-scene.ts";

/**
 * A real `kill -9`: a process that plays a story with reads, keyed writes, writes that may happen once, programs and
 * approvals is killed right before and right after each of its commits, and another process goes on from the file.
 */

const child = fileURLToPath(new URL("./crash-child.ts", import.meta.url));
const sandbox = sandboxUnderTest();
const root = mkdtempSync(join(tmpdir(), "holdpoint-crash-"));
const everything = ["booked:in-program", "mailed:first", "mailed:last", "refunded:in-program"];

afterAll(async () => {
	await sandbox.close();
	rmSync(root, { recursive: true, force: true });
});

interface Place {
	readonly at: number;
	readonly when: "before" | "after";
}

interface Survived extends Worked {
	readonly happened: readonly string[];
	readonly commits: number;
}

/** Starting a process for each death would take most of the time. */
const deathsPerProcess = 8;

const nameOf = ({ when, at }: Place): string => `${when}-${at}`;

function folderOf(name: string): string {
	const folder = join(root, name);
	mkdirSync(folder);
	return folder;
}

/** Goes on here: this is another process than the one that was killed. */
async function goOn(folder: string): Promise<Survived> {
	const store = crashingStore(sqliteStore(join(folder, "runs.db")));
	const world = new World(folder);
	const worked = await work({ store, world, sandbox });
	return { ...worked, happened: world.happened.sort(), commits: store.commits };
}

/** One process dies all these deaths. Resolves with the signal that ended it, or its exit code and what it said. */
function die(places: readonly Place[]): Promise<string> {
	const threes = places.flatMap((place) => [folderOf(nameOf(place)), String(place.at), place.when]);
	const args = ["--conditions=@holdpoint/source", child, ...threes];
	const running = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
	let said = "";
	running.stderr.on("data", (chunk) => (said += chunk));
	return new Promise((resolve) => running.on("close", (code, signal) => resolve(signal ?? `${code} ${said}`)));
}

describe("I1 I7: a process killed with SIGKILL at every commit", () => {
	let uninterrupted: Survived;
	const survived = new Map<string, Survived>();

	beforeAll(async () => {
		uninterrupted = await goOn(folderOf("uninterrupted"));
		const places = Array.from({ length: uninterrupted.commits }, (_, i) => i + 1).flatMap((at): Place[] => [
			{ at, when: "before" },
			{ at, when: "after" },
		]);
		while (places.length > 0) {
			const together = places.splice(0, deathsPerProcess);
			expect(await die(together)).toBe("SIGKILL");
			for (const place of together) survived.set(nameOf(place), await goOn(join(root, nameOf(place))));
		}
	}, 120_000);

	test("uninterrupted it ends like this", () => {
		expect(uninterrupted.result).toMatchObject({ status: "completed", output: '{"last":"mailed:last"}', run: runId });
		expect(uninterrupted.happened).toEqual(everything);
		expect(uninterrupted.settled).toEqual([]);
		expect(uninterrupted.commits).toBeGreaterThan(8);
	});

	test("it was killed before and after each of them, and ended the same each time", () => {
		expect(survived.size).toBe(uninterrupted.commits * 2);
		const ends = Object.fromEntries([...survived].map(([name, { result }]) => [name, { ...result, usage: {} }]));
		const same = Object.fromEntries([...survived.keys()].map((name) => [name, { ...uninterrupted.result, usage: {} }]));
		expect(ends).toEqual(same);
	});

	test("every effect happened, and none twice", () => {
		const worlds = Object.fromEntries([...survived].map(([name, { happened }]) => [name, happened]));
		expect(worlds).toEqual(Object.fromEntries([...survived.keys()].map((name) => [name, everything])));
	});

	test("the audit log is the journal's own: no event without its leaf, no leaf without its event, and it verifies", () => {
		for (const [name, { audit }] of survived) {
			expect(audit, name).toMatchObject({
				isJournal: true,
				report: { ok: true, findings: [], payloads: { absent: 0 } },
			});
		}
		const { leaves, checkpoints, executions } = uninterrupted.audit.report;
		expect(leaves).toBeGreaterThan(40);
		expect(checkpoints).toBeGreaterThan(3);
		expect(executions).toBe(8);
	});

	test("what a person had to look into is each `once` effect whose outcome was not written, and nothing else", () => {
		const looked = [...survived.values()].flatMap(({ settled }) => settled);
		for (const mail of ["mailed:first", "mailed:last"]) {
			expect(looked).toContain(`${mail} had happened`);
			expect(looked).toContain(`${mail} had not happened`);
		}
		expect(looked.every((line) => line.startsWith("mailed:"))).toBe(true);
	});
});
