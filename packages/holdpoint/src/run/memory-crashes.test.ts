/**
 * A process dies before and after each of its commits. Each time memory ends up the same, each entry is kept by exactly one
 * commit, and at no moment is there an entry without the outcome of its call, or an outcome without its entry.
 */
import { describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { HarnessOptions } from "../holdpoint.ts";
import type { RunResult } from "../spec/result.ts";
import type { Store, Write } from "../spec/store.ts";
import { crashingStore } from "../testing/crashing-store.ts";
import { type Stage, stage } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { memoryTools } from "./memory-tools.ts";

const story = [
	calls([
		{ tool: "note", args: { name: "a", text: "first" } },
		{ tool: "remember", args: { name: "b", text: "second" } },
	]),
	call("memory"),
	calls([
		{ tool: "note", args: { name: "a", text: "replaced" } },
		{ tool: "remember", args: { name: "c", text: "third" } },
	]),
	call("remember", { name: "b" }),
	call("note", { name: "d", text: "fourth" }),
	say("done"),
];
const policy: NonNullable<HarnessOptions["policy"]> = ({ args }) =>
	(args as { name?: string }).name === "c" ? { verdict: "ask", reason: "c" } : { verdict: "allow" };
const run = "r";

type Kept = Extract<Write, { readonly kind: "memory" | "memory.drop" }>;

/** Notes what of memory became durable. */
function watchedStore(inner: Store, kept: Kept[]): Store {
	return {
		...inner,
		async commit(id, epoch, writes) {
			const receipt = await inner.commit(id, epoch, writes);
			for (const write of writes) if (write.kind === "memory" || write.kind === "memory.drop") kept.push(write);
			return receipt;
		},
	};
}

async function advance(scene: Stage, isThere: boolean): Promise<RunResult> {
	const options = { runId: run, principal: "ann" };
	let result = isThere ? await scene.harness.resume(run) : await scene.harness.run(scene.agent, "go", options);
	while (result.status === "waiting") {
		for (const { approval } of await scene.harness.approvals({ run }))
			await scene.harness.approve(approval, { by: { id: "bob", via: "test" } });
		result = await scene.harness.resume(run);
	}
	return result;
}

const shownName = (write: Kept) =>
	write.kind === "memory" ? `${write.entry.name}=${write.entry.text}` : `-${write.name}`;

/** Of the calls that have an outcome by now, what must be durable. */
async function owed({ harness }: Stage): Promise<string[]> {
	const { state } = await harness.show(run);
	const done = [...state.calls.values()].filter(({ tool, outcome }) => tool !== "memory" && outcome && "ok" in outcome);
	const shown = done.map(({ args }) => {
		const { name, text } = args as { name?: string; text?: string };
		return text === undefined ? `-${name}` : `${name}=${text}`;
	});
	return shown.sort();
}

async function play(at: number | undefined, when: "before" | "after") {
	const kept: Kept[] = [];
	const store = watchedStore(memoryStore(), kept);
	const first = crashingStore(store, at === undefined ? {} : { at, when });
	const base = stage({ story, tools: memoryTools(), store, harness: { policy } });
	const dying = base.again({ store: first });
	let crashes = 0;
	await advance(dying, false).catch(() => crashes++);
	// Another process looks, before anybody goes on.
	const stored = await store.load(run);
	expect(kept.map(shownName).sort()).toEqual(stored ? await owed(base) : []);
	// Its lease ends with time alone.
	if (crashes > 0) base.clock.advance(60_000);
	const result = crashes > 0 ? await advance(base.again(), stored !== undefined) : { status: "completed" };
	const memory = await base.harness.memory.list({ principal: "ann" });
	const notes = kept.map(shownName).sort();
	return {
		result,
		memory: memory.map(({ name, text, by }) => ({ name, text, by })),
		notes,
		commits: first.commits,
		crashes,
	};
}

describe("a process that dies at a commit", () => {
	test("leaves memory that is whole, and whoever goes on ends with the same", async () => {
		const whole = await play(undefined, "before");
		expect(whole.memory).toEqual([{ name: "c", text: "third", by: { run, call: "c5", agent: "tester" } }]);
		expect(whole.notes).toEqual(["-b", "a=first", "a=replaced", "b=second", "c=third", "d=fourth"]);
		expect(whole.commits).toBeGreaterThan(5);
		let crashes = 0;
		for (let at = 1; at <= whole.commits; at++) {
			for (const when of ["before", "after"] as const) {
				const died = await play(at, when);
				expect({ at, when, ...died.result }).toMatchObject({ status: "completed" });
				expect(died.memory).toEqual(whole.memory);
				expect(died.notes).toEqual(whole.notes);
				crashes += died.crashes;
			}
		}
		expect(crashes).toBe(2 * whole.commits);
	});
});
