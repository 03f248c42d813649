import type { AnswerPart, ModelMessage, ToolCallPart } from "../spec/model.ts";

type AssistantMessage = Extract<ModelMessage, { role: "assistant" }>;
type SentPart = AssistantMessage["content"][number];
type Output = Extract<SentPart, { type: "tool-result" }>["output"];

/**
 * An answer as the message that tells the model what it said.
 *
 * Arguments are sent as an object, because every provider accepts one and none accepts more: no arguments are `{}`,
 * and whatever the model wrote that is no JSON object is sent as `{ rawInvalidInput: <what it wrote> }`, so that it
 * can see its mistake. `ids` renames calls, for instance to the ids that the tool results carry.
 */
export function answerToMessage(
	content: readonly AnswerPart[],
	ids: ReadonlyMap<string, string> = new Map(),
): AssistantMessage {
	return { role: "assistant", content: content.map((part) => sentPart(part, ids)) };
}

function sentPart(part: AnswerPart, ids: ReadonlyMap<string, string>): SentPart {
	const options = part.providerMetadata === undefined ? undefined : { providerOptions: part.providerMetadata };
	switch (part.type) {
		case "text":
		case "reasoning":
			return { type: part.type, text: part.text, ...options } as SentPart;
		case "custom":
			return { type: "custom", kind: part.kind, ...options } as SentPart;
		case "tool-call":
			return {
				type: "tool-call",
				toolCallId: ids.get(part.toolCallId) ?? part.toolCallId,
				toolName: part.toolName,
				input: callInput(part),
				...(part.providerExecuted ? { providerExecuted: true } : undefined),
				...options,
			} as SentPart;
		case "tool-result":
			return {
				type: "tool-result",
				toolCallId: ids.get(part.toolCallId) ?? part.toolCallId,
				toolName: part.toolName,
				output: { type: part.isError ? "error-json" : "json", value: part.result } as Output,
				...options,
			} as SentPart;
	}
}

function callInput(part: ToolCallPart): unknown {
	if (part.input.trim() === "") return {};
	try {
		const input: unknown = JSON.parse(part.input);
		// A provider knows best what its own tool was given.
		if (part.providerExecuted || (typeof input === "object" && input !== null && !Array.isArray(input))) return input;
		return { rawInvalidInput: input };
	} catch {
		return part.providerExecuted ? part.input : { rawInvalidInput: part.input };
	}
}
