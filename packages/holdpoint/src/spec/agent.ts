import type { ContextOptions, ContextProvider } from "./context.ts";
import type { Mode } from "./events.ts";
import type { Json, JsonSchema } from "./json.ts";
import type { Limits, ProgramLimits } from "./limits.ts";
import type { LanguageModel, ModelAnswer, ModelRequest, ModelSettings } from "./model.ts";
import type { RunResult } from "./result.ts";
import type { RunInfo } from "./run-info.ts";
import type { AnySchema, Tool } from "./tool.ts";

export type { RunInfo } from "./run-info.ts";

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
	/** What `harnessAgent` adds; undefined: a plain agent. */
	readonly features?: AgentFeatures | undefined;
	/** Of name, instructions and output: a change is compatible and is recorded on resume. */
	readonly digest: string;
}

/** What an agent has beside its tools. */
export interface AgentFeatures {
	/** Undefined: its model is shown all that was said. */
	readonly context: ContextOptions | undefined;
	/** Where it is shown all: what stands behind its instructions. */
	readonly providers: readonly ContextProvider[];
	/** In which mode it begins. Undefined: it has no modes. */
	readonly mode: Mode | undefined;
	/** Asked when it has answered. Undefined: its answer is the end. */
	readonly loop: LoopOptions | undefined;
	/**
	 * At its last turn, or after so many answers in a row whose calls all failed, it is asked for a last answer, without
	 * tools. Undefined: it is not, and the run fails with `limit.turns`.
	 */
	readonly failedTurnsMax: number | undefined;
}

/** When an answer is the end. One of `until` and `criteria` is there. */
export interface LoopOptions {
	/** True: it is the end. A text: what is missing, as the agent reads it. */
	readonly until: ((answer: string, run: RunInfo) => boolean | string | Promise<boolean | string>) | undefined;
	/** What it must meet, as the agent's own model judges it. */
	readonly criteria: string | undefined;
	/** How often the agent is told to go on, between two words of its user. */
	readonly roundsMax: number;
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

export interface CallInfo {
	readonly call: string;
	readonly tool: string;
	/** The program that made the call, or undefined. */
	readonly parent: string | undefined;
	readonly args: Json;
}
