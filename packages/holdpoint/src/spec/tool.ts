import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { RunEvent } from "./events.ts";
import type { Json, JsonSchema } from "./json.ts";
import type { Label } from "./label.ts";
import type { ToolMarks } from "./marks.ts";
import type { MemoryEntry } from "./memory.ts";
import type { Write } from "./store.ts";

/** What a call of the tool may do outside the journal. Undeclared counts as `write`. */
export type Effect =
	/** Changes only the run's own journal. */
	| "internal"
	/** Looks, changes nothing. */
	| "read"
	/** Changes something that a person could set right again. */
	| "write"
	/** Cannot be set right again. */
	| "destructive";

/** What may be done with a call whose outcome is not known. */
export type Repeatability =
	/** Run it again. The default of `internal` and `read`. */
	| "repeatable"
	/** Run it again with the same idempotency key: the other side does it once. */
	| "keyed"
	/** Never by itself: a person settles it. The default of `write` and `destructive`. */
	| "once";

/**
 * Where a tool's results come from, who may read them, and who sees what is sent to it. A missing label is the worst.
 * Readers are names of the user's own: people, teams, systems. Two have a meaning: `principal`, on whose behalf the run
 * works, and `everyone`.
 */
export interface Labels {
	/** `untrusted`: somebody else's words may be in it. The default. */
	readonly integrity?: "trusted" | "untrusted";
	/** Who may read the results. Default: the principal alone. */
	readonly readers?: readonly string[];
	/** Who sees what a call sends. Default: everyone. */
	readonly audience?: readonly string[];
	/** The call itself is the decision that what was read before may be treated as its own labels say. No `read`, nor `internal`. */
	readonly declassifies?: true;
}

export interface ToolContext {
	readonly run: string;
	readonly call: string;
	/** 1, 2, … */
	readonly attempt: number;
	/** The same for every attempt of this call, different for every other call anywhere. */
	readonly idempotencyKey: string;
	/** Aborted on timeout and on cancellation. */
	readonly signal: AbortSignal;
	readonly principal: string;
	readonly session: string | undefined;
}

/** What the outside world says of a call whose outcome was not known. */
export type Lookup<Output = unknown> =
	/** It was done, and returned this. */
	| { readonly happened: Output }
	/** It was not done, and cannot happen any more either. */
	| { readonly didNotHappen: string }
	/** Nobody can say yet: a person may have to. */
	| { readonly unknown: string };

/** What a tool knows of the agent behind it. */
export interface NamedAgent {
	readonly name: string;
	readonly digest: string;
}

/** What a call may do with one space of its run's memory. The space comes from the run, never from arguments. */
export interface CallMemory {
	/**
	 * Newest first, from behind `before` on; at most so many. Labels of entries are as they are to the calling run.
	 * Errors: `memory.tampered`.
	 */
	list(limit: number, before?: Pick<MemoryEntry, "at" | "name">): Promise<readonly MemoryEntry[]>;
	get(name: string): Promise<MemoryEntry | undefined>;
	search(query: string, limit: number): Promise<readonly MemoryEntry[]>;
	count(): Promise<number>;
	/** What writes the entry with the call's outcome, labelled with what the caller has seen. Errors: `memory.invalid`, `memory.full`. */
	write(name: string, text: string): Promise<Write>;
	/** What deletes it. Undefined: there is none of this name. */
	drop(name: string): Promise<Write | undefined>;
}

/** The run that calls a tool of Holdpoint's own. */
export interface CallingRun {
	readonly run: string;
	readonly call: string;
	/** The call inside of which the agent works; undefined: the run's own conversation. */
	readonly inside: string | undefined;
	/** Name of the agent. */
	readonly agent: string;
	/** Others take over from it there. */
	readonly isTeam: boolean;
	readonly principal: string;
	readonly tenant: string | undefined;
	readonly session: string | undefined;
	/** Milliseconds since 1970. */
	readonly now: number;
	/** Of all that whoever calls has seen. Undefined: nothing is wrong with it. */
	readonly label: Label | undefined;
	/** Aborted on timeout and on cancellation. */
	readonly signal: AbortSignal;
	/** Memory of the run's session (of the run alone where it has none), and of its principal. */
	readonly memory: { readonly session: CallMemory; readonly principal: CallMemory };
	/** Whether work that the agent started goes on under this id. */
	isInBackground(modelId: string): boolean;
	/** What one of the agent's calls gave, under the id by which its model knows it. Undefined: there is no such call. */
	resultOf(modelId: string): { readonly text: string; readonly label: Label | undefined } | undefined;
}

/** What such a call does: its value, and what becomes durable in the same commit as that. */
export interface DoneInRun {
	readonly value: Json;
	/** Of the value. Undefined: nothing is wrong with it. */
	readonly label?: Label | undefined;
	readonly events?: readonly RunEvent[];
	readonly writes?: readonly Write[];
	/** Calls that it ends, with all that is done inside of them, under the ids by which the agent's model knows them. */
	readonly stops?: readonly string[];
}

/** A tool as the harness sees it; `defineTool` makes one and checks it. */
export interface Tool<Input = unknown, Output = unknown> {
	readonly name: string;
	readonly description: string;
	readonly input: StandardSchemaV1<unknown, Input>;
	readonly output: StandardSchemaV1<unknown, Output> | undefined;
	readonly inputSchema: JsonSchema;
	readonly outputSchema: JsonSchema | undefined;
	readonly effect: Effect;
	readonly repeat: Repeatability;
	/** Units: milliseconds. Undefined: the harness's limit. */
	readonly timeoutMs: number | undefined;
	readonly labels: Labels | undefined;
	/** Undefined: nothing is marked. */
	readonly marks?: ToolMarks | undefined;
	readonly tags: readonly string[];
	/** What a call would return, made up without doing anything; throws where it would fail. */
	readonly simulate: ((input: Input) => unknown) | undefined;
	/** Asks the outside world what became of a call whose outcome is not known. */
	readonly lookup: ((idempotencyKey: string, input: Input, context: ToolContext) => unknown) | undefined;
	/** Puts its calls to an agent or a team, as `agentTool` makes it. */
	readonly agent?: NamedAgent;
	/** Whoever calls it goes on meanwhile, and is told the answer when it is there. */
	readonly isInBackground?: true;
	/** Of Holdpoint's own tools, in the place of `execute`: whatever it changes is written with its outcome, or not at all. */
	readonly inRun?: (input: Input, run: CallingRun) => DoneInRun | Promise<DoneInRun>;
	/** Declared once, for the model, and programs may call it, too. */
	readonly isEverywhere?: true;
	/** Declared version and digest of schema and effect: a change voids approvals. */
	readonly version: string;
	execute(input: Input, context: ToolContext): unknown;
}

/** Any Standard Schema. Where a JSON Schema is needed it must offer one (Standard JSON Schema). */
export type AnySchema = StandardSchemaV1;
