/**
 * What a measured process does: it serves what it can measure, one ask after another, over its standard input and
 * output. It lives as long as whoever started it; between two asks it does nothing, so that others can have their turn.
 */
import { createInterface } from "node:readline";
import type { Span } from "./pace.ts";
import { type Numbers, quantile } from "./statistics.ts";

export interface Ask {
	readonly row: string;
	readonly args: Numbers;
	readonly warmup: Span;
	readonly slice: Span;
}

export type Reply = { readonly numbers: Numbers } | { readonly missing: true } | { readonly error: string };

/** One thing that can be measured. */
export type Measure = (ask: Ask) => Promise<Numbers>;

/** Before every line of ours: libraries print, too. */
export const replyMark = "@reply ";

/** Serves until nobody can ask any more; then `end`, and the process is over, whatever it was at. */
export async function serveRows(rows: { readonly [row: string]: Measure }, end?: () => Promise<void>): Promise<void> {
	const lines = createInterface({ input: process.stdin });
	lines.once("close", async () => {
		await end?.();
		process.exit(0);
	});
	for await (const line of lines) {
		const ask = JSON.parse(line) as Ask;
		process.stdout.write(`${replyMark}${JSON.stringify(await replyTo(rows[ask.row], ask))}\n`);
	}
}

async function replyTo(measure: Measure | undefined, ask: Ask): Promise<Reply> {
	if (!measure) return { missing: true };
	try {
		return { numbers: await measure(ask) };
	} catch (error) {
		return { error: error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error) };
	}
}

export interface Timed<State> {
	/** Once for each ask, before it: a fresh store, for one. */
	begin?(args: Numbers): Promise<void> | void;
	/** Before each repetition, outside of the time. */
	prepare?(args: Numbers): Promise<State>;
	/** What is timed. A returned number of milliseconds counts instead of the whole. */
	run(state: State, args: Numbers): Promise<number | undefined> | Promise<void>;
	/** After the ask. */
	end?(): Promise<void>;
}

/** Repeats something for a span of time. Gives `p10`, `p50`, `p95` and the CPU time of this process, in milliseconds. */
export function timed<State = undefined>(work: Timed<State>): Measure {
	return async ({ args, warmup, slice }) => {
		await work.begin?.(args);
		await repeat(work, args, warmup);
		const { times, cpuMs } = await repeat(work, args, slice);
		await work.end?.();
		const [p10, p50, p95] = [0.1, 0.5, 0.95].map((part) => quantile(times, part)) as [number, number, number];
		return { p10, p50, p95, repetitions: times.length, cpu: cpuMs / times.length };
	};
}

async function repeat<State>(work: Timed<State>, args: Numbers, span: Span) {
	const times: number[] = [];
	const until = performance.now() + span.ms;
	let cpuMs = 0;
	while (times.length < span.min || performance.now() < until) {
		const state = (await work.prepare?.(args)) as State;
		const cpu = process.cpuUsage();
		const began = performance.now();
		const own = await work.run(state, args);
		times.push(typeof own === "number" ? own : performance.now() - began);
		const used = process.cpuUsage(cpu);
		cpuMs += (used.user + used.system) / 1_000;
	}
	return { times, cpuMs };
}

/** Live bytes on the heap and beside it, after everything that can be freed was. Needs `--expose-gc`. */
export async function settledBytes(): Promise<number> {
	for (let i = 0; i < 5; i++) {
		await new Promise((resolve) => setTimeout(resolve, 20));
		globalThis.gc?.();
	}
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}
