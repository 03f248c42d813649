/**
 * Random conversations of a harness agent with a small window, in processes that die where they are told to. What the model
 * answers follows from its prompt and a seed alone: wherever two prompts differ, so does all that comes after them.
 */
import { createHash } from "node:crypto";
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Content } from "@ai-sdk/provider";
import {
	createHarness,
	defineTool,
	type Harness,
	harnessAgent,
	memoryStore,
	type RunEvent,
	type RunResult,
	type Wait,
} from "holdpoint";
import { type CrashingStore, type CrashPlan, crashingStore, type FakeClock, fakeClock } from "holdpoint/testing";
import { z } from "zod";
import { isForSummary } from "../packages/holdpoint/src/testing/placed-model.ts";
import { stageKeys } from "../packages/holdpoint/src/testing/stage.ts";
import { Dice } from "./random-story.ts";

/** `quiet`: people speak where nothing moves. `spoken`: also while tools work and summaries are written. */
export type Talk = "quiet" | "spoken";

export interface PlayedContext {
	readonly rules: Rules;
	/** What its model was asked, summaries apart, by process. */
	readonly asked: readonly (readonly LanguageModelV4CallOptions[])[];
	readonly results: readonly RunResult[];
	readonly events: readonly RunEvent[];
	/** Of the first process. */
	readonly commits: number;
	readonly crashes: number;
}

/** What a seed gives before anything is said. */
export interface Rules {
	readonly windowTokens: number;
	readonly answerTokens: number;
	readonly compactAt: number;
	/** By how much the provider counts more than is estimated. */
	readonly countedMore: number;
	readonly turnsMax: number;
	readonly words: readonly string[];
}

export function rulesOf(seed: number): Rules {
	const dice = new Dice(seed, 11);
	return {
		windowTokens: dice.pick([3_000, 4_000, 6_000]),
		answerTokens: 500,
		compactAt: dice.pick([0.7, 0.8, 1]),
		countedMore: dice.pick([1, 1, 1.3, 2]),
		turnsMax: dice.between(8, 40),
		words: Array.from({ length: dice.between(1, 4) }, (_, n) => `Request ${n} of ${seed}: ${textOf(dice)}`),
	};
}

/** Mostly short, sometimes longer than any window. */
function textOf(dice: Dice): string {
	const sign = dice.pick(["word ", "word ", "x", "去", "😀"] as const);
	const count = dice.pick([
		dice.between(1, 30),
		dice.between(1, 30),
		dice.between(100, 600),
		dice.between(2_000, 9_000),
	]);
	return sign.repeat(count);
}

function diceFor(seed: number, said: string): { readonly dice: Dice; readonly hash: string } {
	const hash = createHash("sha256").update(said).digest("hex");
	return { dice: new Dice(seed, Number.parseInt(hash.slice(0, 8), 16)), hash: hash.slice(0, 10) };
}

function randomModel(seed: number, onRequest: (request: LanguageModelV4CallOptions) => Promise<void>): LanguageModelV4 {
	const { countedMore } = rulesOf(seed);
	const generate = async (request: LanguageModelV4CallOptions) => {
		await onRequest(request);
		const prompt = JSON.stringify(request.prompt);
		const content = contentFor(seed, request, prompt);
		const tokens = (prompt.length + JSON.stringify(request.tools ?? []).length) / 4;
		const isCalling = content.some(({ type }) => type === "tool-call");
		return {
			content,
			finishReason: { unified: isCalling ? ("tool-calls" as const) : ("stop" as const), raw: undefined },
			usage: {
				inputTokens: {
					total: Math.ceil(tokens * countedMore),
					noCache: undefined,
					cacheRead: undefined,
					cacheWrite: undefined,
				},
				outputTokens: { total: 10, text: undefined, reasoning: undefined },
			},
			warnings: [],
		};
	};
	return {
		specificationVersion: "v4",
		provider: "test",
		modelId: "random",
		supportedUrls: {},
		doGenerate: generate,
		doStream: () => Promise.reject(new Error("Nobody reads along")),
	};
}

function contentFor(seed: number, request: LanguageModelV4CallOptions, prompt: string): LanguageModelV4Content[] {
	const { dice, hash } = diceFor(seed, prompt);
	if (isForSummary(request)) return [{ type: "text", text: summaryOf(dice, hash) }];
	if (request.toolChoice?.type === "none" || dice.chance(0.07)) {
		return [{ type: "text", text: `answer ${hash} ${textOf(dice)}` }];
	}
	const calls = Array.from({ length: dice.pick([1, 1, 1, 2, 4]) }, (_, at): LanguageModelV4Content => {
		const { tool, args } = callOf(dice, prompt);
		return { type: "tool-call", toolCallId: `k${hash}.${at}`, toolName: tool, input: JSON.stringify(args) };
	});
	return dice.chance(0.2) ? [{ type: "text", text: `thinking ${textOf(dice)}` }, ...calls] : calls;
}

