/** A program with forty held refunds: rehearsed and answered at once, or interrupted forty times. Wasm sandbox, store in memory. */
import { createHarness, defineAgent, defineTool, type Harness, type RunEvent, type SandboxProvider } from "holdpoint";
import { wasmSandbox } from "holdpoint/sandboxes/wasm";
import { z } from "zod";
import { scriptModel } from "../script-model.ts";
import { type Numbers, quantile } from "../statistics.ts";
import { type Ask, serveRows } from "../subject.ts";
import { check, instructions, prompt } from "../work.ts";

const refunds = 40;
const code = `let sum = 0;
for (let n = 0; n < ${refunds}; n++) sum += (await tools.refund({ order: "A-" + n, cents: 500 + n })).refunded;
return sum;`;

/** Refunds that were made. */
let done = 0;
const made = (): number => done;
const refund = defineTool({
	name: "refund",
	description: "Refunds an order.",
	effect: "write",
	input: z.object({ order: z.string(), cents: z.int() }),
	simulate: ({ cents }) => ({ refunded: cents }),
	execute: ({ cents }) => {
		done++;
		return { refunded: cents };
	},
});
const model = scriptModel(({ prompt: messages }) =>
	messages.length === 2 ? { tool: "execute_code", args: { code } } : "done",
);
const agentThat = (rehearse: boolean) =>
	defineAgent({
		name: "desk",
		instructions,
		model,
		tools: [refund],
		programs: { rehearse },
		limits: { callsMax: 1_000 },
	});
const [atOnce, oneByOne] = [agentThat(true), agentThat(false)];
const by = { id: "kim", via: "bench" };

let sandbox: SandboxProvider | undefined;

function open(agent: typeof atOnce): Harness {
	sandbox ??= wasmSandbox();
	done = 0;
	return createHarness({ agents: [agent], sandbox });
}

/** From the start to the last refund, with one answer. */
async function rehearsed(): Promise<Numbers> {
	const harness = open(atOnce);
	let heldAt = 0;
	const onEvent = (event: RunEvent): void => {
		if (event.type === "call.asked") heldAt ||= performance.now();
	};
	const began = performance.now();
	const { run } = await harness.run(atOnce, prompt, { onEvent });
	const listed = performance.now();
	const [held] = await harness.approvals({ run });
	const calls = held?.rehearsal?.rows.length ?? 0;
	check(held?.rehearsal !== undefined && calls === refunds && made() === 0, `${calls} rows, ${made()} refunds`);
	const asking = performance.now();
	await harness.approve(held.approval, { by, rows: "all", rehearsal: held.rehearsal.digest });
	const answered = performance.now();
	const result = await harness.resume(run);
	const ended = performance.now();
	check(result.status === "completed" && made() === refunds, `${result.status}, ${made()} refunds`);
	const [rehearse, answer, finish] = [listed - heldAt, answered - asking, ended - answered];
	return { rehearse, answer, finish, whole: ended - began, calls, answers: 1 };
}

/** The same, asked about each. */
async function interrupted(): Promise<Numbers> {
	const harness = open(oneByOne);
	const began = performance.now();
	let result = await harness.run(oneByOne, prompt);
	let answers = 0;
	while (result.status === "waiting") {
		const [wait] = result.waits;
		check(wait?.kind === "approval", "it waits for a person");
		await harness.approve(wait.approval, { by });
		answers++;
		result = await harness.resume(result.run);
	}
	check(result.status === "completed" && made() === refunds, `${result.status}, ${made()} refunds`);
	return { whole: performance.now() - began, answers };
}

/** The median of each number. */
function repeated(play: () => Promise<Numbers>) {
	return async ({ warmup, slice }: Ask): Promise<Numbers> => {
		const all: Numbers[] = [];
		for (const [at, { ms, min }] of [warmup, slice].entries()) {
			const until = performance.now() + ms;
			for (let times = 0; times < min || performance.now() < until; times++) {
				const numbers = await play();
				if (at > 0) all.push(numbers);
			}
		}
		const names = Object.keys(all[0] ?? {});
		const medians = names.map(
			(name) =>
				[
					name,
					quantile(
						all.map((one) => one[name] ?? 0),
						0.5,
					),
				] as const,
		);
		return Object.fromEntries(medians);
	};
}

await serveRows({ rehearsed: repeated(rehearsed), interrupted: repeated(interrupted) });
