/**
 * What an agent's model was shown at one of its answers, made again from the journal: the same fold, the same view.
 * Instructions and declarations are the agent's, not the journal's: of these it knows how much they were.
 */

import { extendView, messageTokens, newView, wholeFrame } from "../context/view.ts";
import { counted } from "../kit/counted.ts";
import { tokenEstimate } from "../kit/token-estimate.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { ModelAnswered, RunEvent } from "../spec/events.ts";
import type { ModelMessage } from "../spec/model.ts";
import type { Message, Thread } from "./conversation.ts";
import { historyOf } from "./open-run.ts";
import type { RunPorts } from "./run-ports.ts";
import { emptyState, type RunState } from "./run-state.ts";
import { apply, threadOf } from "./state.ts";

/** A share of a prompt. */
export interface ContextPart {
	/** `instructions`: with the declarations of tools. `provided`: what a provider gave. `folded`: what stands for older messages. */
	readonly kind: "instructions" | "provided" | "folded" | "user" | "agent" | "results";
	/** Of a provider. */
	readonly name?: string;
	/** As the provider counted, where it did. */
	readonly tokens: number;
}

export interface ContextView {
	readonly run: string;
	/** Which answer of the run, from 1, and how many there are. */
	readonly turn: number;
	readonly turns: number;
	readonly agent: string;
	readonly parts: readonly ContextPart[];
	readonly tokens: number;
	/** What the prompt may have; undefined: nobody keeps it within anything. */
	readonly budget: number | undefined;
	/** How often the agent's conversation was compacted until then. */
	readonly compactions: number;
	/** Behind the instructions, in their order. */
	readonly provided: readonly { readonly name: string; readonly text: string }[];
	/** As they were shown. */
	readonly messages: readonly ModelMessage[];
}

interface Asked {
	/** As it is now. */
	readonly state: RunState;
	readonly events: readonly RunEvent[];
	/** From 1. Default: the last one. */
	readonly turn: number | undefined;
}

/** Errors: `run.no_such_turn`. */
export async function contextAt(ports: RunPorts, { state: now, events, turn }: Asked): Promise<ContextView> {
	const { run, started, blobs } = now;
	const turns = events.filter(({ type }) => type === "model.answered").length;
	const wanted = turn ?? turns;
	if (!started || turns === 0 || wanted < 1 || wanted > turns) {
		throw new HoldpointError(
			"run.no_such_turn",
			`Run ${run} has ${counted(turns, "answer")} of models, and no answer ${wanted}`,
			{
				details: { run, turns },
			},
		);
	}
	const { before } = await historyOf(ports, started);
	const state = emptyState(run, before, blobs);
	let seen = 0;
	let compactions = 0;
	for (const event of events) {
		if (event.type === "model.answered" && ++seen === wanted) {
			const thread = threadOf(state, event);
			return { run, turn: wanted, turns, compactions, ...shown(thread, event) };
		}
		if (event.type === "context.compacted") compactions++;
		apply(state, event);
	}
	throw new Error("Holdpoint bug: it should hold that an answer that was counted is there");
}

function shown(thread: Thread, answer: ModelAnswered): Omit<ContextView, "run" | "turn" | "turns" | "compactions"> {
	const { agent, context, messages } = thread;
	// What came while it answered, it was not shown.
	const heard = messages.slice(0, messages.length - (answer.unheard ?? 0));
	const view = newView(context.view ?? wholeFrame(answer.resultTokensMax ?? Number.MAX_SAFE_INTEGER));
	extendView(view, heard);
	const { estimate, usage } = answer;
	const ratio = estimate === undefined || usage.estimated ? 1 : usage.inputTokens / estimate;
	const whole = estimate ?? Math.max(usage.inputTokens, view.tokens);
	const provided = context.provided.map(({ name, text }) => ({
		kind: "provided" as const,
		name,
		tokens: tokenEstimate(text),
	}));
	const own = whole - view.tokens - provided.reduce((sum, { tokens }) => sum + tokens, 0);
	const parts: ContextPart[] = [
		{ kind: "instructions", tokens: Math.max(0, own) },
		...provided,
		...partsOf(view.messages, view.head),
	];
	return {
		agent,
		parts: parts.map((part) => ({ ...part, tokens: Math.round(part.tokens * ratio) })),
		tokens: Math.round(whole * ratio),
		budget: answer.budget ?? context.budget,
		provided: context.provided,
		messages: view.messages,
	};
}

const kinds = { user: "user", assistant: "agent", tool: "results", system: "instructions" } as const;

function partsOf(messages: readonly Message[], head: ModelMessage | undefined): ContextPart[] {
	const sums = new Map<ContextPart["kind"], number>();
	for (const message of messages) {
		const kind = message === head ? "folded" : kinds[message.role];
		sums.set(kind, (sums.get(kind) ?? 0) + messageTokens(message));
	}
	const order: readonly ContextPart["kind"][] = ["folded", "user", "agent", "results"];
	return order.flatMap((kind) => (sums.has(kind) ? { kind, tokens: sums.get(kind) ?? 0 } : []));
}
