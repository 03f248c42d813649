/** Guests of the two sandboxes at their port, for what measures them: no run, no journal. */
import type { SandboxProvider } from "holdpoint";
import { microvmSandbox } from "holdpoint/sandboxes/microvm";
import { wasmSandbox } from "holdpoint/sandboxes/wasm";
import type { Numbers } from "./statistics.ts";
import { check } from "./work.ts";

export type ProgramSpec = Parameters<SandboxProvider["start"]>[0];
export type Guest = Awaited<ReturnType<SandboxProvider["start"]>>;
export type Slice = Awaited<ReturnType<Guest["advance"]>>;

/** One that its caller closes. */
export const freshSandbox = (isMicrovm: number | undefined): SandboxProvider =>
	isMicrovm === 1 ? microvmSandbox() : wasmSandbox({ workersMax: 1 });

const open = new Map<number | undefined, SandboxProvider>();

/** The one of this process, which stays warm. */
export function sandbox({ microvm }: Numbers): SandboxProvider {
	const there = open.get(microvm) ?? freshSandbox(microvm);
	open.set(microvm, there);
	return there;
}

export const limits: ProgramSpec["limits"] = {
	cpuMs: 10_000,
	sliceMs: 5_000,
	memoryBytesMax: 64 * 1_048_576,
	callsMax: 500,
	openCallsMax: 256,
	valueBytesMax: 4_194_304,
	consoleBytesMax: 65_536,
	sourceBytesMax: 262_144,
	snapshotBytesMax: 16 * 1_048_576,
};

export function programOf(source: string, more: Partial<ProgramSpec> = {}): ProgramSpec {
	return { source, tools: ["find"], seed: 1, clockMs: 0, limits, principal: "ann", ...more };
}

/** That many calls one after the other, whose rows are all kept; returns their number. */
export const looping = (calls: number): ProgramSpec =>
	programOf(
		`const rows = []; for (let i = 0; i < ${calls}; i++) rows.push(await tools.find({ i })); return rows.length`,
	);

/** The same calls at once. */
export const batching = (calls: number): ProgramSpec =>
	programOf(`return (await Promise.all(Array.from({ length: ${calls} }, (_, i) => tools.find({ i })))).length`);

const row = JSON.stringify({ id: 7, name: "a row", price: 21 });

/** Answers the calls of these numbers. Resolves with what the program returned, or undefined while it waits. */
export async function advance(guest: Guest, ...calls: readonly number[]): Promise<string | undefined> {
	const { state } = await guest.advance({ answers: calls.map((n) => ({ n, ok: row })), clockMs: 0 });
	check(state.kind === "open" || state.kind === "returned", JSON.stringify(state));
	return state.kind === "open" ? undefined : state.value;
}

/** Runs to the end a program that makes its calls one after the other. */
export async function finish(guest: Guest, calls: number): Promise<void> {
	let n = 0;
	let value = await advance(guest);
	while (value === undefined) value = await advance(guest, ++n);
	check(n === calls && value === String(calls), `${n} calls, then ${value}`);
}

/** A program that waits for a call after so many others. */
export async function waiting(args: Numbers): Promise<Guest> {
	const { calls = 0 } = args;
	const guest = await sandbox(args).start(looping(calls + 1));
	check((await advance(guest)) === undefined, "it waits");
	for (let n = 1; n <= calls; n++) check((await advance(guest, n)) === undefined, "it waits");
	return guest;
}

/** What a sandbox does after a program has its time before the next, as between two answers of a model. */
export const aMoment = (ms = 1): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
