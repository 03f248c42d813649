/**
 * Old journals must always fold. `golden/` holds journals as they were once written, each with what they folded to.
 *
 * To add one: write a scene below under a new name and run this test with HOLDPOINT_RECORD_GOLDEN=1; the file is made.
 * Never change or remove one: a file that does not fold to its summary any more is a journal of somebody's store that
 * would be misread. Change the fold so that both old and new journals mean what they meant when they were written.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { wasmSandbox } from "../adapters/sandboxes/wasm/provider.ts";
import { defineTeam, handoff } from "../routing/handoff.ts";
import { parallel, pipeline } from "../routing/shapes.ts";
import type { Agent } from "../spec/agent.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { RunResult } from "../spec/result.ts";
import { onlyWait, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { call, calls, failing, json, program, say } from "../testing/story.ts";
import { type TeamStage, teamStage } from "../testing/team-stage.ts";
import { defineTool } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";
import { agentTool } from "./agent-tool.ts";
import { resultOf, waitsOf } from "./conclude.ts";
import type { Conversation } from "./conversation.ts";
import { emptyState, mainThread, type RunState } from "./run-state.ts";
import { apply } from "./state.ts";

const folder = fileURLToPath(new URL("./golden/", import.meta.url));
const by = { id: "ann", via: "test" };

interface Golden {
	readonly about: string;
	readonly events: readonly RunEvent[];
	/** Values that lay beside the journal. */
	readonly blobs: Readonly<Record<string, Json>>;
	readonly summary: Json;
}

function fold({ events, blobs }: Pick<Golden, "events" | "blobs">): RunState {
	const state = emptyState("golden", [], new Map(Object.entries(blobs)));
	for (const event of events) apply(state, event);
	return state;
}

/** What a reader of a run would miss if it were folded otherwise. */
function summaryOf(state: RunState): Json {
	const calls = [...state.calls.values()].map(({ thread: _thread, inside: _inside, ...one }) => ({
		...one,
		approval: one.approval && { ...one.approval },
		program: one.program && { ...one.program, open: [...one.program.open] },
	}));
	const { status, turns, usage, text, cancel } = state;
	const { messages, turn, late, queued, modelDue, rejections, timer } = mainThread(state);
	const result = state.finished ? resultOf(state) : undefined;
	const conversations = [...allConversations(state)].map(conversationSummary);
	const isSingle = !state.conversation.team && conversations.length === 1;
	const versions = Object.fromEntries(state.tools);
	const whole = {
		status,
		messages,
		calls,
		turn,
		late,
		queued,
		modelDue,
		turns,
		usage,
		text,
		rejections,
		timer,
		cancel,
		versions,
		waits: waitsOf(state),
		result,
		...(isSingle ? {} : { conversations }),
	};
	return JSON.parse(JSON.stringify(whole)) as Json;
}

function* allConversations(state: RunState): Generator<Conversation> {
	yield state.conversation;
	for (const { inside } of state.calls.values()) if (inside) yield inside;
}

function conversationSummary({ name, call, threads, active, team, turns }: Conversation): object {
	const seen = [...threads.values()].map(({ agent, messages, turn, late, handing, trail, heard, only }) => {
		return { agent, messages, turn, late, handing, trail, heard, only };
	});
	const { done, handoffs, rounds, ...talk } = team ?? { done: new Map(), handoffs: new Map(), rounds: new Map() };
	const counted = { done: [...done], handoffs: [...handoffs], rounds: [...rounds] };
	return { name, call, turns, active: active.map(({ agent }) => agent), ...talk, ...counted, threads: seen };
}

type Scene = (play: (options: StageOptions) => Stage) => Promise<RunResult>;

const amount = z.object({ amount: z.int() });
const look = defineTool({
	name: "look",
	description: "Looks.",
	input: z.object({}),
	effect: "read",
	execute: () => "seen",
});
const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: amount,
	execute: (args) => ({ paid: args.amount }),
});

