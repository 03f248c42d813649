/**
 * Asks a tool what became of a call whose outcome is not known, before a person is bothered (I7).
 *
 * 1. It is asked when nothing else can move, and again by whoever goes on with a run that waits for that.
 * 2. What it says counts as if the tool had returned it. What it does not say stays unknown, and so does whatever goes
 *    wrong in it.
 */
import { reasonOf } from "../kit/reason-of.ts";
import type { Outcome } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Tool, ToolContext } from "../spec/tool.ts";
import type { CallState } from "./call-state.ts";
import { failedWith } from "./failed-with.ts";
import type { Segment } from "./segment.ts";

export interface Asking {
	readonly tool: Tool;
	/** Canonical text of the arguments. */
	readonly text: string;
	/** Why it is not known. */
	readonly why: string;
	readonly context: ToolContext & { inTime(work: PromiseLike<unknown>): Promise<unknown> };
	/** What the tool's value is as an outcome. */
	readonly toOutcome: (value: unknown) => Promise<Outcome>;
}

/** The outcome, known where the tool knows it. Never rejects. */
export async function lookUp({ tool, text, why, context, toOutcome }: Asking): Promise<Outcome> {
	const { lookup } = tool;
	if (!lookup) return { unknown: why };
	const unknownBecause = (more: string) => ({ unknown: `${why}; ${more}`.slice(0, fixedLimits.errorCharsMax) });
	try {
		const said = await context.inTime(
			Promise.resolve(lookup(context.idempotencyKey, JSON.parse(text) as Json, context)),
		);
		const answer = typeof said === "object" && said !== null ? said : {};
		const { happened, didNotHappen, unknown } = answer as Record<string, unknown>;
		if (happened !== undefined) return await toOutcome(happened);
		if (typeof didNotHappen === "string")
			return failedWith("settled.did_not_happen", `${tool.name} did not happen: ${didNotHappen}`);
		return unknownBecause(typeof unknown === "string" ? unknown : "looking it up gave no answer");
	} catch (error) {
		return unknownBecause(`it could not be looked up: ${reasonOf(error)}`);
	}
}

/** Of what waits for somebody to find it out, what a tool can say by now. Returns whether anything was settled. */
export async function lookUpUnknown(
	segment: Segment,
	ask: (call: CallState, tool: Tool, why: string) => Promise<Outcome>,
): Promise<boolean> {
	let isAny = false;
	for (const call of segment.state.calls.values()) {
		const tool = segment.toolOf(call);
		const outcome = call.phase === "unknown" ? call.outcome : undefined;
		if (!outcome || !("unknown" in outcome) || !tool?.lookup || segment.lookedUp.has(call.id)) continue;
		segment.lookedUp.add(call.id);
		const found = await ask(call, tool, outcome.unknown);
		if ("unknown" in found || call.phase !== "unknown" || segment.isOver) continue;
		segment.emit({ type: "call.settled", call: call.id, outcome: found, by: { id: tool.name, via: "lookup" } });
		isAny = true;
	}
	return isAny;
}