/** Good ones, and ones that are none. */
function summaryOf(dice: Dice, hash: string): string {
	const roll = dice.roll();
	if (roll < 0.6) return `What was done is in the notes ${hash}.`;
	if (roll < 0.7) return `Notes ${hash} without an end: ${"and so on ".repeat(3_000)}`;
	if (roll < 0.8) return "";
	if (roll < 0.9) return "█".repeat(500);
	const details = { statusCode: 400, isRetryable: false };
	throw Object.assign(new Error("no summaries today"), { name: "AI_APICallError", ...details });
}

function callOf(dice: Dice, prompt: string): { readonly tool: string; readonly args: object } {
	const roll = dice.roll();
	if (roll < 0.72)
		return { tool: "look", args: { find: textOf(dice).slice(0, dice.pick([9, 9, 9, 6_000])), n: sizeOf(dice) } };
	if (roll < 0.8)
		return { tool: "pay", args: { n: dice.between(1, 1_000_000), answer: dice.pick(["approve", "deny"]) } };
	if (roll < 0.85) return { tool: "fail", args: {} };
	if (roll < 0.9) {
		const todos = Array.from({ length: dice.between(1, 5) }, (_, n) => ({ text: `todo ${n}`, status: "open" }));
		return { tool: "todo", args: { todos } };
	}
	const names = [...prompt.matchAll(/k[0-9a-f]{10}\.\d|text_[0-9a-f]{8}/g)].map(([name]) => name);
	const name = names[dice.between(0, Math.max(0, names.length - 1))] ?? "none";
	return { tool: "read_result", args: { call: name, from: dice.pick([0, 100, 3_000]) } };
}

/** Characters. */
function sizeOf(dice: Dice): number {
	return dice.pick([
		dice.between(0, 200),
		dice.between(200, 400),
		dice.between(400, 4_000),
		dice.between(4_000, 60_000),
	]);
}

/** What outlives every process. */
class Outside {
	readonly store = memoryStore();
	readonly clock: FakeClock = fakeClock({ skipMs: 20_000 });
	readonly spoken = new Set<string>();

	/** The same thing is said once, whichever process is told to. */
	isNew(name: string): boolean {
		if (this.spoken.has(name)) return false;
		this.spoken.add(name);
		return true;
	}
}

function toolsFor(speak: (of: string) => Promise<void>) {
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({ find: z.string(), n: z.number() }),
		effect: "read",
		execute: async ({ find, n }, { call }) => {
			await speak(`look ${call}`);
			return `found ${find.slice(0, 9)} ${(n % 3 === 0 ? "去" : "x").repeat(n % 3 === 0 ? n / 4 : n)}`;
		},
	});
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ n: z.number(), answer: z.string() }),
		effect: "write",
		repeat: "keyed",
		execute: ({ n }) => `paid ${n} ${"r".repeat(n % 3_000)}`,
	});
	const fail = defineTool({
		name: "fail",
		description: "Fails.",
		input: z.object({}),
		effect: "read",
		execute: () => {
			throw new Error("down");
		},
	});
	return [look, pay, fail];
}

/** One process after the other, each with its plan of a crash and the last one without. */
export async function playContext(seed: number, talk: Talk, plans: readonly CrashPlan[] = []): Promise<PlayedContext> {
	const outside = new Outside();
	const stores = [...plans, {}].map((plan) => crashingStore(outside.store, plan));
	const lives: Life[] = [];
	let results: readonly RunResult[] | undefined;
	for (const store of stores) {
		if (results) break;
		const life = new Life({ seed, talk, outside, store });
		lives.push(life);
		results = await life.live();
	}
	const last = lives.at(-1);
	if (!results || !last) throw new Error("The last process has no plan of a crash, and died");
	return {
		rules: rulesOf(seed),
		asked: lives.map(({ asked }) => asked),
		results,
		events: await last.events(),
		commits: stores[0]?.commits ?? 0,
		crashes: stores.filter(({ crashed }) => crashed).length,
	};
}

interface Living {
	readonly seed: number;
	readonly talk: Talk;
	readonly outside: Outside;
	readonly store: CrashingStore;
}