async function approveAll({ harness }: Stage, result: RunResult, args?: Json): Promise<RunResult> {
	for (const wait of result.status === "waiting" ? result.waits : []) {
		if (wait.kind === "approval") await harness.approve(wait.approval, { by, ...(args ? { args } : {}) });
	}
	return harness.resume(result.run);
}

const scenes: Record<string, readonly [about: string, scene: Scene]> = {
	hello: ["One answer without calls.", (play) => run(play({ story: [say("hello")] }))],
	"parallel-and-failures": [
		"Calls of one answer: a value, a failure, a wrong argument, an unknown tool, a large result.",
		(play) => {
			const fail = defineTool({
				name: "fail",
				description: "Fails.",
				input: z.object({}),
				effect: "read",
				execute: () => Promise.reject(new Error("broken")),
			});
			const large = defineTool({
				name: "large",
				description: "Large.",
				input: z.object({}),
				effect: "read",
				execute: () => "x".repeat(400),
			});
			const list = [
				{ tool: "look" },
				{ tool: "fail" },
				{ tool: "pay", args: { amount: 1.5 } },
				{ tool: "gone", undeclared: true },
				{ tool: "large" },
			];
			return run(
				play({ story: [calls(list), say("done")], tools: [look, fail, pay, large], limits: { inlineBytesMax: 100 } }),
			);
		},
	],
	"approved-with-edit": [
		"A held call, approved with other arguments; asked again for a second person, then run.",
		async (play) => {
			const policy = () => ({ verdict: "ask", reason: "money", ask: { count: 2 } }) as const;
			const scene = play({ story: [call("pay", { amount: 5 }), say("done")], tools: [pay], harness: { policy } });
			const edited = await approveAll(scene, await run(scene), { amount: 3 });
			for (const wait of edited.status === "waiting" ? edited.waits : []) {
				if (wait.kind === "approval") await scene.harness.approve(wait.approval, { by: { id: "bob", via: "test" } });
			}
			return scene.harness.resume(edited.run);
		},
	],
	"pending-while-talking": [
		"Two held calls; a message is answered meanwhile; one is denied and one approved, and both come as notes.",
		async (play) => {
			const two = calls([
				{ tool: "pay", args: { amount: 1 } },
				{ tool: "pay", args: { amount: 2 } },
			]);
			const scene = play({ story: [two, say("pending"), say("one is denied"), say("done")], tools: [pay] });
			const first = await run(scene);
			await scene.harness.tell(first.run, "how far?");
			const waiting = await scene.harness.resume(first.run);
			const [wait] = waiting.status === "waiting" ? waiting.waits : [];
			if (wait?.kind === "approval") await scene.harness.deny(wait.approval, { by, reason: "no" });
			return approveAll(scene, await scene.harness.resume(first.run));
		},
	],
	"unknown-and-settled": [
		"A call whose outcome nobody knew, settled by a person; before it a wait for the model.",
		async (play) => {
			const lose = defineTool({
				name: "lose",
				description: "Loses.",
				input: z.object({}),
				execute: () => Promise.reject(new OutcomeUnknown("lost")),
			});
			const policy = () => ({ verdict: "allow" }) as const;
			const scene = play({
				story: [failing(429, { "retry-after": "60" }), call("lose"), say("done")],
				tools: [lose],
				harness: { policy },
			});
			const first = await run(scene);
			scene.clock.advance(60_000);
			await scene.harness.resume(first.run);
			await scene.harness.settle(first.run, "c1", { happened: true, result: "it was there", by });
			return scene.harness.resume(first.run);
		},
	],
	waiting: [
		"A run that waits for an approval, with a queued message.",
		async (play) => {
			const scene = play({
				story: [calls([{ tool: "look" }, { tool: "pay", args: { amount: 5 } }])],
				tools: [look, pay],
			});
			const first = await run(scene);
			await scene.harness.tell(first.run, "and then?", "queue");
			return scene.harness.resume(first.run);
		},
	],
	cancelled: [
		"A run that was cancelled while it waited.",
		async (play) => {
			const scene = play({
				story: [calls([{ tool: "look" }, { tool: "pay", args: { amount: 5 } }])],
				tools: [look, pay],
			});
			const first = await run(scene);
			return (await scene.harness.cancel(first.run, { by: "ann", reason: "stop" })) ?? first;
		},
	],
	"structured-output": [
		"An answer that did not fit, and its repair.",
		(play) => run(play({ story: [json({ total: "five" }), json({ total: 5 })], output: z.object({ total: z.int() }) })),
	],
	budgets: [
		"Budgets of a sum, of time and of tokens: what calls and an answer held and spent, and a call that was too much.",
		(play) => {
			const list = [
				{ tool: "pay", args: { amount: 30 } },
				{ tool: "pay", args: { amount: 80 } },
			];
			return run(
				play({
					story: [calls(list), say("done")],
					tools: [pay],
					settings: { maxOutputTokens: 50 },
					harness: {
						policy: () => ({ verdict: "allow" }),
						budgets: [
							{ name: "sum", window: "day", counts: { tool: "pay", sum: "amount" }, max: 100 },
							{ name: "time", per: "run", counts: "wallMs", max: 1_000_000 },
							{ name: "tokens", per: "principal", counts: "tokens", max: 1_000_000 },
						],
					},
				}),
			);
		},
	],
	"standing-grants": [
		"Two people grant a call for good, one of them for the agent; the next call rests on both grants.",
		async (play) => {
			const policy = () => ({ verdict: "ask", reason: "money", ask: { count: 2 } }) as const;
			const twice = [call("pay", { amount: 5 }), call("pay", { amount: 5 }), say("done")];
			const scene = play({ story: twice, tools: [pay], harness: { policy } });
			const held = await run(scene);
			for (const wait of held.status === "waiting" ? held.waits : []) {
				if (wait.kind !== "approval") continue;
				await scene.harness.approve(wait.approval, { by, always: { scope: "agent" } });
				const bob = { id: "bob", via: "test" };
				await scene.harness.approve(wait.approval, { by: bob, always: { scope: "principal", usesMax: 3 } });
			}
			return scene.harness.resume(held.run);
		},
	],
	"program-suspended": [
		"A program that reads, is held in its middle, is approved and goes on from its snapshot.",
		async (play) => {
			const code =
				"const seen = await tools.look({});\nconsole.log(seen);\nconst both = await Promise.all([1, 2].map((amount) => tools.pay({ amount })));\nreturn { seen, both };";
			const sandbox = wasmSandbox({ workersMax: 1 });
			const scene = play({
				story: [program(code), say("done")],
				tools: [look, pay],
				programs: true,
				harness: { sandbox },
			});
			try {
				return await approveAll(scene, await run(scene));
			} finally {
				await sandbox.close();
			}
		},
	],
};

