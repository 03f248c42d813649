import type { StandardSchemaV1 } from "@standard-schema/spec";
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { JsonSchema } from "../spec/json.ts";
import type { ToolMarks } from "../spec/marks.ts";
import type { Effect, Labels, Lookup, Repeatability, Tool, ToolContext } from "../spec/tool.ts";
import { toJsonSchema } from "./json-schema.ts";
import { marksOf } from "./sensitive-marks.ts";

export interface ToolDefinition<
	Input extends StandardSchemaV1,
	Output extends StandardSchemaV1 | undefined = undefined,
> {
	/** Shape: letters, digits, `_` and `-`, at most 64. */
	readonly name: string;
	/** What the model reads. */
	readonly description: string;
	/** Standard Schema that offers a JSON Schema: zod 4, or `jsonSchema({...})`. */
	readonly input: Input;
	readonly output?: Output;
	/** Undeclared counts as `write`. */
	readonly effect?: Effect;
	/** Default: `repeatable` for `internal` and `read`, `once` for the others. */
	readonly repeat?: Repeatability;
	/** Units: milliseconds. */
	readonly timeoutMs?: number;
	readonly labels?: Labels;
	readonly tags?: readonly string[];
	/** Change it when the tool's meaning changes: approvals given to the old one become void. */
	readonly version?: string;
	/**
	 * What a call would return, made up without doing anything: it looks at nothing but its arguments. Throws where the
	 * call would fail. A rehearsal calls it in the place of `execute`; without it a value is made up from `output`.
	 */
	simulate?(
		args: StandardSchemaV1.InferOutput<Input>,
	): Output extends StandardSchemaV1
		? StandardSchemaV1.InferInput<Output> | Promise<StandardSchemaV1.InferInput<Output>>
		: unknown;
	/**
	 * Asks the outside world what became of a call whose outcome is not known, before a person is bothered. `didNotHappen`
	 * says that it cannot happen any more either: a request that may still be on its way is `unknown`.
	 */
	lookup?(
		idempotencyKey: string,
		args: StandardSchemaV1.InferOutput<Input>,
		context: ToolContext,
	): Lookup | Promise<Lookup>;
	execute(
		args: StandardSchemaV1.InferOutput<Input>,
		context: ToolContext,
	): Output extends StandardSchemaV1
		? StandardSchemaV1.InferInput<Output> | Promise<StandardSchemaV1.InferInput<Output>>
		: unknown;
}

/**
 * Declares a tool. Its effect class and repeatability are promises that the harness relies on.
 * Errors: `tool.invalid`.
 */
export function defineTool<Input extends StandardSchemaV1, Output extends StandardSchemaV1 | undefined = undefined>(
	definition: ToolDefinition<Input, Output>,
): Tool {
	const { name, description, effect = "write" } = definition;
	check(isToolName(name), `"${String(name).slice(0, 80)}" is no tool name`);
	check(typeof description === "string" && description !== "", `tool ${name} has no description`);
	check(effects.has(effect), `tool ${name} declares the effect "${effect}"; known: ${[...effects].join(", ")}`);
	const repeat = definition.repeat ?? (effect === "internal" || effect === "read" ? "repeatable" : "once");
	check(repeats.has(repeat), `tool ${name} declares the repeatability "${repeat}"; known: ${[...repeats].join(", ")}`);
	const { timeoutMs } = definition;
	check(
		timeoutMs === undefined || (Number.isFinite(timeoutMs) && timeoutMs > 0),
		`tool ${name} has the time-out ${timeoutMs}`,
	);
	check(typeof definition.execute === "function", `tool ${name} has no function execute`);
	for (const part of ["simulate", "lookup"] as const) {
		const given = definition[part];
		check(given === undefined || typeof given === "function", `tool ${name} has a ${part} that is no function`);
	}
	const { version = "1", tags = [] } = definition;
	check(typeof version === "string", `tool ${name} has the version ${String(version)}, which is no text`);
	check(
		Array.isArray(tags) && tags.every((tag) => typeof tag === "string"),
		`tool ${name} has tags that are no list of texts`,
	);
	check(
		areLabels(definition.labels),
		`tool ${name} has labels that are none: { integrity?, readers?: [text], audience?: [text], declassifies? }`,
	);
	// By default nobody is asked about these, and it is the call that lifts what labels forbid.
	check(
		!definition.labels?.declassifies || (effect !== "read" && effect !== "internal"),
		`tool ${name} declassifies and declares the effect "${effect}", so that nobody may be asked about it; give it the effect "write"`,
	);
	const inputSchema = toJsonSchema(definition.input, "input");
	const outputSchema = definition.output ? toJsonSchema(definition.output, "output") : undefined;
	const marks = toolMarks(name, inputSchema, outputSchema);
	return {
		name,
		description,
		input: definition.input as Tool["input"],
		output: definition.output as Tool["output"],
		inputSchema,
		outputSchema,
		effect,
		repeat,
		timeoutMs,
		labels: definition.labels,
		...(marks ? { marks } : {}),
		tags,
		version: `${version}.${promiseDigest(name, [inputSchema, effect, repeat])}`,
		simulate: definition.simulate as Tool["simulate"],
		lookup: definition.lookup as Tool["lookup"],
		execute: definition.execute as Tool["execute"],
	};
}

/** Errors: `tool.invalid`. */
function toolMarks(name: string, input: JsonSchema, output: JsonSchema | undefined): ToolMarks | undefined {
	const args = marksOf(input, `The input of tool ${name} at `);
	const result = marksOf(output, `The output of tool ${name} at `);
	return args || result ? { ...(args ? { args } : {}), ...(result ? { result } : {}) } : undefined;
}

const effects: ReadonlySet<string> = new Set<Effect>(["internal", "read", "write", "destructive"]);
const repeats: ReadonlySet<string> = new Set<Repeatability>(["repeatable", "keyed", "once"]);

/** A label that is misspelt would be one that protects nothing. */
function areLabels(labels: unknown): boolean {
	if (labels === undefined) return true;
	if (typeof labels !== "object" || labels === null) return false;
	const { integrity, readers, audience, declassifies, ...others } = labels as Record<string, unknown>;
	const isIntegrity = integrity === undefined || integrity === "trusted" || integrity === "untrusted";
	const isFlag = declassifies === undefined || declassifies === true;
	return isIntegrity && isFlag && areReaders(readers) && areReaders(audience) && Object.keys(others).length === 0;
}

function areReaders(readers: unknown): boolean {
	return readers === undefined || (Array.isArray(readers) && readers.every((reader) => typeof reader === "string"));
}

/** Not `__proto__`: names are keys of objects too. */
function isToolName(name: unknown): boolean {
	return typeof name === "string" && /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name) && name !== "__proto__";
}

function promiseDigest(name: string, promised: readonly unknown[]): string {
	try {
		return digest(canonicalJson(promised)).slice(0, 8);
	} catch (cause) {
		throw new HoldpointError(
			"tool.invalid",
			`The input schema of tool ${name} cannot be digested: ${reasonOf(cause)}`,
			{ cause },
		);
	}
}

function check(condition: boolean, message: string): void {
	if (!condition) throw new HoldpointError("tool.invalid", message);
}
