import type { JsonSchema } from "../spec/json.ts";
import type { AnySchema } from "../spec/tool.ts";

/** What a program's author needs to know of a tool. */
export interface ProgramTool {
	readonly name: string;
	readonly description: string;
	readonly inputSchema: JsonSchema;
	/** What really judges its arguments; undefined: the JSON Schema does. */
	readonly input?: AnySchema | undefined;
	readonly outputSchema?: JsonSchema | undefined;
	/** Its calls may be held until a person approves. */
	readonly held?: boolean | undefined;
}