/** Scenes of teams; each plays in a run named `golden`. */
const teamScenes: Record<string, readonly [about: string, scene: () => Promise<TeamStage>]> = {
	"team-handoffs": [
		"A held handoff with a carried result, a second one refused, the user asked, a reply, a return, the end.",
		async () => {
			const scene = teamStage({
				cast: {
					desk: {
						tools: [look],
						story: [
							call("look"),
							calls([
								{ tool: "handoff_to_refund", args: { reason: "a refund", summary: "it is late" } },
								{ tool: "handoff_to_shop", args: { reason: "or the shop" } },
							]),
							say("Anything else?"),
						],
					},
					refund: {
						tools: [pay],
						story: [call("pay", { amount: 5 }), say("Paid. All well?"), call("handoff_to_desk", { reason: "done" })],
					},
					shop: [],
				},
				team: ({ desk, refund, shop }) =>
					handoff({ name: "support" })
						.participants([desk, refund, shop] as never)
						.coordinator("desk" as never)
						.terminateWhen((said) => said.at(-1)?.text === "Anything else?")
						.build(),
				harness: {
					policy: ({ tool }) =>
						tool.name === "handoff_to_refund" ? { verdict: "ask", reason: "who?" } : { verdict: "allow" },
				},
			});
			const held = await scene.harness.run(scene.team, "refund me", { runId: "golden", principal: "ann" });
			await scene.harness.approve(onlyWait(held, "approval").approval, { by });
			await scene.harness.resume("golden");
			await scene.harness.tell("golden", "yes, thanks");
			await scene.harness.resume("golden");
			return scene;
		},
	],
	"team-inside-a-call": [
		"A pipeline whose first agent puts a task to two that work beside each other; one of them goes on by itself.",
		async () => {
			const scene = teamStage({
				cast: {
					boss: [call("ask_both", { task: "look at it" }), say("They looked.")],
					a: [say("seen by a")],
					b: [say("on it"), say("seen by b")],
					last: [say("the end")],
				},
				team: ({ boss, a, b, last }) => {
					const alone = defineTeam({
						name: "alone",
						participants: [b as Agent],
						coordinator: "b",
						interaction: { mode: "autonomous", turnsMax: 1 },
					});
					const both = parallel([a as Agent, alone], { name: "both" });
					return pipeline([{ ...(boss as Agent), tools: [agentTool(both)] }, last as Agent], { name: "office" });
				},
			});
			await scene.harness.run(scene.team, "go", { runId: "golden", principal: "ann" });
			return scene;
		},
	],
};

