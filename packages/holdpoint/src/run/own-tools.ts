/** Tools that Holdpoint itself gives to agents: small enough that no schema library is loaded for them. */
import type { Json, JsonSchema } from "../spec/json.ts";
import type { AnySchema, CallingRun, DoneInRun, Tool } from "../spec/tool.ts";

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

/** An object with texts, some of which may be left out. */
export function textFields(required: readonly string[], optional: readonly string[]): Field {
	const names = [...required, ...optional];
	const properties = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
	const schema = {
		type: "object",
		properties,
		...(required.length > 0 ? { required } : {}),
		additionalProperties: false,
	};
	const problemOf = (value: unknown): string | undefined => {
		if (typeof value !== "object" || value === null || Array.isArray(value)) return "it must be an object";
		const missing = required.find((name) => !Object.hasOwn(value, name));
		if (missing !== undefined) return `${missing} is missing`;
		const unknown = Object.keys(value).find((name) => !names.includes(name));
		if (unknown !== undefined) return `there is no ${JSON.stringify(unknown.slice(0, 80))}`;
		const wrong = Object.entries(value).find(([, text]) => typeof text !== "string");
		return wrong && `${wrong[0]} must be a string`;
	};
	const validate = (value: unknown) => {
		const problem = problemOf(value);
		return problem === undefined ? { value } : { issues: [{ message: problem }] };
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
	/** Why what a model wrote does not fit; undefined: it does. */
	readonly misfit: (args: { readonly [name: string]: unknown }) => string | undefined;
	/** Programs may not call it. */
	readonly isDirectOnly?: true;
	inRun(args: Json, run: CallingRun): DoneInRun | Promise<DoneInRun>;
}

/** A tool that works within the run that calls it. */
export function runTool({ misfit, inRun, isDirectOnly, ...named }: RunTool): Tool {
	const validate = (value: unknown) => {
		const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
		const problem = isObject ? misfit(value as { [name: string]: unknown }) : "it must be an object";
		return problem === undefined ? { value } : { issues: [{ message: problem }] };
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

/** The first field that is none of these. */
export function strangeField(args: object, known: readonly string[]): string | undefined {
	const other = Object.keys(args).find((name) => !known.includes(name));
	return other === undefined ? undefined : `${other.slice(0, 80)} is not known: it has ${known.join(", ")}`;
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
