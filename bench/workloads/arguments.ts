import type { JsonObject, JsonSchema } from "../../packages/holdpoint/src/spec/json.ts";
import { fail, type ToolFailure } from "./outcome.ts";

/* The arguments of a workload's tools: every parameter is required and of one of four kinds. */

type Kind = "text" | "texts" | "number" | "integer";
type ValueOf = { text: string; texts: readonly string[]; number: number; integer: number };

export type Params = { readonly [name: string]: Kind };
export type ArgsOf<P extends Params> = { readonly [K in keyof P]: ValueOf[P[K]] };

const kinds: Record<Kind, { readonly schema: JsonSchema; readonly words: string; accepts(value: unknown): boolean }> = {
	text: { schema: { type: "string" }, words: "a string", accepts: isText },
	texts: {
		schema: { type: "array", items: { type: "string" } },
		words: "a list of strings",
		accepts: (value) => Array.isArray(value) && value.every(isText),
	},
	number: { schema: { type: "number" }, words: "a number", accepts: Number.isFinite },
	integer: { schema: { type: "integer" }, words: "a whole number", accepts: Number.isSafeInteger },
};

function isText(value: unknown): boolean {
	return typeof value === "string";
}

/** What is wrong with the arguments, if anything; when nothing is, they are `ArgsOf<P>`. */
export function invalidArguments(params: Params, args: unknown): ToolFailure | undefined {
	if (typeof args !== "object" || args === null || Array.isArray(args)) {
		return fail("validation", "Arguments must be an object");
	}
	const given = args as JsonObject;
	const unknownName = Object.keys(given).find((name) => !Object.hasOwn(params, name));
	if (unknownName !== undefined) return fail("validation", `Unknown argument '${unknownName.slice(0, 100)}'`);
	for (const [name, kind] of Object.entries(params)) {
		if (!Object.hasOwn(given, name)) return fail("validation", `Argument '${name}' is missing`);
		const { accepts, words } = kinds[kind];
		if (!accepts(given[name])) return fail("validation", `Argument '${name}' must be ${words}`);
	}
	return undefined;
}

/** The parameters as JSON Schema. */
export function parameterSchema(params: Params): JsonSchema {
	return {
		type: "object",
		properties: Object.fromEntries(Object.entries(params).map(([name, kind]) => [name, kinds[kind].schema])),
		required: Object.keys(params),
		additionalProperties: false,
	};
}
