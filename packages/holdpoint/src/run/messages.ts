import type { LanguageModelV4ToolResultPart } from "@ai-sdk/provider";
import { callOfNote, resultNote } from "../context/result-note.ts";
import { outputText } from "../context/shown-message.ts";
import { isNameOfText, nameOfText } from "../context/text-name.ts";
import type { Json } from "../spec/json.ts";
import type { CallState } from "./call-state.ts";
import type { Message } from "./conversation.ts";

/** What the model reads of a call that has an outcome. */
export function resultMessage(call: CallState, value: Json): LanguageModelV4ToolResultPart {
	return { type: "tool-result", toolCallId: call.modelId, toolName: call.tool, output: outputOf(call, value) };
}

function outputOf(call: CallState, value: Json): LanguageModelV4ToolResultPart["output"] {
	const outcome = call.outcome;
	if (outcome === undefined || "ok" in outcome || "blob" in outcome) {
		if (call.edited && call.args !== undefined) {
			return { type: "json", value: { note: editedNote, executedWith: call.args, result: value } as never };
		}
		return typeof value === "string" ? { type: "text", value } : { type: "json", value: value as never };
	}
	return { type: "error-text", value: failureText(call) };
}

const editedNote = "The approver changed the arguments before it ran.";

/** The sentence for an outcome that is not a value. */
export function failureText(call: CallState): string {
	const outcome = call.outcome;
	if (!outcome) return "";
	if ("failed" in outcome) return outcome.failed;
	if ("denied" in outcome) return `Denied${outcome.by ? ` by ${outcome.by}` : ""}, not executed: ${outcome.denied}`;
	if ("cancelled" in outcome) {
		return `${call.attempt > 0 ? "Cancelled before its end" : "Cancelled, not executed"}: ${outcome.cancelled}`;
	}
	if ("unknown" in outcome) return `It was started and nobody knows yet whether it happened: ${outcome.unknown}`;
	return "";
}

/** What the model reads of a call that is still open while somebody speaks to it. */
export function pendingNote(call: CallState): LanguageModelV4ToolResultPart {
	const value = call.isInBackground
		? `Started in the background as ${call.modelId}. Go on with other work, or answer; its result will be given to you.`
		: `Pending: ${pendingState(call)}. Do not repeat it; its result will be given to you later.`;
	return { type: "tool-result", toolCallId: call.modelId, toolName: call.tool, output: { type: "text", value } };
}

function pendingState(call: CallState): string {
	if (call.program) return "it stands in its middle and waits";
	return call.attempt > 0
		? "it was started and its outcome is being looked into"
		: "not executed yet, it waits for an approval";
}

/** How a result enters the conversation after its call had read as pending. */
export function lateNote(call: CallState, value: Json): string {
	const outcome = call.outcome;
	const happened = outcome && ("ok" in outcome || "blob" in outcome);
	const text = happened ? JSON.stringify(value) : failureText(call);
	const edited = happened && call.edited ? ` (${editedNote} Executed with ${JSON.stringify(call.args)})` : "";
	return resultNote({ tool: call.tool, id: call.modelId, said: `${edited}: ${text}` });
}

/**
 * What an agent was given as the result of a call, by the id that its model knows: with the others of its turn, or later
 * as a note; or what somebody said, by its name. `late`: that note, where the call is of this run; of an earlier one it is known by its words alone.
 */
export function resultIn(messages: readonly Message[], modelId: string, late: string | undefined): string | undefined {
	const isText = isNameOfText(modelId);
	for (const message of messages.toReversed()) {
		if (message.role === "system") continue;
		for (const part of message.content) {
			if (part.type === "text" && isText && nameOfText(part.text) === modelId) return part.text;
			if (part.type === "tool-result" && part.toolCallId === modelId) return outputText(part);
			if (part.type !== "text" || callOfNote(part.text) !== modelId) continue;
			if (late === undefined || part.text === late) return part.text;
		}
	}
	return undefined;
}
