import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { isRecord } from "../kit/json-schema-refs.ts";
import { schemaValidator } from "../kit/json-schema-validator.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { JsonSchema } from "../spec/json.ts";
import type { AnySchema } from "../spec/tool.ts";

type AnyStandard = StandardSchemaV1.Props & Partial<StandardJSONSchemaV1.Props>;

/** A hand-written JSON Schema where a Standard Schema is wanted. */
export type JsonSchemaType<T> = StandardSchemaV1<T> & StandardJSONSchemaV1<T>;

const schemaCharsMax = 1_048_576;
const targets: ReadonlySet<string> = new Set(["draft-2020-12", "draft-07"]);

/**
 * Makes a Standard Schema of a JSON Schema (draft 2020-12 or 07), with `format` as a rule; values pass unchanged.
 *
 * Errors: `tool.invalid` where a part of the schema could not be followed (an unknown `$ref`, a broken pattern).
 * @example
 * jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } }, required: ["city"] })
 */
export function jsonSchema<T = unknown>(schema: JsonSchema): JsonSchemaType<T> {
	// A copy, so that a change of the caller's object cannot part what is validated from what is shown.
	const own = ownCopy(schema);
	const validator = schemaValidator(own, { formats: true });
	if (validator.problems.length > 0) {
		throw new HoldpointError("tool.invalid", `The JSON Schema cannot be used: ${validator.problems.join("; ")}`, {
			details: { problems: validator.problems },
		});
	}
	const convert = ({ target }: StandardJSONSchemaV1.Options): Record<string, unknown> => {
		if (!targets.has(target)) throw new Error(`The target ${target} is not supported; draft-2020-12 and draft-07 are`);
		return structuredClone(own) as Record<string, unknown>;
	};
	return {
		"~standard": {
			version: 1,
			vendor: "holdpoint",
			validate(value): StandardSchemaV1.Result<T> {
				const check = validator.check(value);
				if (check.kind === "fits") return { value: value as T };
				if (check.kind === "misfit") return { issues: check.issues.map(({ message, path }) => ({ message, path })) };
				return { issues: [{ message: `could not be validated: ${check.reason}` }] };
			},
			jsonSchema: { input: convert, output: convert },
		},
	};
}

/**
 * The JSON Schema of what goes into a schema, or of what comes out of it.
 *
 * Errors: `tool.invalid` where the schema offers none, or cannot express itself as one.
 */
export function toJsonSchema(schema: AnySchema, direction: "input" | "output"): JsonSchema {
	const standard: AnyStandard | undefined = schema?.["~standard"];
	if (typeof standard?.jsonSchema?.[direction] !== "function") {
		throw new HoldpointError(
			"tool.invalid",
			`The ${direction} schema${standard?.vendor ? ` (${standard.vendor})` : ""} offers no JSON Schema, which the model is shown`,
			{ hint: "Use zod 4, another library with Standard JSON Schema, or `jsonSchema({...})`." },
		);
	}
	try {
		return ownCopy(standard.jsonSchema[direction]({ target: "draft-2020-12" }));
	} catch (error) {
		if (error instanceof HoldpointError) throw error;
		const reason = error instanceof Error ? error.message : String(error);
		throw new HoldpointError("tool.invalid", `The ${direction} schema cannot be written as JSON Schema: ${reason}`, {
			cause: error,
			hint: "Use types that JSON can carry, or write this schema with `jsonSchema({...})`.",
		});
	}
}

function ownCopy(schema: unknown): JsonSchema {
	const copy = isRecord(schema) ? jsonCopy(schema) : undefined;
	if (!isRecord(copy)) throw new HoldpointError("tool.invalid", "A JSON Schema is a JSON object");
	return copy as JsonSchema;
}

function jsonCopy(value: object): unknown {
	let text: string;
	try {
		text = String(JSON.stringify(value));
		if (text.length <= schemaCharsMax) return JSON.parse(text);
	} catch (error) {
		throw new HoldpointError("tool.invalid", "The JSON Schema is no JSON", { cause: error });
	}
	const message = `The JSON Schema has ${text.length} characters; the limit is ${schemaCharsMax}`;
	throw new HoldpointError("tool.invalid", message);
}
