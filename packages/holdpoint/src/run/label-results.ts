/**
 * Labels of what comes into a run. Each event that brings something is given its label before it is written, so that the
 * journal alone says what was known of everything that the model, or a program, had seen.
 *
 * A program sees what its calls return; the run sees what the program returns. A program that returns nothing has shown
 * the model nothing.
 */
import { joinLabels, labelOf, worstLabel } from "../labels/label.ts";
import type { Outcome, RunEvent } from "../spec/events.ts";
import type { Label } from "../spec/label.ts";
import type { Tool } from "../spec/tool.ts";
import type { CallState } from "./call-state.ts";
import { labelSeenIn } from "./conversation.ts";
import { callOf, type RunState } from "./run-state.ts";
import { labelOfEdit } from "./state.ts";

/** Of what a provider looked up by itself. */
export const foreignLabel: Label = worstLabel("the provider");

/** The event with its label. */
export function withLabel(event: RunEvent, state: RunState, toolOf: (call: CallState) => Tool | undefined): RunEvent {
	switch (event.type) {
		case "call.finished":
		case "call.settled": {
			const call = callOf(state, event.call);
			const tool = toolOf(call);
			const isSettled = event.type === "call.settled";
			const isHandoff = "handsTo" in event && event.handsTo !== undefined;
			const label = labelOfOutcome(event.outcome, { call, tool, isSettled, isHandoff, own: event.label });
			const declassifies = tool?.labels?.declassifies === true && "ok" in event.outcome;
			return { ...event, ...(label ? { label } : {}), ...(declassifies ? { declassifies } : {}) };
		}
		case "model.answered": {
			// What the provider's own tools brought: nobody here knows whose words they are.
			const isForeign = event.content.some(
				(part) => part.type === "tool-result" || (part.type === "tool-call" && part.providerExecuted),
			);
			return isForeign ? { ...event, label: foreignLabel } : event;
		}
		default:
			return event;
	}
}

interface Ended {
	readonly call: CallState;
	readonly tool: Tool | undefined;
	/** A person says what came of it. */
	readonly isSettled: boolean;
	readonly isHandoff: boolean;
	/** As a tool of Holdpoint's own says. */
	readonly own: Label | undefined;
}

function labelOfOutcome(outcome: Outcome, { call, tool, isSettled, isHandoff, own }: Ended): Label | undefined {
	const edited = labelOfEdit(call);
	// Our own words, or those of the person who denied it; what was never started returned nothing of its tool.
	const isOurs = "denied" in outcome || "cancelled" in outcome || (!isSettled && call.attempt === 0);
	if (isOurs) return edited;
	if (call.program) return showsNothing(outcome) ? edited : call.program.label;
	if (tool?.inRun) return joinLabels(own, edited);
	if (call.inside) return joinLabels(labelSeenIn(call.inside), edited);
	// What the run itself gives to programs says what is declared. Every other tool without a label has the worst.
	const isOwn = call.tool.startsWith("$") || isHandoff;
	return joinLabels(isOwn ? undefined : labelOf(tool?.labels, call.id), edited);
}

/** Neither a value nor a word on the console. */
function showsNothing(outcome: Outcome): boolean {
	if (!("ok" in outcome)) return false;
	const { ok } = outcome;
	return JSON.stringify(ok) === '{"value":null}';
}

/** Where labels were not kept from the beginning, nothing is known of what was seen. */
export function labelSeen(state: RunState, call: CallState): Label | undefined {
	return state.started?.labels ? call.label : worstLabel("an earlier part of this run");
}
