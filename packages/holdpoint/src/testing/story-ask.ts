import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import type { ModelMessage, ModelPrompt } from "../spec/model.ts";
import type { StoryAsk, StoryResult } from "./story.ts";

type ToolMessage = Extract<ModelMessage, { role: "tool" }>;
type Output = Extract<ToolMessage["content"][number], { type: "tool-result" }>["output"];

/** Answers that the prompt holds since its start, or since the last message of a user. */
export function answersIn(prompt: ModelPrompt, since: "start" | "user" = "start"): number {
	const from = since === "start" ? 0 : prompt.findLastIndex((message) => message.role === "user") + 1;
	let answers = 0;
	for (let at = from; at < prompt.length; at++) if (prompt[at]?.role === "assistant") answers++;
	return answers;
}

/** What a story looks at, read out of a request when it looks. */
export class RequestAsk implements StoryAsk {
	readonly n: number;
	readonly messages: ModelPrompt;
	readonly tools: readonly string[];

	constructor(options: LanguageModelV4CallOptions, n: number) {
		this.n = n;
		this.messages = options.prompt;
		this.tools = (options.tools ?? []).map((tool) => tool.name);
	}

	get system(): string {
		return this.messages.map((message) => (message.role === "system" ? message.content : "")).join("");
	}

	get lastUser(): string {
		return textOf(this.messages.findLast((message) => message.role === "user"));
	}

	get results(): readonly StoryResult[] {
		return this.#news().flatMap(resultsOf);
	}

	get heard(): string {
		const results = this.results.map(({ value }) => (typeof value === "string" ? value : JSON.stringify(value)));
		const said = this.#news().map((message) => (message.role === "user" ? textOf(message) : ""));
		return [...results, ...said].filter(Boolean).join("\n");
	}

	#news(): ModelPrompt {
		return this.messages.slice(this.messages.findLastIndex((message) => message.role === "assistant") + 1);
	}
}

function textOf(message: ModelMessage | undefined): string {
	if (message === undefined || message.role === "system") return message?.content ?? "";
	return message.content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

function resultsOf(message: ModelMessage): readonly StoryResult[] {
	if (message.role !== "tool") return [];
	return message.content.flatMap((part) => {
		if (part.type !== "tool-result") return [];
		return { toolCallId: part.toolCallId, tool: part.toolName, ...readOutput(part.output) };
	});
}

function readOutput(output: Output): Pick<StoryResult, "value" | "failed"> {
	switch (output.type) {
		case "text":
			return { value: parsed(output.value) };
		case "json":
			return { value: output.value };
		case "error-text":
		case "error-json":
			return { value: output.value, failed: true };
		case "execution-denied":
			return { value: output.reason ?? "denied", failed: true };
		case "content":
			return { value: output.value.map((part) => (part.type === "text" ? part.text : "")).join("") };
	}
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}
