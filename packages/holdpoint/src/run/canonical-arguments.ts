import { canonicalJson, parseJson } from "../kit/canonical-json.ts";
import type { Patience } from "../kit/in-time.ts";
import { reasonOf } from "../kit/reason-of.ts";
import type { FailureCode } from "../spec/errors.ts";
import type { Json } from "../spec/json.ts";
import type { Tool } from "../spec/tool.ts";
import { type Validated, validate } from "../tools/validate.ts";

export type CanonicalArguments =
	| { readonly ok: true; readonly args: Json; readonly text: string }
	| { readonly ok: false; readonly code: FailureCode; readonly message: string };

export interface ParsingLimits {
	readonly bytesMax: number;
	readonly patience: Patience;
}

/**
 * Parses arguments with the tool's schema and brings them into their one canonical form.
 * Errors: the reason of the signal that ended the wait for an asynchronous schema.
 */
export function canonicalArguments(
	tool: Tool,
	asked: Json,
	{ bytesMax, patience }: ParsingLimits,
): CanonicalArguments | Promise<CanonicalArguments> {
	const result = validate(tool.input, asked, patience);
	return result instanceof Promise
		? result.then((value) => toCanonical(tool, value, bytesMax))
		: toCanonical(tool, result, bytesMax);
}

function toCanonical(tool: Tool, result: Validated, bytesMax: number): CanonicalArguments {
	if (!result.ok) return unfit(`The arguments of ${tool.name} do not fit: ${result.issues}`);
	let text: string;
	try {
		text = canonicalJson(result.value);
	} catch (error) {
		return unfit(`The arguments of ${tool.name} are no JSON: ${reasonOf(error)}`);
	}
	const bytes = Buffer.byteLength(text);
	if (bytes >= bytesMax) {
		const message = `The arguments of ${tool.name} have ${bytes} bytes; the limit is ${bytesMax} (argsBytesMax)`;
		return { ok: false, code: "tool.args_too_large", message };
	}
	const args = parseJson(text, bytesMax);
	// Parsing dropped it, so that the text would not be that of the value any more.
	return { ok: true, args, text: text.includes('"__proto__"') ? canonicalJson(args) : text };
}

function unfit(message: string): CanonicalArguments {
	return { ok: false, code: "tool.args_invalid", message };
}
