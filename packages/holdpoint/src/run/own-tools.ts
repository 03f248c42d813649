/** Tools that Holdpoint itself gives to agents. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Json, JsonSchema } from "../spec/json.ts";
import type { AnySchema, CallingRun, DoneInRun, Tool } from "../spec/tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";

export interface Field {
	readonly schema: JsonSchema;
	readonly input: AnySchema;
}

/** An object with one string. */
export function stringField(name: string): Field {
	const schema = {
		type: "object",
		properties: { [name]: { type: "string" } },
		required: [name],
		additionalProperties: false,
	};
	const validate = (value: unknown) => {
		// `tools.$search("refund")` is what a program would write.
		const text = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : value;
		return typeof text === "string"
			? { value: { [name]: text } }
			: { issues: [{ message: `${name} must be a string` }] };
	};
	return { schema, input: { "~standard": { version: 1, vendor: "holdpoint", validate } } };
}

export interface InternalTool {
	readonly name: string;
	readonly description: string;
	readonly input: Field;
	execute(args: unknown): unknown;
}

export interface RunTool extends Pick<Tool, "name" | "description" | "inputSchema"> {
	/** Why what fits the schema cannot be done all the same; undefined: it can. */
	readonly misfit?: (args: { readonly [name: string]: unknown }) => string | undefined;
	/** Programs may not call it. */
	readonly isDirectOnly?: true;
	inRun(args: Json, run: CallingRun): DoneInRun | Promise<DoneInRun>;
}

/** A tool that works within the run that calls it. */
export function runTool({ misfit, inRun, isDirectOnly, ...named }: RunTool): Tool {
	const fits = jsonSchema<{ readonly [name: string]: unknown }>(named.inputSchema)["~standard"];
	const validate = (value: unknown) => {
		const result = fits.validate(value) as StandardSchemaV1.Result<{ readonly [name: string]: unknown }>;
		const problem = result.issues ? undefined : misfit?.(result.value);
		return problem === undefined ? result : { issues: [{ message: problem }] };
	};
	const input: Field["input"] = { "~standard": { version: 1, vendor: "holdpoint", validate } };
	const execute = () => {
		throw new Error(`Holdpoint bug: it should hold that ${named.name} works within its run`);
	};
	const tool = internalTool({
		name: named.name,
		description: named.description,
		input: { schema: named.inputSchema, input },
		execute,
	});
	return { ...tool, inRun: inRun as Tool["inRun"], ...(isDirectOnly ? {} : { isEverywhere: true }) } as Tool;
}

export function internalTool({ name, description, input, execute }: InternalTool): Tool {
	return {
		name,
		description,
		input: input.input as Tool["input"],
		inputSchema: input.schema,
		output: undefined,
		outputSchema: undefined,
		effect: "internal",
		repeat: "repeatable",
		timeoutMs: undefined,
		labels: undefined,
		simulate: undefined,
		lookup: undefined,
		tags: [],
		version: "1",
		execute,
	};
}
