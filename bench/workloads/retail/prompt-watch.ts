import type { LanguageModelV4CallOptions, LanguageModelV4ToolResultPart } from "@ai-sdk/provider";
import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";
import { isForSummary } from "../../../packages/holdpoint/src/testing/placed-model.ts";
import { canonical } from "./canonical.ts";
import type { Step } from "./long-run.ts";

/** What must hold for each prompt, whatever was left out of it, and how much of that there was. */
export interface PromptLaws {
	/** The user's first words. */
	readonly request: string;
	/** What a prompt may have. Tokens. */
	readonly budget: number;
	readonly steps: readonly Step[];
}

/**
 * Looks at all that a model is sent.
 *
 * 1. Each call has its result, and each result its call.
 * 2. The user's first words are in it.
 * 3. It is within the budget, a request for a summary too.
 * 4. A result is gold's, or says that it is left out; the last one is there.
 */
export class PromptWatch {
	readonly problems: string[] = [];
	prompts = 0;
	summaries = 0;
	/** Results that were shown, in whole, in part, and as a word. */
	readonly results = { whole: 0, cut: 0, cleared: 0 };
	tokensMax = 0;
	readonly #laws: PromptLaws;

	constructor(laws: PromptLaws) {
		this.#laws = laws;
	}

	see(request: LanguageModelV4CallOptions, tokens: number): void {
		const { budget } = this.#laws;
		this.tokensMax = Math.max(this.tokensMax, tokens);
		if (tokens > budget) this.#note(`${tokens} tokens where ${budget} may be sent`);
		if (isForSummary(request)) {
			this.summaries++;
			return;
		}
		this.prompts++;
		this.#seePrompt(request);
	}

	#seePrompt({ prompt }: LanguageModelV4CallOptions): void {
		const first = prompt.find(({ role }) => role === "user");
		const texts =
			first?.role === "user" ? first.content.flatMap((part) => (part.type === "text" ? part.text : [])) : [];
		if (!texts.join("\n").includes(this.#laws.request)) this.#note("the first request is not in the first message");
		let open = new Set<string>();
		for (const [at, { role, content }] of prompt.entries()) {
			if (role !== "assistant" && role !== "tool") continue;
			for (const part of content) {
				if (part.type === "tool-call") open.add(part.toolCallId);
				if (part.type !== "tool-result") continue;
				if (!open.delete(part.toolCallId)) this.#note(`the result of ${part.toolCallId} has no call`);
				this.#seeResult(part, at === prompt.length - 1);
			}
			if (role === "tool" && open.size > 0) {
				this.#note(`the calls ${[...open]} have no results`);
				open = new Set();
			}
		}
		if (open.size > 0) this.#note(`the calls ${[...open]} have no results`);
	}

	#seeResult({ toolCallId, output }: LanguageModelV4ToolResultPart, isLast: boolean): void {
		const [, place] = /^§(\d+)\.0$/.exec(toolCallId) ?? [];
		const gold = this.#laws.steps[Number(place) - 1]?.result;
		if (gold === undefined) return this.#note(`nobody has made the call ${toolCallId}`);
		const shown = "value" in output ? output.value : "";
		if (typeof shown === "string" && shown.startsWith("[Cleared to save room: ")) {
			this.results.cleared++;
			if (isLast) this.#note(`the last result, ${toolCallId}, is cleared`);
		} else if (typeof shown === "string" && / characters are left out here/.test(shown)) {
			this.results.cut++;
		} else {
			this.results.whole++;
			const read = output.type === "error-text" ? { error: shown } : resultIn(shown as Json, gold);
			if (canonical(read as Json) !== canonical(gold)) this.#note(`the result of ${toolCallId} is not gold's`);
		}
	}

	#note(text: string): void {
		this.problems.push(`prompt ${this.prompts + this.summaries}: ${text}`);
	}
}

/** A program returns the list of what its calls came to. */
function resultIn(shown: Json, gold: Json): Json {
	return Array.isArray(gold) ? ((shown as { readonly value?: Json }).value ?? null) : { result: shown };
}
