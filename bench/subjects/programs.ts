/** Programs in the wasm sandbox, each inside a whole governed run: the model writes it, reads its value and is done. */
import { createHarness, defineAgent, defineTool, type Harness, type RunEvent, type SandboxProvider } from "holdpoint";
import { wasmSandbox } from "holdpoint/sandboxes/wasm";
import { z } from "zod";
import { scriptModel } from "../script-model.ts";
import type { Numbers } from "../statistics.ts";
import { type Measure, serveRows, timed } from "../subject.ts";
import { check, instructions, lookup, priceOf, prompt, toolDescription } from "../work.ts";

const sources = {
	empty: "return 1",
	sequential: (calls: number) =>
		`let s = 0; for (let i = 0; i < ${calls}; i++) s += (await tools.lookup({ id: i })).price; return s`,
	parallel: (calls: number) =>
		`const all = await Promise.all(Array.from({ length: ${calls} }, (_, id) => tools.lookup({ id })));
return all.reduce((sum, item) => sum + item.price, 0)`,
	/** Its rows are still needed after the wait, so that they are in the snapshot. */
	held: (calls: number) =>
		`const rows = []; for (let i = 0; i < ${calls}; i++) rows.push(await tools.lookup({ id: i }));
const paid = await tools.pay({ id: 7 }); return rows.reduce((sum, row) => sum + row.price, paid.price)`,
	gated: "return (await tools.gate({ id: 1 })).price",
};

let source = sources.empty;
let expected = 1;
let gate: Promise<void> = Promise.resolve();

const input = z.object({ id: z.number() });
const find = defineTool({ name: "lookup", description: toolDescription, input, effect: "read", execute: lookup });
const pay = defineTool({ name: "pay", description: "pay an item", input, effect: "write", execute: lookup });
const wait = defineTool({
	name: "gate",
	description: "waits",
	input,
	effect: "read",
	execute: (args) => gate.then(() => lookup(args)),
});

/** Writes the program, and is done once it has read the right value. */
const model = scriptModel(({ prompt: messages }) => {
	if (messages.length === 2) return { tool: "execute_code", args: { code: source } };
	const said = JSON.stringify(messages.at(-1)?.content);
	return said.includes(`"value":${expected}}`) || said.includes(`value\\":${expected}}`) ? "done" : said;
});
const limits = { callsMax: 10_000, turnsMax: 10 };
const programs = { limits: { callsMax: 10_000 } };
const agent = defineAgent({ name: "bench", instructions, model, tools: [find, pay, wait], programs, limits });

let harness: Harness;
let sandbox: SandboxProvider | undefined;

function open(provider: SandboxProvider): void {
	harness = createHarness({
		agents: [agent],
		sandbox: provider,
		policy: ({ tool }) => (tool.name === "pay" ? { verdict: "ask", reason: "it costs" } : { verdict: "allow" }),
	});
}

/** A fresh store; the sandbox and its workers stay warm. */
function begin(): void {
	sandbox ??= wasmSandbox();
	open(sandbox);
}

function plan(text: string, value: number): void {
	source = text;
	expected = value;
}

async function runToEnd(): Promise<void> {
	const result = await harness.run(agent, prompt);
	check(result.status === "completed" && result.output === "done", JSON.stringify(result));
}

function running(planned: (args: Numbers) => readonly [text: string, value: number]): Measure {
	return timed({
		begin(args) {
			begin();
			plan(...planned(args));
		},
		run: runToEnd,
	});
}

interface Waiting {
	readonly run: string;
	readonly approval: string;
	/** From the held call to the end of the run's segment. */
	readonly suspendMs: number;
	readonly snapshotBytes: number;
}

async function suspend(): Promise<Waiting> {
	let askedAt = 0;
	let snapshotBytes = 0;
	const onEvent = (event: RunEvent): void => {
		if (event.type === "call.asked" && event.tool === "pay") askedAt = performance.now();
		if (event.type === "program.suspended") snapshotBytes = event.snapshot?.bytes ?? 0;
	};
	const result = await harness.run(agent, prompt, { onEvent });
	const suspendMs = performance.now() - askedAt;
	const held = result.status === "waiting" ? result.waits[0] : undefined;
	check(held?.kind === "approval" && snapshotBytes > 0, JSON.stringify(result));
	return { run: result.run, approval: held.approval, suspendMs, snapshotBytes };
}

function beginHeld({ calls = 0 }: Numbers): void {
	begin();
	plan(sources.held(calls), priceOf(calls) + 21);
}

/**
 * A program that no ready guest is there for: the one that a worker keeps is held by another program meanwhile.
 * Times the second program of two, on a sandbox that keeps one guest ready.
 */
const cold = timed({
	begin() {
		sandbox ??= wasmSandbox({ workersMax: 1, warm: 1 });
		open(sandbox);
	},
	async run() {
		const opened = Promise.withResolvers<void>();
		const isHeld = Promise.withResolvers<void>();
		gate = opened.promise;
		plan(sources.gated, 3);
		const first = harness.run(agent, prompt, {
			onEvent: (event) => event.type === "call.started" && event.call !== "c1" && isHeld.resolve(),
		});
		await isHeld.promise;
		plan(sources.empty, 1);
		const began = performance.now();
		await runToEnd();
		const ms = performance.now() - began;
		plan(sources.gated, 3);
		opened.resolve();
		check((await first).status === "completed", "the first program ends, too");
		return ms;
	},
});

await serveRows({
	empty: running(() => [sources.empty, 1]),
	sequential: running(({ calls = 1 }) => [sources.sequential(calls), priceOf(calls)]),
	parallel: running(({ calls = 1 }) => [sources.parallel(calls), priceOf(calls)]),
	cold,
	/** The first program of a process: it starts a worker and compiles the engine. */
	async first() {
		begin();
		plan(sources.empty, 1);
		const began = performance.now();
		await runToEnd();
		return { p50: performance.now() - began };
	},
	suspend: timed({
		begin: beginHeld,
		run: async () => (await suspend()).suspendMs,
	}),
	resume: timed({
		begin: beginHeld,
		async prepare() {
			const { run, approval } = await suspend();
			await harness.approve(approval);
			return run;
		},
		async run(run) {
			const result = await harness.resume(run);
			check(result.status === "completed" && result.output === "done", JSON.stringify(result));
		},
	}),
	async kept({ args }) {
		beginHeld(args);
		return { p50: (await suspend()).snapshotBytes };
	},
});
