import { canonicalJson } from "../kit/canonical-json.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Approver, Outcome } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";

/** What somebody found out about a call. */
export interface SettledTruth {
	readonly happened: boolean;
	/** What it returned, where it happened. */
	readonly result?: Json;
	/** It reached the other side and was refused there with this text. */
	readonly refused?: string;
	readonly by?: Approver;
}

/** Errors: `settle.invalid`. */
export function settledOutcome(truth: SettledTruth, bytesMax: number): Outcome {
	if (truth.refused !== undefined) return { failed: truth.refused, code: "tool.threw" };
	if (truth.happened) return { ok: foundResult(truth.result ?? null, bytesMax) };
	return { failed: "It was looked into: the call did not happen.", code: "settled.did_not_happen" };
}

/** What somebody says that a call gave. */
function foundResult(result: Json, bytesMax: number): Json {
	let text: string;
	try {
		text = canonicalJson(result);
	} catch (cause) {
		throw new HoldpointError("settle.invalid", `The result is no JSON: ${reasonOf(cause)}`, { cause });
	}
	if (Buffer.byteLength(text) < bytesMax) return result;
	throw new HoldpointError(
		"settle.invalid",
		`The result has ${Buffer.byteLength(text)} bytes; the limit is ${bytesMax} (resultBytesMax)`,
	);
}
