import type { LanguageModel } from "holdpoint";

type ModelV4 = Extract<LanguageModel, { readonly specificationVersion: "v4" }>;
type Request = Parameters<ModelV4["doGenerate"]>[0];
type Content = Awaited<ReturnType<ModelV4["doGenerate"]>>["content"][number];
type StreamPart = Awaited<ReturnType<ModelV4["doStream"]>>["stream"] extends ReadableStream<infer Part> ? Part : never;

/** A tool call, or the text that ends the run. */
export type ScriptAnswer = { readonly tool: string; readonly args: unknown } | string;

const usage = {
	inputTokens: { total: 10, noCache: 10, cacheRead: undefined, cacheWrite: undefined },
	outputTokens: { total: 5, text: 5, reasoning: undefined },
};

/**
 * A model that answers at once, of the AI SDK's provider interface: the same one for Holdpoint, the AI SDK and Mastra.
 * It makes nothing up: `answer` says what comes next.
 */
export function scriptModel(answer: (request: Request) => ScriptAnswer): ModelV4 {
	let ids = 0;
	const next = (request: Request): Content => {
		const said = answer(request);
		if (typeof said === "string") return { type: "text", text: said };
		const { tool, args } = said;
		return { type: "tool-call", toolCallId: `c${ids++}`, toolName: tool, input: JSON.stringify(args) };
	};
	return {
		specificationVersion: "v4",
		provider: "script",
		modelId: "script",
		supportedUrls: {},
		doGenerate: async (request) => {
			const content = next(request);
			return { content: [content], finishReason: finishOf(content), usage, warnings: [] };
		},
		doStream: async (request) => ({ stream: streamOf(next(request)) }),
	};
}

/** One run at a time: `plan(n)`, and the model asks for n lookups (id 0 to n - 1) before it is done. */
export function plannedModel(tool = "lookup") {
	let asked = 0;
	let planned = 0;
	let shown = 0;
	const model = scriptModel(({ prompt }) => {
		shown = prompt.length;
		return asked < planned ? { tool, args: { id: asked++ } } : "done";
	});
	return {
		model,
		/** Messages of the last request. */
		shown: () => shown,
		plan(calls: number): void {
			asked = 0;
			planned = calls;
		},
	};
}

/** Any number of runs at a time: what comes next follows from the length of the prompt, two messages a turn. */
export function promptModel(calls: number, tool = "lookup"): ModelV4 {
	return scriptModel(({ prompt }) => {
		const turn = (prompt.length - 2) / 2;
		return turn < calls ? { tool, args: { id: turn } } : "done";
	});
}

function finishOf(content: Content) {
	return { unified: content.type === "tool-call" ? ("tool-calls" as const) : ("stop" as const), raw: undefined };
}

function streamOf(content: Content): ReadableStream<StreamPart> {
	const parts: StreamPart[] = [{ type: "stream-start", warnings: [] }];
	if (content.type === "text") {
		parts.push({ type: "text-start", id: "t" }, { type: "text-delta", id: "t", delta: content.text });
		parts.push({ type: "text-end", id: "t" });
	} else if (content.type === "tool-call") {
		const { toolCallId: id, toolName, input } = content;
		parts.push({ type: "tool-input-start", id, toolName }, { type: "tool-input-delta", id, delta: input });
		parts.push({ type: "tool-input-end", id }, content);
	}
	parts.push({ type: "finish", finishReason: finishOf(content), usage });
	return new ReadableStream({
		start(controller) {
			for (const part of parts) controller.enqueue(part);
			controller.close();
		},
	});
}
