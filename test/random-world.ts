/** What lies outside of the runs that `random-runs.test.ts` interrupts: tools with effects, a policy, a person. */
import { setImmediate } from "node:timers/promises";
import {
	defineTool,
	type Harness,
	type HarnessOptions,
	isHoldpointError,
	OutcomeUnknown,
	type Tool,
	type ToolContext,
	type Wait,
} from "holdpoint";
import { z } from "zod";
import { type CallArgs, directName, editOf, type Kind, kinds } from "./random-story.ts";
import type { WatchedSandbox } from "./watched-sandbox.ts";

/** Something that really happened. */
export interface Effect {
	readonly what: string;
	readonly call: string;
	readonly key: string;
}

/** Remembers what was done to it, whoever did it: it outlives every process. */
export class World {
	readonly effects: Effect[] = [];
	/** Each time that a tool began, as `call attempt`. */
	readonly begun: string[] = [];
	/** What began although the run was over. */
	readonly late: string[] = [];
	/** Set when the run has ended. */
	isOver = false;
	/** Called whenever a tool begins. */
	onBegin: (() => void) | undefined;
	/** Whether the process lives that works here now. */
	isAlive = (): boolean => true;
	private readonly broken = new Set<string>();

	has(what: string): boolean {
		return this.effects.some((effect) => effect.what === what);
	}

	async act(kind: Kind, { n }: CallArgs, context: ToolContext): Promise<string> {
		const { call, attempt, idempotencyKey: key } = context;
		const effect = { what: `${kind} ${n}`, call, key };
		const { isAlive } = this;
		this.begun.push(`${call} ${attempt}`);
		if (this.isOver) this.late.push(effect.what);
		this.onBegin?.();
		// Side by side they take their time, and overtake each other.
		await turns((n * 5) % 4);
		if (!isAlive()) throw new Error("Its process died, and did nothing more");
		switch (kind) {
			case "look":
				return `saw ${n}`;
			case "big":
				// Too long for the journal: it is kept beside it.
				return `saw ${n}`.repeat(4_000);
			case "book":
				return this.keyed(effect);
			case "mail":
				return this.once(effect);
			case "flaky":
				return this.flaky(effect, n);
			case "vague":
				throw new OutcomeUnknown(`the line broke after ${this.once(effect)}`);
			case "bad":
				throw new Error(`${effect.what} cannot be done`);
		}
	}

	/** Honours the key, as a careful service does. */
	private keyed(effect: Effect): string {
		if (!this.effects.some(({ key }) => key === effect.key)) this.effects.push(effect);
		return effect.what;
	}

	/** Knows no keys, as many services do not. */
	private once(effect: Effect): string {
		this.effects.push(effect);
		return effect.what;
	}

	/** The first time its line breaks, before or after it did what it was asked for. */
	private flaky(effect: Effect, n: number): string {
		if (this.broken.has(effect.what)) return this.keyed(effect);
		this.broken.add(effect.what);
		if (n % 2 === 0) this.keyed(effect);
		throw new OutcomeUnknown("the line broke");
	}
}

/** What changes nothing and may be cancelled at any time. */
export const harmless: ReadonlySet<string> = new Set(["look", "big", "direct_look", "direct_big", "execute_code"]);

const verdict = z.enum(["allow", "ask", "deny"]);
const input: z.ZodType<CallArgs> = z.object({
	n: z.number(),
	policy: verdict,
	person: z.enum(["approve", "deny", "edit"]),
	edited: verdict,
});

function worldTool(world: World, kind: Kind, name: string): Tool {
	const effects = harmless.has(kind)
		? ({ effect: "read" } as const)
		: ({ effect: "write", repeat: kind === "book" || kind === "flaky" ? "keyed" : "once" } as const);
	const execute = (args: CallArgs, context: ToolContext) => world.act(kind, args, context);
	return defineTool({ name, description: `Does ${kind}.`, input, ...effects, execute });
}

/** Each kind twice: for programs, and for the model itself. */
export function worldTools(world: World) {
	const direct = kinds.map(directName);
	const tools = kinds.flatMap((kind) => [kind, directName(kind)].map((name) => worldTool(world, kind, name)));
	return { tools, programs: { direct } };
}

/** Says what the call says that it says, of some calls at once and of others so late that a program may end meanwhile. */
export function policyBeside(sandbox: WatchedSandbox): NonNullable<HarnessOptions["policy"]> {
	return ({ tool, args }) => {
		if (tool.name === "execute_code") return { verdict: "allow" };
		const { n, policy: verdict } = argsOf(args);
		const decision = { verdict, reason: "the story wants it" };
		return n % 2 === 0 ? afterPrograms(sandbox).then(() => decision) : decision;
	};
}

async function afterPrograms(sandbox: WatchedSandbox): Promise<void> {
	await turns(1);
	await sandbox.stands();
	await turns(1);
}

/** Of the event loop. */
async function turns(count: number): Promise<void> {
	for (let turn = 0; turn < count; turn++) await setImmediate();
}

const by = { id: "ann", via: "test" };

function argsOf(args: unknown): CallArgs {
	return args as CallArgs;
}

/** Does what somebody must do before a run goes on: answers, or looks into the world. */
export class Person {
	/** How often what nobody knew had not happened. */
	notHappened = 0;
	private readonly world: World;

	constructor(world: World) {
		this.world = world;
	}

	async answer(harness: Harness, run: string, wait: Wait): Promise<void> {
		if (wait.kind === "approval") return this.decide(harness, wait);
		if (wait.kind === "unknown") return this.lookInto(harness, run, wait);
		throw new Error(`Nobody can answer ${JSON.stringify(wait)}`);
	}

	private async decide(harness: Harness, wait: Extract<Wait, { kind: "approval" }>): Promise<void> {
		const args = argsOf(wait.args);
		// Edited once is enough: its question after that is answered with a yes.
		const answer = args.n > 1000 ? "approve" : args.person;
		const answered =
			answer === "deny"
				? harness.deny(wait.approval, { by, reason: "not today" })
				: harness.approve(wait.approval, { by, ...(answer === "edit" ? { args: editOf(args) } : {}) });
		await answered.catch(unless("approval.forbidden", "approval.closed"));
	}

	private async lookInto(harness: Harness, run: string, wait: Extract<Wait, { kind: "unknown" }>): Promise<void> {
		const what = `${wait.tool.replace("direct_", "")} ${argsOf(wait.args).n}`;
		const happened = this.world.has(what);
		if (!happened) this.notHappened++;
		await harness.settle(run, wait.call, { happened, result: what, by }).catch(unless("settle.invalid"));
	}
}

/** It was said before, and has not been read yet. */
function unless(...codes: readonly string[]): (error: unknown) => void {
	return (error) => {
		if (!isHoldpointError(error) || !codes.includes(error.code)) throw error;
	};
}
