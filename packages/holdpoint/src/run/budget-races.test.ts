/**
 * Many runs of several processes against the same budgets, which die at any commit: an account is never overdrawn, and in
 * the end what is spent is what was done.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LanguageModelV4 } from "@ai-sdk/provider";
import * as fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { sqliteStore } from "../adapters/stores/sqlite.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { Store } from "../spec/store.ts";
import { fakeClock } from "../testing/fake-clock.ts";
import { ofType, type Stage, stage } from "../testing/stage.ts";
import { calls, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

interface Payment {
	readonly cents: number;
	readonly fails: boolean;
}

interface Death {
	/** At which commit of its process, whatever that carries. */
	readonly at: number;
	readonly when: "before" | "after";
}

interface Plan {
	readonly cents: number;
	readonly times: number;
	readonly tokens: number;
	/** Payments of each run. */
	readonly runs: readonly (readonly Payment[])[];
	/** One after the other; of each, one process for each death: the runs go round. */
	readonly generations: readonly (readonly Death[])[];
}

/** Of each answer: what is held for one is more. */
const usage = { input: 3, output: 5 };

/** A process that dies at any commit, with or without an entry. */
function dying(store: Store, { at, when }: Death, onDeath: () => void): Store {
	let commits = 0;
	const die = () => Promise.reject(new Error("the process is dead"));
	return {
		...store,
		commit: async (run, epoch, writes) => {
			const now = ++commits;
			if (now === at) onDeath();
			if (now > at || (now === at && when === "before")) return die();
			const receipt = await store.commit(run, epoch, writes);
			return now === at ? die() : receipt;
		},
		acquire: (run, request) => (commits >= at ? die() : store.acquire(run, request)),
	};
}

class Play {
	readonly plan: Plan;
	readonly store: Store;
	/** What an honest world did, by its key. */
	readonly done = new Map<string, number>();
	readonly overdrawn: string[] = [];
	/** Processes. */
	died = 0;
	private readonly scene: Stage;

	private readonly open: () => Store;

	/** `open`: the store as another process opens it. */
	constructor(plan: Plan, open: () => Store) {
		this.plan = plan;
		this.open = () => {
			const inner = open();
			return { ...inner, commit: (...args) => inner.commit(...args).finally(() => this.look(inner)) };
		};
		this.store = this.open();
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			repeat: "keyed",
			input: z.object({ cents: z.int(), fails: z.boolean(), n: z.int() }),
			execute: ({ cents, fails }, { idempotencyKey }) => {
				if (fails) throw new Error("no money moved");
				this.done.set(idempotencyKey, cents);
				return "paid";
			},
		});
		this.scene = stage({
			story: ({ messages, results }) => {
				if (results.length > 0) return say("done");
				const { content } = messages.at(-1) ?? {};
				const [text] = content as { text: string }[];
				const list = JSON.parse(text?.text ?? "") as Payment[];
				return calls(list.map((payment, n) => ({ tool: "pay", args: { ...payment, n } })));
			},
			around: counted,
			clock: fakeClock({ skipMs: 20_000 }),
			tools: [pay],
			settings: { maxOutputTokens: usage.output },
			limits: { attemptsMax: 50 },
			store: this.store,
			harness: {
				policy: () => ({ verdict: "allow" }),
				budgets: [
					{ name: "cents", window: "month", counts: { tool: "pay", sum: "cents" }, max: plan.cents },
					{ name: "times", counts: "calls", max: plan.times },
					{ name: "tokens", per: "principal", counts: "tokens", max: plan.tokens },
				],
			},
		});
	}

	/** At all times. */
	private async look(store: Store): Promise<void> {
		for (const { account, spent, held } of await store.accounts({ prefix: "budget:" })) {
			const name = account.slice("budget:".length).split("/")[0] as "cents" | "times" | "tokens";
			if (spent + held > this.plan[name]) this.overdrawn.push(`${account}: ${spent} + ${held}`);
		}
	}

	async all(): Promise<void> {
		for (const [generation, deaths] of this.plan.generations.entries()) {
			const processes = deaths.map((death) =>
				this.scene.again({ store: dying(this.open(), death, () => this.died++) }),
			);
			const begun = this.plan.runs.map((payments, at) => {
				// The next ones go on with what others had begun.
				const process = processes[(at + generation) % processes.length] ?? this.scene;
				const options = { runId: `r${at}`, principal: "ann" };
				return process.harness.run(process.agent, JSON.stringify(payments), options);
			});
			await Promise.allSettled(begun);
			await Promise.all(processes.map(({ harness }) => harness.close()));
			this.scene.clock.advance(60_000);
		}
		// Whoever goes on with them is a process that lives.
		await Promise.all(this.plan.runs.map((payments, at) => this.finish(`r${at}`, payments)));
	}

	private async finish(run: string, payments: readonly Payment[]): Promise<void> {
		for (let tries = 0; tries < 50; tries++) {
			this.scene.clock.advance(60_000);
			const options = { runId: run, principal: "ann" };
			try {
				const { status } = await this.scene.harness.run(this.scene.agent, JSON.stringify(payments), options);
				if (status !== "waiting") return;
			} catch (error) {
				if (!isHoldpointError(error) || error.retry !== "safe") throw error;
			}
		}
		throw new Error(`${run} does not come to an end`);
	}

	async check(): Promise<void> {
		expect(this.overdrawn).toEqual([]);
		const rows = await this.store.accounts({ prefix: "budget:" });
		const spent = new Map(rows.map((row) => [row.account.slice("budget:".length).split("/")[0], row.spent]));
		expect(rows.map(({ held }) => held).filter((held) => held > 0)).toEqual([]);
		const paid = [...this.done.values()];
		expect(spent.get("cents") ?? 0).toBe(paid.reduce((sum, cents) => sum + cents, 0));
		expect(spent.get("times") ?? 0).toBe(paid.length);
		// Of an answer that died with its process nobody knows what it took: what was held for it is spent.
		const journals = await Promise.all(this.plan.runs.map((_, at) => this.scene.events(`r${at}`)));
		const answers = journals.flatMap((events) => ofType(events, "model.answered"));
		const least = answers.length * (usage.input + usage.output);
		expect(spent.get("tokens") ?? 0).toBeGreaterThanOrEqual(least);
		if (this.plan.generations.length === 0) expect(spent.get("tokens") ?? 0).toBe(least);
	}
}

