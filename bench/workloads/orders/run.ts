import { createHarness, type HarnessOptions } from "../../../packages/holdpoint/src/holdpoint.ts";
import { defineAgent } from "../../../packages/holdpoint/src/run/define-agent.ts";
import type { Harness } from "../../../packages/holdpoint/src/run/harness.ts";
import type { Agent } from "../../../packages/holdpoint/src/spec/agent.ts";
import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";
import type { Tool } from "../../../packages/holdpoint/src/spec/tool.ts";
import { scriptedModel } from "../../../packages/holdpoint/src/testing/scripted-model.ts";
import { call, calls, program, type Story, type StoryAsk, say } from "../../../packages/holdpoint/src/testing/story.ts";
import { defineTool } from "../../../packages/holdpoint/src/tools/define-tool.ts";
import { jsonSchema } from "../../../packages/holdpoint/src/tools/json-schema.ts";
import type { OrderData } from "./order-data.ts";
import {
	grandTotalsFrom,
	grandTotalsProblem,
	orderBatches,
	orderProgram,
	orderPrompt,
	orderTurns,
} from "./order-scripts.ts";
import { orderTools } from "./order-tools.ts";

/*
 * The order totals through the whole harness in three wirings. The model is scripted, so that turns and tokens are what
 * they are for any model that works in this way, and the time is that of the harness alone.
 */

/** One call a turn; everything that can be asked for at the same time in one turn; all of it as one program. */
export type OrderWiring = "turns" | "batches" | "program";
export const orderWirings: readonly OrderWiring[] = ["turns", "batches", "program"];

export interface OrderFigures {
	readonly wiring: OrderWiring;
	/** Answers of the model. */
	readonly turns: number;
	/** Calls of the five tools. */
	readonly calls: number;
	/** Of all requests together: each sends the whole conversation. Counted with gpt-tokenizer. */
	readonly inputTokens: number;
	readonly outputTokens: number;
	/** From the question to the answer with a model that answers at once; the median. Units: milliseconds. */
	readonly hostMs: number;
	/** What is wrong with the totals that were answered, in whichever run it was. */
	readonly problem: string | undefined;
}

/** An agent whose model does the work in one wiring. With `countTokens: false` no time is spent on counting. */
export function orderAgent(data: OrderData, wiring: OrderWiring, { countTokens = true } = {}): Agent {
	return defineAgent({
		name: `orders-${wiring}`,
		instructions:
			"You answer questions about orders. Every figure comes from a tool: never compute a line total yourself.",
		model: scriptedModel(storyOf(data, wiring), { countTokens }),
		tools: toolsOver(data),
		programs: wiring === "program",
	});
}

/** The five tools: all of them look or compute, so that nothing is held. */
function toolsOver(data: OrderData): readonly Tool[] {
	return orderTools(data).map(({ name, description, parameters, run }) =>
		defineTool({
			name,
			description,
			input: jsonSchema(parameters),
			effect: "read",
			execute(args) {
				const outcome = run(args);
				if ("error" in outcome) throw new Error(outcome.error);
				return outcome.result;
			},
		}),
	);
}

function storyOf(data: OrderData, wiring: OrderWiring): Story {
	const turns = orderTurns(data);
	const answer = (ask: StoryAsk) => JSON.stringify(grandTotalsFrom(turns, resultsIn(ask)));
	switch (wiring) {
		case "turns":
			return [...turns.map(({ name, arguments: args }) => call(name, args)), say(answer)];
		case "batches": {
			const batches = orderBatches(data).map((batch) =>
				batch.map(({ name, arguments: args }) => ({ tool: name, args })),
			);
			return [...batches.map((batch) => calls(batch)), say(answer)];
		}
		case "program":
			return [program(orderProgram), say((ask) => JSON.stringify((resultsIn(ask)[0] as { value: Json }).value))];
	}
}

/** Every result that the model has been given, in the order of the calls. */
function resultsIn({ messages }: StoryAsk): readonly Json[] {
	const parts = messages.flatMap((message) => (message.role === "tool" ? message.content : []));
	return parts.flatMap((part) => {
		if (part.type !== "tool-result") return [];
		if (part.output.type !== "json") throw new Error(`A tool answered with ${JSON.stringify(part.output)}`);
		// Wrapped, because a result that is a list is still one result.
		return [part.output.value as Json];
	});
}

export interface OrderRunOptions {
	readonly data: OrderData;
	readonly harness: Harness;
	readonly agent: Agent;
	readonly wiring: OrderWiring;
}

/** Does the work once and judges the answer. */
export async function runOrders({ data, harness, agent, wiring }: OrderRunOptions): Promise<OrderFigures> {
	const began = performance.now();
	const result = await harness.run(agent, orderPrompt);
	const hostMs = performance.now() - began;
	const { state } = await harness.show(result.run);
	const tools = new Set(agent.tools.map(({ name }) => name));
	return {
		wiring,
		turns: state.turns,
		calls: [...state.calls.values()].filter(({ tool }) => tools.has(tool)).length,
		inputTokens: result.usage.inputTokens,
		outputTokens: result.usage.outputTokens,
		hostMs,
		problem: result.status === "completed" ? totalsProblem(data, result.text) : `the run is ${result.status}`,
	};
}

function totalsProblem(data: OrderData, text: string): string | undefined {
	try {
		return grandTotalsProblem(data, JSON.parse(text));
	} catch {
		return `the answer is no JSON: ${text.slice(0, 200)}`;
	}
}

export interface MeasureOptions {
	/** Timed runs of each wiring. Default: 60. */
	readonly rounds?: number;
	/** Untimed runs of each wiring before. Default: 20. */
	readonly warmup?: number;
	/** Where programs run; it is closed at the end. Default: the best that there is. */
	readonly sandbox?: HarnessOptions["sandbox"];
}

/** The figures of the three wirings; store in memory, the wirings by turns. */
export async function measureOrders(data: OrderData, options: MeasureOptions = {}): Promise<readonly OrderFigures[]> {
	const { rounds = 60, warmup = 20, sandbox = "auto" } = options;
	const harness = createHarness({ sandbox });
	try {
		const lanes = [];
		for (const wiring of orderWirings) {
			const counted = await runOrders({ data, harness, wiring, agent: orderAgent(data, wiring) });
			const agent = orderAgent(data, wiring, { countTokens: false });
			lanes.push({ counted, agent, runs: [] as OrderFigures[] });
		}
		for (let round = 0; round < warmup + rounds; round++) {
			for (const { counted, agent, runs } of lanes) {
				runs.push(await runOrders({ data, harness, agent, wiring: counted.wiring }));
			}
		}
		return lanes.map(({ counted, runs }) => ({
			...counted,
			hostMs: median(runs.slice(warmup).map(({ hostMs }) => hostMs)),
			problem: [counted, ...runs].find(({ problem }) => problem)?.problem,
		}));
	} finally {
		await harness.close();
	}
}

function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const at = (index: number) => sorted[Math.trunc(index)] ?? Number.NaN;
	return (at((sorted.length - 1) / 2) + at(sorted.length / 2)) / 2;
}
