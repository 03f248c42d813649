import {
	type CleanedSchema,
	type CleanSchema,
	schemaKeywords,
	schemaListKeywords,
	schemaMapKeywords,
} from "./json-schema-clean.ts";

/** How much work a schema can make of a value; what validates decides by it whether a deadline is needed. */
export interface SchemaRisk {
	/** May take exponential time even for a small value: recursion, or a regular expression that may backtrack. */
	readonly always: boolean;
	/** May take quadratic time. */
	readonly steep: boolean;
	/** Parts of the schema that one value may meet, with what the refs name counted at each use. */
	readonly work: number;
}

const workTop = 1e9;

export function schemaRisk(schema: CleanedSchema): SchemaRisk {
	const meter = new Meter(schema);
	const work = meter.measure(schema.root);
	return { always: meter.always, steep: meter.steep, work };
}

class Meter {
	always = false;
	steep = false;
	readonly #parts: CleanedSchema["parts"];
	readonly #known = new Map<string, number>();

	constructor(schema: CleanedSchema) {
		this.#parts = schema.parts;
	}

	measure(node: CleanSchema): number {
		if (typeof node === "boolean") return 1;
		if (node["uniqueItems"] === true) this.steep = true;
		if (typeof node["pattern"] === "string") this.#meterPattern(node["pattern"]);
		for (const pattern of Object.keys(node["patternProperties"] ?? {})) this.#meterPattern(pattern);
		let work = 1 + (Array.isArray(node["enum"]) ? node["enum"].length / 8 : 0);
		if (typeof node["$ref"] === "string") work += this.#measureRef(node["$ref"]);
		for (const child of subschemas(node)) work += this.measure(child);
		return Math.min(work, workTop);
	}

	#measureRef(name: string): number {
		const known = this.#known.get(name);
		if (known === undefined) {
			// Met again before it is measured: it holds itself.
			this.#known.set(name, Number.NaN);
			const work = this.measure(this.#parts[name] ?? true);
			this.#known.set(name, work);
			return work;
		}
		if (Number.isNaN(known)) this.always = true;
		return known || 1;
	}

	#meterPattern(pattern: string): void {
		this.steep = true;
		if (!isSimplePattern(pattern)) this.always = true;
	}
}

/**
 * Certainly no worse than quadratic, small factor: a repeat only after a single character or class, and only one of
 * open length, few alternatives, no back-reference. Errs on the careful side.
 */
export function isSimplePattern(pattern: string): boolean {
	const openRepeats = pattern.match(/[*+]|\{\d*,/g)?.length ?? 0;
	const choices = pattern.match(/[?|]/g)?.length ?? 0;
	return openRepeats <= 1 && choices <= 8 && !/\)[*+{]|\\[1-9k]/.test(pattern) && pattern.length <= 1_000;
}

function* subschemas(node: Exclude<CleanSchema, boolean>): Generator<CleanSchema> {
	for (const keyword of schemaKeywords) {
		const child = node[keyword];
		if (child !== undefined && !Array.isArray(child)) yield child as CleanSchema;
	}
	for (const keyword of schemaListKeywords) {
		if (Array.isArray(node[keyword])) yield* node[keyword] as CleanSchema[];
	}
	for (const keyword of schemaMapKeywords) {
		for (const child of Object.values(node[keyword] ?? {})) if (!Array.isArray(child)) yield child as CleanSchema;
	}
}
