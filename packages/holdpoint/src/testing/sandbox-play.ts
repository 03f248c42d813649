import { strict as assert } from "node:assert";
import { defaultProgramLimits, type ProgramLimits } from "../spec/limits.ts";
import type { Answer, Ask, Delivery, Guest, ProgramSpec, SandboxProvider, Slice, SliceState } from "../spec/sandbox.ts";

/** Gives the provider under test. Without `fresh` it may be the same one each time; whoever makes one closes it. */
export type MakeSandbox = (options?: { readonly fresh?: boolean }) => SandboxProvider;

/** One promise that every sandbox provider keeps. */
export interface SandboxCase {
	readonly name: string;
	run(make: MakeSandbox): Promise<void>;
}

export interface PlayOptions {
	readonly tools?: readonly string[];
	readonly seed?: number;
	readonly clockMs?: number;
	readonly limits?: Partial<ProgramLimits>;
	readonly signal?: AbortSignal;
	/** What each call is answered with; its own arguments where left out. */
	readonly answer?: (ask: Ask) => Answer | unknown;
}

/** What a program came to. */
export interface Played {
	readonly asks: readonly Ask[];
	readonly console: string;
	readonly state: Exclude<SliceState, { kind: "open" }>;
	readonly slices: readonly Slice[];
}

export const startClockMs = 1_750_000_000_000;

/** A program that may call `search` and `pay`, with limits small enough for a test. */
export function programOf(source: string, options: PlayOptions = {}): ProgramSpec {
	return {
		source,
		tools: options.tools ?? ["search", "pay"],
		seed: options.seed ?? 7,
		clockMs: options.clockMs ?? startClockMs,
		limits: { ...defaultProgramLimits, sliceMs: 20_000, ...options.limits },
		principal: "user:test",
	};
}

/** A delivery of these answers, in this order. */
export function deliveryOf(answers: readonly Answer[], clockMs: number = startClockMs): Delivery {
	return { answers, clockMs };
}

export function ok(n: number, value: unknown): Answer {
	return { n, ok: JSON.stringify(value) };
}

/** Starts a program and returns its guest with the first slice. */
export async function begin(
	provider: SandboxProvider,
	source: string,
	options: PlayOptions = {},
): Promise<{ guest: Guest; slice: Slice; program: ProgramSpec }> {
	const program = programOf(source, options);
	const guest = await provider.start(program);
	const slice = await guest.advance(deliveryOf([], program.clockMs), options.signal);
	return { guest, slice, program };
}

/** Runs a program to its end; every slice's calls are answered together, in their order. */
export async function play(provider: SandboxProvider, source: string, options: PlayOptions = {}): Promise<Played> {
	const { guest, slice: first } = await begin(provider, source, options);
	const slices = [first];
	let slice = first;
	while (slice.state.kind === "open") {
		const answers = slice.asks.map((ask) => answerOf(ask, options));
		assert.ok(answers.length > 0, "a program that waits has asked for something");
		slice = await guest.advance(deliveryOf(answers), options.signal);
		slices.push(slice);
	}
	guest.dispose();
	const { state } = slice;
	assert.notEqual(state.kind, "open");
	return {
		asks: slices.flatMap((one) => one.asks),
		console: slices.map((one) => one.console).join(""),
		state: state as Played["state"],
		slices,
	};
}

function answerOf(ask: Ask, options: PlayOptions): Answer {
	const answer = options.answer ? options.answer(ask) : JSON.parse(ask.args || "null");
	return isAnswer(answer) ? answer : ok(ask.n, answer);
}

function isAnswer(value: unknown): value is Answer {
	return typeof value === "object" && value !== null && "n" in value && ("ok" in value || "error" in value);
}

/** The value that a program returned. Fails where it did not return. */
export function valueOf(played: { readonly state: SliceState }): unknown {
	assert.equal(played.state.kind, "returned", `it returned: ${JSON.stringify(played.state)}`);
	return played.state.kind === "returned" ? JSON.parse(played.state.value) : undefined;
}

/** Runs a program and returns its value. */
export async function evaluate(provider: SandboxProvider, source: string, options?: PlayOptions): Promise<unknown> {
	return valueOf(await play(provider, source, options));
}

/** What a program threw. Fails where it did not throw. */
export function errorOf(played: { readonly state: SliceState }): { name: string; message: string; line: number } {
	if (played.state.kind !== "threw") assert.fail(`it threw: ${JSON.stringify(played.state)}`);
	return played.state.error;
}

/** Which limit stopped a program. Fails where none did. */
export function limitOf(played: { readonly state: SliceState }): string {
	if (played.state.kind !== "stopped") assert.fail(`it was stopped: ${JSON.stringify(played.state)}`);
	assert.ok(played.state.message.length > 0, "a stop says why");
	return played.state.limit;
}

/** A program that behaves: whatever ran before it, it must come to this. */
export async function assertUnharmed(provider: SandboxProvider): Promise<void> {
	const played = await play(
		provider,
		"console.log('fine'); const r = await tools.search({ q: 1 }); return [r.q, 1 + 1];",
	);
	assert.deepEqual(valueOf(played), [1, 2]);
	assert.equal(played.console, "fine\n");
	assert.deepEqual(
		played.asks.map((ask) => [ask.n, ask.tool, ask.args]),
		[[1, "search", '{"q":1}']],
	);
}

/** A slice without what no two machines agree on. */
export function comparable(slice: Slice): Omit<Slice, "cpuMs"> {
	const { cpuMs: _, ...rest } = slice;
	return rest;
}