const session = "talk";
const roundsMax = 200;

/** The life of one process. */
class Life {
	readonly asked: LanguageModelV4CallOptions[] = [];
	private readonly of: Living;
	private readonly harness: Harness;
	private readonly agent;

	constructor(of: Living) {
		this.of = of;
		const { seed, outside, store } = of;
		const { windowTokens, answerTokens, compactAt, turnsMax } = rulesOf(seed);
		const providers = [
			{ name: "facts", tokensMax: 50, provide: ({ run }: { readonly run: string }) => `This is ${run}.` },
		];
		this.agent = harnessAgent({
			name: "clerk",
			instructions: "Serve.",
			programs: false,
			memory: false,
			tools: toolsFor((place) => this.speakAmidst(place)),
			context: { windowTokens, answerTokens, compactAt, providers },
			model: randomModel(seed, (request) => this.note(request)),
		});
		const { clock } = outside;
		const ports = { store, clock, keys: stageKeys, sandbox: "off" as const, agents: [this.agent] };
		this.harness = createHarness({ ...ports, limits: { turnsMax } });
	}

	/** Undefined where it died. */
	async live(): Promise<readonly RunResult[] | undefined> {
		try {
			const results: RunResult[] = [];
			for (const [n, words] of rulesOf(this.of.seed).words.entries()) results.push(await this.answered(n, words));
			return results;
		} catch (error) {
			if (!this.of.store.crashed) throw error;
			// The lease of a dead process runs out.
			this.of.outside.clock.advance(60_000);
			return undefined;
		}
	}

	/** Of all runs, the first one first. */
	async events(): Promise<readonly RunEvent[]> {
		const rows = await this.harness.runs({ session });
		const shown = await Promise.all(rows.map(({ run }) => this.harness.show(run)));
		const after = new Map(shown.map((view) => [view.state.started?.session?.after, view]));
		const events: RunEvent[] = [];
		for (let view = after.get(undefined); view; view = after.get(view.state.run))
			events.push(...view.events.map(({ event }) => event));
		return events;
	}

	private async answered(n: number, words: string): Promise<RunResult> {
		const rows = await this.harness.runs({ session });
		const row = rows.at(-1 - n);
		// Rows are in the order in which they changed last.
		if (!row) this.of.outside.clock.advance(1_000);
		let result = row ? await this.harness.resume(row.run) : await this.harness.session(session, this.agent).send(words);
		for (let round = 0; result.status === "waiting"; round++) {
			if (round === roundsMax) throw new Error("It does not come to an end");
			await this.act(result.run, result.waits);
			result = await this.harness.resume(result.run);
		}
		return result;
	}

	/** Somebody speaks before they answer, or answers. */
	private async act(run: string, waits: readonly Wait[]): Promise<void> {
		const name = JSON.stringify([run, waits.map((wait) => (wait.kind === "approval" ? wait.args : wait.kind))]);
		const { dice } = diceFor(this.of.seed, name);
		if (dice.chance(0.5) && this.of.outside.isNew(name)) {
			const mode = dice.chance(0.7) ? "turn" : "queue";
			await this.harness.tell(run, `By the way: ${textOf(dice)}`, mode);
			if (mode === "turn") return;
		}
		// One after the other: which of two calls at the same time is done first is not in the seed.
		const [wait] = waits;
		if (wait?.kind !== "approval") throw new Error(`Nobody can answer ${JSON.stringify(wait)}`);
		const by = { id: "ann", via: "test" };
		const { answer } = wait.args as { readonly answer: string };
		if (answer === "deny") await this.harness.deny(wait.approval, { by, reason: "not today" });
		else await this.harness.approve(wait.approval, { by });
	}

	private async speakAmidst(place: string): Promise<void> {
		const { seed, talk, outside, store } = this.of;
		const { dice } = diceFor(seed, place);
		if (talk === "quiet" || !dice.chance(0.15) || store.crashed) return;
		const [row] = await this.harness.runs({ session });
		const name = `${row?.run} ${place}`;
		if (row && outside.isNew(name)) await this.harness.tell(row.run, `Meanwhile: ${textOf(dice)}`);
	}

	private async note(request: LanguageModelV4CallOptions): Promise<void> {
		// What a dead process still asks, nobody hears.
		if (this.of.store.crashed) throw new Error("Its process died, and asked nothing more");
		if (isForSummary(request)) return this.speakAmidst(`summary ${this.asked.length}`);
		this.asked.push(structuredClone(request));
	}
}
