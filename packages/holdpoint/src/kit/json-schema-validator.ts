/**
 * Validates JSON against a JSON Schema from anywhere, and says what is wrong in words.
 *
 * Owns: the one use of `@cfworker/json-schema`, which answers yes or no about a value that is wholly known; the search
 * for the reason; the reading of values that are known only in part. Does not own: where schema or value come from.
 *
 * 1. Every issue is certain: whatever the unknown parts turn out to be, the value does not fit.
 * 2. It always ends: sizes are bounded, and work that a hostile schema could blow up runs under a deadline. What could
 *    not be decided is `unchecked`, never `fits`.
 */
import { createRequire } from "node:module";
import type { JsonSchema } from "../spec/json.ts";
import { jsonDepthMax } from "./canonical-json.ts";
import { type CleanedSchema, cleanSchema } from "./json-schema-clean.ts";
import { explainMisfit, type Oracle, type SchemaIssue } from "./json-schema-misfit.ts";
import { type SchemaRisk, schemaRisk } from "./json-schema-risk.ts";

export type { SchemaIssue } from "./json-schema-misfit.ts";

import { type MaybeJson, PartialArray, PartialObject } from "./maybe-json.ts";
import { withinDeadline } from "./within-deadline.ts";

export type SchemaCheck =
	| { readonly kind: "fits" }
	| { readonly kind: "misfit"; readonly issues: readonly SchemaIssue[] }
	| { readonly kind: "unchecked"; readonly reason: string };

export interface SchemaValidator {
	/** What of the schema could not be used, each with its place; empty for a sound schema. */
	readonly problems: readonly string[];
	/** Any value: what is no JSON is a misfit. */
	check(value: unknown): SchemaCheck;
	/** A value that is known only in part. */
	checkPartly(value: MaybeJson): SchemaCheck;
}

export interface ValidatorOptions {
	/** Is `format` a rule (true) or a note (false)? */
	readonly formats: boolean;
}

const deadlineMs = 250;
const workMax = 200_000;
const carefulSize = 256;

type Library = typeof import("@cfworker/json-schema");
let library: Library | undefined;
/** Loaded with the first validation: it costs 6–9 ms, and importing this file shall cost nothing. */
function loadLibrary(): Library {
	library ??= createRequire(import.meta.url)("@cfworker/json-schema") as Library;
	return library;
}

const caches = [new WeakMap<JsonSchema, SchemaValidator>(), new WeakMap<JsonSchema, SchemaValidator>()] as const;

/** The validator of this schema object; made once, so the object must not be changed afterwards. */
export function schemaValidator(schema: JsonSchema, options: ValidatorOptions): SchemaValidator {
	const cache = caches[options.formats ? 0 : 1];
	let validator = cache.get(schema);
	if (!validator) {
		validator = createValidator(cleanSchema(schema, options));
		cache.set(schema, validator);
	}
	return validator;
}

function createValidator(schema: CleanedSchema): SchemaValidator {
	let risk: SchemaRisk | undefined;
	const oracle: Oracle = (value, part) => {
		const { validate } = loadLibrary();
		// The library's types want its own mutable schema; ours has the same keywords, and `parts` is its table of refs.
		return validate(value, part as never, schema.draft, schema.parts as never, true).valid;
	};
	const checkPartly = (value: MaybeJson, size: number): SchemaCheck => {
		risk ??= schemaRisk(schema);
		const job = () => explainMisfit(value, { schema, oracle });
		const careful = risk.always || (risk.steep && size > carefulSize) || risk.work * size > workMax;
		try {
			const outcome = careful ? withinDeadline(job, deadlineMs) : { done: true as const, value: job() };
			if (!outcome.done)
				return { kind: "unchecked", reason: `the schema needs more than ${deadlineMs} ms for this value` };
			return outcome.value.length === 0 ? { kind: "fits" } : { kind: "misfit", issues: outcome.value };
		} catch (error) {
			// A schema that refers to itself without end, or a name that is no Unicode text.
			return { kind: "unchecked", reason: error instanceof Error ? error.message : String(error) };
		}
	};
	return {
		problems: schema.problems,
		checkPartly: (value) => checkPartly(value, sizeOf(value)),
		check(value) {
			const bare = new BareCopy(value);
			return bare.issue ? { kind: "misfit", issues: [bare.issue] } : checkPartly(bare.value, bare.size);
		},
	};
}

/**
 * A copy without prototypes, so that no property is found that the value does not have. What JSON drops (`undefined`
 * in an object) is dropped.
 */
class BareCopy {
	readonly value: MaybeJson;
	size = 0;
	issue: SchemaIssue | undefined;
	readonly #path: (string | number)[] = [];

	constructor(value: unknown) {
		this.value = this.#copy(value);
	}

	#copy(value: unknown): MaybeJson {
		this.size++;
		if (typeof value === "string") {
			this.size += value.length;
			return value;
		}
		if (value === null || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value)))
			return value;
		if (typeof value !== "object") return this.#refuse(typeof value === "number" ? String(value) : typeof value);
		if (this.#path.length >= jsonDepthMax) return this.#refuse(`more than ${jsonDepthMax} levels (or a cycle)`);
		if (Array.isArray(value)) return value.map((item, i) => this.#step(i, item)) as MaybeJson;
		const prototype = Object.getPrototypeOf(value);
		if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
			return this.#refuse(value.constructor?.name || "an object of a class");
		}
		const out: Record<string, MaybeJson> = Object.create(null);
		for (const key of Object.keys(value)) {
			const item = (value as Record<string, unknown>)[key];
			if (item !== undefined) out[key] = this.#step(key, item);
		}
		return out as MaybeJson;
	}

	#step(key: string | number, item: unknown): MaybeJson {
		this.#path.push(key);
		const copy = this.#copy(item);
		this.#path.pop();
		return copy;
	}

	#refuse(what: string): null {
		this.issue ??= { path: [...this.#path], keyword: "json", message: `expected JSON, got ${what}` };
		return null;
	}
}

function sizeOf(value: MaybeJson): number {
	if (typeof value === "string") return value.length + 1;
	if (typeof value !== "object" || value === null) return 1;
	let size = 1;
	const parts =
		value instanceof PartialObject
			? value.entries.values()
			: value instanceof PartialArray
				? [...value.items, ...value.rest]
				: Object.values(value);
	for (const part of parts) size += sizeOf(part as MaybeJson);
	return size;
}
