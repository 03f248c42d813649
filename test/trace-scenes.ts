/** Small runs whose traces tests look at: one for each form that a trace has. */
import {
	defineTool,
	type HarnessOptions,
	memoryStore,
	type RunResult,
	type SandboxProvider,
	type Store,
} from "holdpoint";
import { agentTool } from "holdpoint/teams";
import { call, fakeClock, program, say, type TraceRecorder, traceRecorder } from "holdpoint/testing";
import { z } from "zod";
import type { Span } from "../packages/holdpoint/src/spec/trace.ts";
import { stage } from "../packages/holdpoint/src/testing/stage.ts";
import { teamStage } from "../packages/holdpoint/src/testing/team-stage.ts";
import type { TracedEvent } from "../packages/holdpoint/src/trace/tracer.ts";
import { desk } from "./handoff-scenes.ts";
import { WatchedSandbox } from "./watched-sandbox.ts";

export const look = defineTool({
	name: "look",
	description: "Looks something up.",
	input: z.object({ id: z.number() }),
	effect: "read",
	execute: ({ id }) => ({ id }),
});

export const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: z.object({ cents: z.number(), card: z.string().meta({ sensitive: "secret" }).optional() }),
	effect: "write",
	repeat: "keyed",
	execute: ({ cents }) => ({ paid: cents }),
});

export const asksForPay: NonNullable<HarnessOptions["policy"]> = ({ tool }) =>
	tool.name === "pay" ? { verdict: "ask", reason: "money" } : { verdict: "allow" };

type Tracing = Omit<NonNullable<HarnessOptions["tracing"]>, "exporters">;

/** What was recorded of one run, segment by segment, and what its journal says. */
export interface Traced {
	readonly run: string;
	readonly store: string;
	/** One for each harness that advanced it. */
	readonly recorders: readonly TraceRecorder[];
	readonly spans: readonly Span[];
	/** By segment. */
	readonly journal: readonly {
		readonly epoch: number;
		readonly events: readonly TracedEvent[];
		readonly status?: string;
	}[];
}

interface Acted {
	readonly scene: Pick<ReturnType<typeof stage>, "harness">;
	readonly store: Store;
	readonly recorders: readonly TraceRecorder[];
	readonly run: string;
}

/** The journal is read first: a store in memory is gone once a harness is closed. */
async function ended({ scene, store, recorders, run }: Acted, ...others: Acted["scene"][]): Promise<Traced> {
	const { events: kept, segments, state, redactor } = await scene.harness.show(run);
	const events = kept.map(({ at, event }) => ({ at, event: redactor.event(event) }));
	const storeId = await store.id();
	for (const { harness } of [...others, scene]) await harness.close();
	const journal = segments.map(({ epoch, from }, at) => ({
		epoch,
		events: events.slice(from, segments[at + 1]?.from),
		...(at < segments.length - 1 ? {} : { status: state.status === "running" ? "waiting" : state.status }),
	}));
	return { run, store: storeId, recorders, spans: recorders.flatMap(({ spans }) => spans), journal };
}

export async function singleRun(tracing: Tracing = {}): Promise<Traced> {
	const recorder = traceRecorder();
	const store = memoryStore();
	const harness = { tracing: { exporters: [recorder], ...tracing } };
	const story = [call("look", { id: 1 }), call("look", { id: "x" }), say("done")];
	const scene = stage({ story, tools: [look], store, harness });
	const { run } = await scene.harness.run(scene.agent, "go");
	return ended({ scene, store, recorders: [recorder], run });
}

/** Held in the middle of a program; another harness goes on with it a minute later. */
export async function programRun(sandbox: SandboxProvider, tracing: Tracing = {}): Promise<Traced> {
	const recorders = [traceRecorder(), traceRecorder()] as const;
	const clock = fakeClock({ skipMs: 20_000 });
	const store = memoryStore();
	const harness = (at: 0 | 1) => ({
		// Whose it is ends it.
		sandbox: Object.assign(new WatchedSandbox(sandbox), { close: async () => undefined }),
		policy: asksForPay,
		tracing: { exporters: [recorders[at]], ...tracing },
	});
	const story = [
		program(
			"await tools.look({ id: 1 }); const { paid } = await tools.pay({ cents: 5, card: '4000-1234' }); return paid;",
		),
		say("done"),
	];
	const scene = stage({ story, tools: [look, pay], programs: true, store, clock, harness: harness(0) });
	const waiting = await scene.harness.run(scene.agent, "go");
	clock.advance(60_000);
	const again = scene.again({ harness: harness(1) });
	await again.harness.approve(approvalOf(waiting));
	clock.advance(2_000);
	await again.harness.resume(waiting.run);
	return ended({ scene: again, store, recorders, run: waiting.run }, scene);
}

