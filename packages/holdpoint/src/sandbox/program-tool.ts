import type { JsonSchema } from "../spec/json.ts";

/** What a program's author needs to know of a tool. */
export interface ProgramTool {
	readonly name: string;
	readonly description: string;
	readonly inputSchema: JsonSchema;
	readonly outputSchema?: JsonSchema | undefined;
	/** Its calls may be held until a person approves. */
	readonly held?: boolean | undefined;
}
