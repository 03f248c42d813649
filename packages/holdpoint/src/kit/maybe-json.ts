import type { Json } from "../spec/json.ts";

/** Stands for a value that is not known. */
export const unknownValue: unique symbol = Symbol("unknown");

/** A JSON value of which parts may not be known; a part that is wholly known is plain JSON without prototypes. */
export type MaybeJson = Json | typeof unknownValue | PartialObject | PartialArray;

export class PartialObject {
	/** Properties that are certainly there when the object is sent. */
	readonly entries: ReadonlyMap<string, MaybeJson>;
	/** Are these all of them? */
	readonly complete: boolean;

	constructor(entries: ReadonlyMap<string, MaybeJson>, complete: boolean) {
		this.entries = entries;
		this.complete = complete;
	}
}

export class PartialArray {
	/** From the start on, each at its place. */
	readonly items: readonly MaybeJson[];
	/** Further items whose place is not known. */
	readonly rest: readonly MaybeJson[];
	/** Is `items` all of it? */
	readonly complete: boolean;

	constructor(items: readonly MaybeJson[], rest: readonly MaybeJson[], complete: boolean) {
		this.items = items;
		this.rest = rest;
		this.complete = complete;
	}
}

/** The JSON type; `unknown` where it is not known. */
export function jsonTypeOf(
	value: MaybeJson,
): "array" | "boolean" | "null" | "number" | "object" | "string" | "unknown" {
	if (value === null) return "null";
	if (value instanceof PartialArray || Array.isArray(value)) return "array";
	switch (typeof value) {
		case "boolean":
		case "number":
		case "string":
		case "object":
			return typeof value as "boolean" | "number" | "string" | "object";
		default:
			return "unknown";
	}
}

export function isWhollyKnown(value: MaybeJson): value is Json {
	return value !== unknownValue && !(value instanceof PartialObject) && !(value instanceof PartialArray);
}