/** Two segments, denied by a person in the second one. */
export async function heldRun(answer: "approve" | "deny", tracing: Tracing = {}): Promise<Traced> {
	const recorders = [traceRecorder(), traceRecorder()] as const;
	const clock = fakeClock({ skipMs: 20_000 });
	const store = memoryStore();
	const harness = (at: 0 | 1) => ({ policy: asksForPay, tracing: { exporters: [recorders[at]], ...tracing } });
	const story = [call("pay", { cents: 5, card: "4000-1234" }), say("The card 4000-1234 was used.")];
	const scene = stage({ story, tools: [pay], store, clock, harness: harness(0) });
	const waiting = await scene.harness.run(scene.agent, "go");
	clock.advance(60_000);
	const again = scene.again({ harness: harness(1) });
	if (answer === "approve") await again.harness.approve(approvalOf(waiting));
	else await again.harness.deny(approvalOf(waiting), { reason: "too much" });
	clock.advance(2_000);
	await again.harness.resume(waiting.run);
	return ended({ scene: again, store, recorders, run: waiting.run }, scene);
}

/** The first one hands on to the second, who answers; the run waits for what the user says to that. */
export async function teamRun(tracing: Tracing = {}): Promise<Traced> {
	const recorder = traceRecorder();
	const store = memoryStore();
	const scene = desk(
		{
			ann: { tools: [look], story: [call("look", { id: 1 }), call("handoff_to_bea", { reason: "it is hers" })] },
			bea: [say("done")],
		},
		{},
		{ store, harness: { tracing: { exporters: [recorder], ...tracing } } },
	);
	const { run } = await scene.harness.run(scene.team, "go");
	return ended({ scene, store, recorders: [recorder], run });
}

/** An agent puts a task to another one. */
export async function agentToolRun(tracing: Tracing = {}): Promise<Traced> {
	const recorder = traceRecorder();
	const store = memoryStore();
	const scene = teamStage({
		cast: {
			ann: [call("ask_zoe", { task: "look" }), say("done")],
			zoe: { tools: [look], story: [call("look", { id: 1 }), say("found")] },
		},
		team: ({ ann, zoe }) => {
			if (!ann || !zoe) throw new Error("Both are in the cast");
			return { ...ann, tools: [...ann.tools, agentTool(zoe)] };
		},
		store,
		harness: { tracing: { exporters: [recorder], ...tracing } },
	});
	const { run } = await scene.harness.run(scene.team, "go");
	return ended({ scene, store, recorders: [recorder], run });
}

/** Held in the team's second agent, or in an agent that is a tool; another harness goes on with it, and the user replies. */
export async function heldWithin(kind: "team" | "tool", tracing: Tracing = {}): Promise<Traced> {
	const recorders = [traceRecorder(), traceRecorder()] as const;
	const store = memoryStore();
	const clock = fakeClock({ skipMs: 20_000 });
	const options = (at: 0 | 1) => ({
		store,
		clock,
		harness: { policy: asksForPay, tracing: { exporters: [recorders[at]], ...tracing } },
	});
	const looks = { tools: [look], story: [call("look", { id: 1 }), call("handoff_to_bea", { reason: "it is hers" })] };
	const pays = { tools: [pay], story: [call("pay", { cents: 5, card: "4000-1234" }), say("paid"), say("again")] };
	const scene =
		kind === "team"
			? desk({ ann: looks, bea: pays }, {}, options(0))
			: teamStage({
					...options(0),
					cast: { ann: [call("ask_zoe", { task: "pay" }), say("done"), say("again")], zoe: pays },
					team: ({ ann, zoe }) => {
						if (!ann || !zoe) throw new Error("Both are in the cast");
						return { ...ann, tools: [...ann.tools, agentTool(zoe)] };
					},
				});
	const waiting = await scene.harness.run(scene.team, "go");
	clock.advance(60_000);
	const again = scene.again({ harness: options(1).harness });
	await again.harness.approve(approvalOf(waiting));
	const then = await again.harness.resume(waiting.run);
	if (then.status === "waiting") {
		await again.harness.tell(waiting.run, "once more");
		await again.harness.resume(waiting.run);
	}
	return ended({ scene: again, store, recorders, run: waiting.run }, scene);
}

function approvalOf(result: RunResult): string {
	const wait = result.status === "waiting" ? result.waits[0] : undefined;
	if (wait?.kind !== "approval") throw new Error(`Nothing is held: ${JSON.stringify(result)}`);
	return wait.approval;
}

/** As a tree in words: names, children below their parents, in the order in which they began. Commits are left out. */
export function tree(spans: readonly Span[], parent?: string, depth = 0): string[] {
	return spans
		.filter(({ parentSpanId, name }) => parentSpanId === parent && name !== "holdpoint.checkpoint")
		.flatMap((span) => [`${"  ".repeat(depth)}${span.name}`, ...tree(spans, span.spanId, depth + 1)]);
}

export function named(spans: readonly Span[], name: string): Span {
	const span = spans.find((one) => one.name === name);
	if (!span) throw new Error(`No span ${name} among ${spans.map((one) => one.name).join(", ")}`);
	return span;
}
