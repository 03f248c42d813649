import { beforeEach, describe, expect, test } from "vitest";
import { missingDataReason } from "../shared-data.ts";
import { taskProgram, taskTurns } from "./program.ts";
import { loadRetail, retailDataDir, retailDataName } from "./tasks.ts";
import { retailEffects, retailTools } from "./tools.ts";
import { memoryRetailWorld, type RetailWorld } from "./world.ts";

const dataDir = retailDataDir();

class ToolFailed extends Error {
	override readonly name = "ToolFailed";
}

/** Runs a program as a sandbox would: the body of an async function that has nothing but `tools`. */
function run(source: string, tools: object): Promise<unknown> {
	const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (tools: object) => Promise<unknown>;
	return new AsyncFunction("tools", `"use strict";\n${source}`)(tools);
}

function toolsOf(world: RetailWorld): object {
	const tools = [...retailTools.keys()].map((name) => [
		name,
		async (args: unknown) => {
			const outcome = world.call(name, args);
			if ("error" in outcome) throw new ToolFailed(outcome.error);
			return outcome.result;
		},
	]);
	return Object.fromEntries(tools);
}

describe("the programs of the retail tasks", () => {
	beforeEach(({ skip }) => skip(!dataDir, missingDataReason(retailDataName)));

	test("each returns every recorded result and leaves the gold database", async () => {
		const { tasks, db } = loadRetail(dataDir ?? "");
		for (const task of tasks) {
			const world = memoryRetailWorld(db);
			const results = await run(taskProgram(task), toolsOf(world));
			const recorded = task.actions.map((action) => action.recorded);
			expect({ id: task.id, results }).toStrictEqual({ id: task.id, results: recorded });
			expect(world.hash()).toBe(task.finalHash);
		}
	});

	test("the turns are the gold actions, each with a known effect", () => {
		const { tasks } = loadRetail(dataDir ?? "");
		const calls = tasks.flatMap(taskTurns);
		expect(calls.length).toBe(550);
		const effects = calls.map(({ name }) => (retailEffects as Record<string, { effect: string }>)[name]?.effect);
		const count = (effect: string) => effects.filter((each) => each === effect).length;
		// 176 writes to the database and 4 hand-overs; 13 sums.
		expect([count("read"), count("write"), count("internal")]).toEqual([357, 180, 13]);
	});
});

test("a program notes a failed tool and goes on, but a denial ends it", async () => {
	const task = {
		actions: ["first", "second"].map(
			(name) => ({ name, arguments: { "odd-name": 1, id: "x" }, type: "read", recorded: { result: 1 } }) as const,
		),
	};
	const failing = {
		first: async () => {
			throw new ToolFailed("no");
		},
		second: async (args: unknown) => args,
	};
	expect(await run(taskProgram(task), failing)).toEqual([{ error: "no" }, { result: { "odd-name": 1, id: "x" } }]);
	const denying = {
		...failing,
		first: async () => {
			throw new TypeError("denied");
		},
	};
	await expect(run(taskProgram(task), denying)).rejects.toThrow("denied");
});
