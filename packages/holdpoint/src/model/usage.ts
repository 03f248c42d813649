import { tokenEstimate } from "../kit/token-estimate.ts";
import type { AnswerPart, ModelRequest, ModelUsage } from "../spec/model.ts";

type Fields = { readonly [name: string]: unknown };

/** What a call cost. V3 and V4 report nested counts, older models flat ones; what is missing or no count is estimated. */
export function readUsage(usage: unknown, request: ModelRequest, content: readonly AnswerPart[]): ModelUsage {
	const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = fields(usage);
	const input = fields(inputTokens);
	const output = fields(outputTokens);
	const inputCount =
		tokens(inputTokens) ?? tokens(input.total) ?? sum(input.noCache, input.cacheRead, input.cacheWrite);
	const outputCount = tokens(outputTokens) ?? tokens(output.total) ?? sum(output.text, output.reasoning);
	const cached = tokens(input.cacheRead) ?? tokens(cachedInputTokens);
	const reasoning = tokens(output.reasoning) ?? tokens(reasoningTokens);
	return {
		inputTokens: inputCount ?? inputEstimate(request),
		outputTokens: outputCount ?? tokenEstimate(content),
		...(cached === undefined ? undefined : { cachedInputTokens: cached }),
		...(reasoning === undefined ? undefined : { reasoningTokens: reasoning }),
		...(inputCount === undefined || outputCount === undefined ? { estimated: true } : undefined),
	};
}

function fields(value: unknown): Fields {
	return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function tokens(value: unknown): number | undefined {
	return typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.round(Math.abs(value)) : undefined;
}

function sum(...counts: readonly unknown[]): number | undefined {
	const known = counts.map(tokens).filter((count) => count !== undefined);
	return known.length === 0 ? undefined : known.reduce((total, count) => total + count, 0);
}

export function inputEstimate({ prompt, tools, responseFormat }: ModelRequest): number {
	return tokenEstimate([prompt, tools, responseFormat]);
}

/**
 * At least as many tokens as a provider can count: a tokenizer that works on bytes makes no more of a text than it has
 * bytes, and the JSON around it is more than what a provider's template puts there. Files have no such bound.
 */
export function inputBound({ prompt, tools, responseFormat }: ModelRequest): number {
	const isDeclaring = (tools?.length ?? 0) > 0 || responseFormat !== undefined;
	return tokenBound([prompt, tools, responseFormat]) + (isDeclaring ? declaringTokens : 0);
}

/** What providers put before the declarations of tools and schemas. */
const declaringTokens = 512;

/** For each file, whose tokens are no matter of its bytes. An estimate. */
const fileTokens = 4_096;

export function tokenBound(value: unknown): number {
	let more = 0;
	function plain(this: unknown, key: string, inner: unknown): unknown {
		const holder = this as Fields;
		if (key === "data" && "mediaType" in holder) {
			more += fileTokens;
			return 0;
		}
		// Before anything makes text of it.
		const raw = holder[key];
		if (!ArrayBuffer.isView(raw)) return typeof inner === "bigint" ? String(inner) : inner;
		more += raw.byteLength;
		return 0;
	}
	return Buffer.byteLength(JSON.stringify(value, plain) ?? "") + more;
}
