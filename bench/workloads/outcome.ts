import type { Json, JsonObject } from "../../packages/holdpoint/src/spec/json.ts";

/** Why a tool refused, in the words of the retail data set. */
export type FailureCategory =
	| "not_found"
	| "wrong_status"
	| "invalid_argument"
	| "item_mismatch"
	| "unavailable"
	| "payment_not_allowed"
	| "insufficient_funds"
	| "arithmetic"
	| "validation";

/** What a tool call came to. A failure is an answer that the model reads, never an exception. */
export type ToolOutcome = ToolSuccess | ToolFailure;
export type ToolSuccess = { readonly result: Json };
export type ToolFailure = { readonly error: string; readonly category: FailureCategory };

export function fail(category: FailureCategory, error: string): ToolFailure {
	return { error, category };
}

/** One call as data: what a model asks for. */
export type WorkloadCall = { readonly name: string; readonly arguments: JsonObject };