function counted(model: LanguageModelV4): LanguageModelV4 {
	const { input, output } = usage;
	return {
		...model,
		doGenerate: async (request) => ({
			...(await model.doGenerate(request)),
			usage: {
				inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
				outputTokens: { total: output, text: output, reasoning: undefined },
			},
		}),
	};
}

const payment = fc.record({ cents: fc.nat({ max: 9 }), fails: fc.boolean() });
const death = fc.record({ at: fc.integer({ min: 1, max: 60 }), when: fc.constantFrom("before", "after") });
const plan: fc.Arbitrary<Plan> = fc.record({
	cents: fc.integer({ min: 1, max: 60 }),
	times: fc.integer({ min: 1, max: 12 }),
	tokens: fc.integer({ min: 1, max: 3_000 }),
	runs: fc.array(fc.array(payment, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }),
	generations: fc.array(fc.array(death, { minLength: 1, maxLength: 3 }), { maxLength: 2 }),
});

test("in one memory, commits in any order", { timeout: 120_000 }, () =>
	fc.assert(
		fc.asyncProperty(plan, fc.scheduler(), async (plan, scheduler) => {
			const inner = memoryStore();
			const commit = scheduler.scheduleFunction(inner.commit) as Store["commit"];
			const play = new Play(plan, () => ({ ...inner, commit, close: async () => undefined }));
			await scheduler.waitFor(play.all());
			await play.check();
		}),
		{ numRuns: 100 },
	),
);

test("in one SQLite file, each process with a connection of its own", { timeout: 120_000 }, () =>
	fc.assert(
		fc.asyncProperty(plan, async (plan) => {
			const folder = mkdtempSync(join(tmpdir(), "holdpoint-budgets-"));
			const play = new Play(plan, () => sqliteStore(join(folder, "runs.db")));
			try {
				await play.all();
				await play.check();
			} finally {
				await play.store.close();
				rmSync(folder, { recursive: true, force: true });
			}
		}),
		{ numRuns: 15 },
	),
);

describe("a hundred runs at once against one account", () => {
	const runs = Array.from({ length: 100 }, () => [{ cents: 3, fails: false }]);
	const hundred = { cents: 100, times: 1_000, tokens: 1e6, runs };

	test("use all of it, and no more", { timeout: 60_000 }, async () => {
		const folder = mkdtempSync(join(tmpdir(), "holdpoint-budgets-"));
		onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
		for (const store of [memoryStore(), sqliteStore(join(folder, "runs.db"))]) {
			const play = new Play({ ...hundred, generations: [] }, () => store);
			await play.all();
			await play.check();
			expect(play.done.size).toBe(33);
			await store.close();
		}
	});

	test("do so too where the processes that share them die at any commit, and others after them", {
		timeout: 60_000,
	}, async () => {
		const anyDeath = fc.record({ at: fc.integer({ min: 1, max: 150 }), when: fc.constantFrom("before", "after") });
		const generations = fc.array(fc.array(anyDeath, { minLength: 3, maxLength: 5 }), { minLength: 1, maxLength: 3 });
		let died = 0;
		await fc.assert(
			fc.asyncProperty(generations, async (generations) => {
				const inner = memoryStore();
				const play = new Play({ ...hundred, generations }, () => ({ ...inner, close: async () => undefined }));
				await play.all();
				await play.check();
				died += play.died;
				// A payment that failed or was refused in its run is none that a later one would have made.
				expect(play.done.size).toBe(33);
			}),
			{ numRuns: 15 },
		);
		expect(died).toBeGreaterThan(15);
	});
});
