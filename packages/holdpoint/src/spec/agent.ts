import type { Json, JsonSchema } from "./json.ts";
import type { Limits, ProgramLimits } from "./limits.ts";
import type { LanguageModel, ModelAnswer, ModelRequest, ModelSettings } from "./model.ts";
import type { RunResult } from "./result.ts";
import type { AnySchema, Tool } from "./tool.ts";

/** An agent as the harness sees it; `defineAgent` makes one and checks it. */
export interface Agent<Name extends string = string> {
	readonly name: Name;
	readonly instructions: string;
	/** Undefined: the harness's model. */
	readonly model: LanguageModel | undefined;
	readonly settings: ModelSettings | undefined;
	readonly tools: readonly Tool[];
	/** Undefined: this agent writes no programs. */
	readonly programs: ProgramOptions | undefined;
	readonly output: { readonly schema: AnySchema; readonly json: JsonSchema } | undefined;
	readonly limits: Partial<Limits>;
	readonly middleware: readonly Middleware[];
	/** Of name, instructions and output: a change is compatible and is recorded on resume. */
	readonly digest: string;
}

export interface ProgramOptions {
	/** Tools that the model calls directly instead of from programs. A tool is declared once, never twice. */
	readonly direct: readonly string[];
	readonly limits: Partial<ProgramLimits>;
	/** At a program's first held call, find out without any effect what it would do, so that it is decided in one answer. */
	readonly rehearse: boolean;
	/** Declarations past this budget become an index with `tools.$search`. Units: tokens. */
	readonly declarationTokensMax: number | undefined;
}

/**
 * One onion around a run, a model call and a tool call, calls of programs included. `prepareCall` may replace the
 * arguments, and is the only place that may: it comes before validation and decision. `call` surrounds the execution of
 * a call that was decided; it may stop it (throw) or replace its result, not its arguments.
 */
export interface Middleware {
	readonly name: string;
	run?(context: RunInfo, next: () => Promise<RunResult>): Promise<RunResult>;
	model?(
		request: ModelRequest,
		next: (request: ModelRequest) => Promise<ModelAnswer>,
		context: RunInfo,
	): Promise<ModelAnswer>;
	prepareCall?(call: CallInfo, context: RunInfo): Json | Promise<Json>;
	call?(call: CallInfo, next: () => Promise<unknown>, context: RunInfo): Promise<unknown>;
}

export interface RunInfo {
	readonly run: string;
	readonly agent: string;
	readonly principal: string;
	readonly session: string | undefined;
}

export interface CallInfo {
	readonly call: string;
	readonly tool: string;
	/** The program that made the call, or undefined. */
	readonly parent: string | undefined;
	readonly args: Json;
}
