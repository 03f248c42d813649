import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import { createHarness } from "../holdpoint.ts";
import { defineAgent } from "../run/define-agent.ts";
import type { Harness } from "../run/harness.ts";
import { emptyState, mainThread, type RunState } from "../run/run-state.ts";
import { apply } from "../run/state.ts";
import type { Store } from "../spec/store.ts";
import { isForSummary, type PlacedAnswer, placedModel } from "../testing/placed-model.ts";
import { stageKeys } from "../testing/stage.ts";
import { harnessAgent } from "./harness-agent.ts";

/** A session in a small window: todos and a look in its first run, and then much talk. */
function scene() {
	let loads = 0;
	/** Their rows were deleted. */
	const gone = new Set<string>();
	const inner = memoryStore();
	const store: Store = {
		...inner,
		load: async (...args) => {
			loads++;
			return gone.has(args[0]) ? undefined : inner.load(...args);
		},
	};
	const answers = (place: number): PlacedAnswer =>
		place === 1
			? { calls: [{ tool: "todo", args: { todos: [{ text: "Count the boxes", status: "open" }] } }] }
			: { text: `Answer ${place}. ${"word ".repeat(60)}` };
	const requests: LanguageModelV4CallOptions[] = [];
	const model = placedModel(answers, { onRequest: (request) => requests.push(structuredClone(request)) });
	const definition = { name: "clerk", instructions: "Serve.", model };
	const agent = harnessAgent({
		...definition,
		programs: false,
		memory: false,
		modes: { start: "plan" },
		context: { windowTokens: 3_000, answerTokens: 500 },
	});
	const policy = () => ({ verdict: "allow" as const });
	const ports = { keys: stageKeys, store, sandbox: "off" as const, policy, labels: { input: ["principal"] } };
	const harness = createHarness(ports);
	const runs: string[] = [];
	const talk = async (to: number) => {
		while (runs.length < to) {
			const result = await harness.session("s", agent).send(`Request ${runs.length + 1}. ${"word ".repeat(40)}`);
			expect(result.status).toBe("completed");
			runs.push(result.run);
		}
	};
	const lastPrompt = () => JSON.stringify(requests.findLast((one) => !isForSummary(one))?.prompt);
	const loadsOf = async (work: () => Promise<unknown>) => {
		loads = 0;
		await work();
		return loads;
	};
	return { harness, ports, definition, talk, runs, lastPrompt, loadsOf, gone };
}

/** The session's last run, folded with all that was ever said before it. */
async function wholeFold(harness: Harness, runs: readonly string[]): Promise<RunState> {
	let last: RunState | undefined;
	for (const run of runs) {
		last = emptyState(run, last?.conversation ?? [], new Map());
		for (const { event } of (await harness.show(run)).events) apply(last, event);
	}
	if (!last) throw new Error("nothing was said");
	return last;
}

test("what a send reads of earlier runs is what is shown, not what was ever said", async () => {
	const { talk, runs, loadsOf } = scene();
	await talk(20);
	const some = await loadsOf(() => talk(32));
	await talk(100);
	const many = await loadsOf(() => talk(112));
	expect(runs).toHaveLength(112);
	expect(many).toBeLessThan(1.5 * some);
	expect(many / 12).toBeLessThan(20);
});

test("it comes to the same view, todos and mode as all of it, from run to run", async () => {
	const { harness, talk, runs } = scene();
	for (let to = 1; to <= 40; to++) {
		await talk(to);
		const whole = await wholeFold(harness, runs);
		const { state } = await harness.show(runs.at(-1) ?? "");
		const [all, some] = [mainThread(whole), mainThread(state)];
		const { dropped } = some.context;
		expect(all.messages.slice(dropped)).toEqual(some.messages);
		expect(state.conversation.mode).toBe("plan");
		expect(some.label).toEqual({ readers: ["principal"] });
		expect(some.label).toEqual(all.label);
		const { view, last, ...rest } = some.context;
		const { view: wholeView, last: wholeLast, ...others } = all.context;
		expect({ ...rest, dropped: 0 }).toEqual(others);
		expect(rest.todos).toEqual([{ text: "Count the boxes", status: "open" }]);
		expect(last && { ...last, place: last.place + dropped }).toEqual(wholeLast);
		expect(view?.head).toEqual(wholeView?.head);
		expect(view && view.from + dropped).toEqual(wholeView?.from);
		expect(view && view.clearedTo + dropped).toEqual(wholeView && Math.max(dropped, wholeView.clearedTo));
		if (to === 40) expect(dropped).toBeGreaterThan(20);
	}
});

test("of a run that is erased no words are carried: neither the first request nor its todos", async () => {
	const { harness, talk, runs, lastPrompt } = scene();
	await talk(40);
	expect(lastPrompt()).toContain("Request 1.");
	expect(lastPrompt()).toContain("Count the boxes");
	const { events } = await harness.show(runs.at(-1) ?? "");
	expect(JSON.stringify(events)).not.toMatch(/Request 1\.|Count the boxes/);
	await harness.audit.erase({ run: runs[0] ?? "" });
	await talk(60);
	expect(lastPrompt()).not.toContain("Request 1.");
	expect(lastPrompt()).not.toContain("Count the boxes");
	// What is not shown any more is not missed.
	await harness.audit.erase({ run: runs[30] ?? "" });
	await talk(61);
	expect(lastPrompt()).toContain("Request 60.");
	// And what is takes with it what came before it.
	await harness.audit.erase({ run: runs[59] ?? "" });
	await talk(62);
	expect(lastPrompt()).not.toMatch(/Request (59|60)\./);
	expect(lastPrompt()).toContain("Request 61.");
});

test("a run that it carries from and that is gone without having been erased is missed", async () => {
	const { talk, runs, gone } = scene();
	await talk(40);
	gone.add(runs[0] ?? "");
	await expect(talk(41)).rejects.toMatchObject({ code: "journal.tampered" });
});

test("an agent that is sent all that was said finds all of it", async () => {
	const { harness, definition, talk, lastPrompt } = scene();
	await talk(40);
	expect(lastPrompt()).not.toContain("Request 2.");
	await harness.session("s", defineAgent(definition)).send("All of it?");
	for (const text of ["Request 1.", "Request 2.", "Request 40."]) expect(lastPrompt()).toContain(text);
});
