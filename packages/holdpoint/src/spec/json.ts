/** A value that JSON can carry: what crosses every border of a run (arguments, results, events). */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

export function isJsonObject(value: Json | undefined): value is JsonObject {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A JSON Schema document (draft 2020-12 is what we write; draft-07 is accepted). */
export type JsonSchema = JsonObject;
