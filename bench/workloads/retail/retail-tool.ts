import { type ArgsOf, invalidArguments, type Params } from "../arguments.ts";
import type { ToolOutcome } from "../outcome.ts";
import type { RetailDb } from "./records.ts";

export interface RetailTool {
	readonly name: string;
	readonly effect: "read" | "write" | "internal";
	readonly params: Params;
	/** Checks the arguments, then acts on `db`. Errors: none; a refusal is a returned outcome. */
	run(db: RetailDb, args: unknown): ToolOutcome;
}

interface Definition<N extends string, P extends Params> {
	readonly name: N;
	readonly effect: RetailTool["effect"];
	readonly params: P;
	readonly run: (db: RetailDb, args: ArgsOf<P>) => ToolOutcome;
}

export function retailTool<N extends string, const P extends Params>(
	definition: Definition<N, P>,
): RetailTool & { readonly name: N } {
	const { params, run } = definition;
	return { ...definition, run: (db, args) => invalidArguments(params, args) ?? run(db, args as ArgsOf<P>) };
}