function run(scene: Stage): Promise<RunResult> {
	return scene.harness.run(scene.agent, "go", { runId: "golden", principal: "ann" });
}

async function record(name: string): Promise<void> {
	const [told, playTeam] = teamScenes[name] ?? [];
	if (told && playTeam) return keep(name, told, await playTeam());
	const [about, scene] = scenes[name] ?? [];
	if (!about || !scene) throw new Error(`There is no scene ${name}`);
	const played: Stage[] = [];
	await scene((options) => {
		const made = stage(options);
		played.push(made);
		return made;
	});
	if (!played[0]) throw new Error(`The scene ${name} played nothing`);
	return keep(name, about, played[0]);
}

async function keep(name: string, about: string, { harness }: Pick<Stage, "harness">): Promise<void> {
	const view = await harness.show("golden");
	const events = view.events.map(({ event }) => event);
	const blobs = Object.fromEntries(view.state.blobs);
	const golden: Golden = { about, events, blobs, summary: summaryOf(fold({ events, blobs })) };
	writeFileSync(`${folder}${name}.json`, `${JSON.stringify(golden, undefined, "\t")}\n`, { flag: "wx" });
}

describe("golden journals", async () => {
	if (process.env["HOLDPOINT_RECORD_GOLDEN"]) {
		for (const name of Object.keys({ ...scenes, ...teamScenes }))
			if (!existsSync(`${folder}${name}.json`)) await record(name);
	}
	const names = readdirSync(folder).map((file) => file.replace(/\.json$/, ""));

	test("every scene has its recorded journal", () => {
		expect(Object.keys({ ...scenes, ...teamScenes }).filter((name) => !names.includes(name))).toEqual([]);
	});

	test.each(names)("%s folds to what it folded to when it was written", (name) => {
		const golden = JSON.parse(readFileSync(`${folder}${name}.json`, "utf8")) as Golden;
		// New facts may join the state; none that was there may change.
		expect(summaryOf(fold(golden))).toMatchObject(golden.summary as object);
	});

	test("between them they hold every kind of event that runs of today write", () => {
		const kinds = new Set(
			names.flatMap((name) =>
				(JSON.parse(readFileSync(`${folder}${name}.json`, "utf8")) as Golden).events.map(({ type }) => type),
			),
		);
		expect([...kinds].sort()).toEqual(
			expect.arrayContaining([
				"approval.closed",
				"call.settled",
				"message.received",
				"output.rejected",
				"program.delivered",
				"program.restored",
				"program.suspended",
				"timer.fired",
				"run.handed",
				"user.asked",
				"agent.started",
				"agent.continued",
				"agent.done",
			]),
		);
	});
});
