import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Content } from "@ai-sdk/provider";
import type { Json } from "../spec/json.ts";

/** One answer: a text, or calls. */
export type PlacedAnswer =
	| { readonly text: string }
	| { readonly calls: readonly { readonly tool: string; readonly args: Json }[]; readonly text?: string };

export interface PlacedModelOptions {
	/** What it answers to a request for a summary, given the last place that the transcript names. Throws: it fails. */
	readonly summarise?: (place: number, transcript: string) => string | Promise<string>;
	/** How many tokens it counts in a request. Default: one for four characters. */
	readonly countTokens?: (request: LanguageModelV4CallOptions) => number;
	/** Told each request, before it is answered. */
	readonly onRequest?: (request: LanguageModelV4CallOptions) => void;
}

/**
 * A model for conversations that are compacted: which answer is due follows from the last place that the prompt names,
 * `§7` in a text or in the id of a call, be it in the agent's own words or in a summary of them.
 */
export function placedModel(
	answers: (place: number) => PlacedAnswer | undefined,
	options: PlacedModelOptions = {},
): LanguageModelV4 {
	const {
		summarise = (place) => `All that was asked is done until §${place}.`,
		countTokens = estimated,
		onRequest,
	} = options;
	const generate = async (request: LanguageModelV4CallOptions) => {
		onRequest?.(request);
		const prompt = JSON.stringify(request.prompt);
		const place = placeIn(prompt);
		const content = isForSummary(request)
			? textOf(await summarise(place, prompt))
			: answerAt(answers(place + 1), place + 1);
		const output = JSON.stringify(content).length;
		return {
			content,
			finishReason: {
				unified: content.some(({ type }) => type === "tool-call") ? ("tool-calls" as const) : ("stop" as const),
				raw: undefined,
			},
			usage: {
				inputTokens: {
					total: countTokens(request),
					noCache: undefined,
					cacheRead: undefined,
					cacheWrite: undefined,
				},
				outputTokens: { total: Math.ceil(output / charsPerToken), text: undefined, reasoning: undefined },
			},
			warnings: [],
		};
	};
	return {
		specificationVersion: "v4",
		provider: "holdpoint.placed",
		modelId: "placed",
		supportedUrls: {},
		doGenerate: generate,
		doStream: async (request) => {
			const { content, finishReason, usage } = await generate(request);
			const parts = content.flatMap((part, at) => streamed(part, String(at)));
			return { stream: ReadableStream.from([...parts, { type: "finish", finishReason, usage }]) as never };
		},
	};
}

const charsPerToken = 4;

function estimated({ prompt, tools = [] }: LanguageModelV4CallOptions): number {
	return Math.ceil((JSON.stringify(prompt).length + JSON.stringify(tools).length) / charsPerToken);
}

export function placeIn(text: string): number {
	let place = 0;
	for (const [, found] of text.matchAll(/§(\d+)/g)) place = Math.max(place, Number(found));
	return place;
}

export function isForSummary({ prompt: [system] }: LanguageModelV4CallOptions): boolean {
	return system?.role === "system" && system.content.startsWith("You keep the notes of an agent");
}

function textOf(text: string): LanguageModelV4Content[] {
	return [{ type: "text", text }];
}

function answerAt(answer: PlacedAnswer | undefined, place: number): LanguageModelV4Content[] {
	if (!answer) throw new Error(`Nothing is written for §${place}`);
	if (!("calls" in answer)) return textOf(`§${place} ${answer.text}`);
	const calls = answer.calls.map(({ tool, args }, at): LanguageModelV4Content => {
		return { type: "tool-call", toolCallId: `§${place}.${at}`, toolName: tool, input: JSON.stringify(args) };
	});
	return answer.text === undefined ? calls : [...textOf(answer.text), ...calls];
}

function streamed(part: LanguageModelV4Content, id: string): unknown[] {
	if (part.type !== "text") return [part];
	return [
		{ type: "text-start", id },
		{ type: "text-delta", id, delta: part.text },
		{ type: "text-end", id },
	];
}
