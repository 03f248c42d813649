import { expect, test } from "vitest";
import { apiError } from "./fake-model.ts";
import { providerFailure } from "./provider-failure.ts";

const isTooLong = (error: unknown) => providerFailure(error, 0, []).isTooLong === true;
const refusal = (message: string, status = 400, code = "invalid_request_error") =>
	Object.assign(apiError(status), { message, data: { error: { code } } });

test.each([
	refusal("This model's maximum context length is 4000 tokens. However, your messages resulted in 4312 tokens."),
	refusal("see the code", 400, "context_length_exceeded"),
	refusal("prompt is too long: 210044 tokens > 200000 maximum"),
	refusal("input length and `max_tokens` exceed context limit: 198000 + 20000 > 200000"),
	refusal("The input token count (1200000) exceeds the maximum number of tokens allowed (1048575)."),
	refusal("Prompt contains 40962 tokens, too large for model with 32768 maximum context length"),
	refusal("This model's maximum prompt length is 131072 but the request contains 140000 tokens."),
	refusal("Input is too long for requested model.", 422),
	refusal("Your input exceeds the context window of this model.", 413),
	// In a stream, an error has no status.
	{ type: "invalid_request_error", message: "the request exceeds the available context size" },
])("a prompt that is too long is known by its refusal: %s", (error) => {
	expect(isTooLong(error)).toBe(true);
});

test.each([
	refusal("no such tool"),
	refusal("Too many tokens a minute", 429, "rate_limit_exceeded"),
	refusal("the context window is busy", 503),
	refusal("no access to the models with a long context window", 403),
	new Error("fetch failed"),
])("another refusal is none of that: %s", (error) => {
	expect(isTooLong(error)).toBe(false);
});
