import type { ErrorCode } from "./errors.ts";
import type { RunFailureCode } from "./events.ts";
import type { Json } from "./json.ts";
import type { Ask } from "./policy.ts";

/** How a run stands when it returns. Waiting is a return value (I2). */
export type RunResult = Completed | Waiting | Failed | Cancelled;

interface Common {
	readonly run: string;
	/** What the model last said. */
	readonly text: string;
	readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
}

export interface Completed extends Common {
	readonly status: "completed";
	/** The text, or the parsed value where the agent has an output schema. */
	readonly output: Json;
}

export interface Waiting extends Common {
	readonly status: "waiting";
	readonly waits: readonly Wait[];
}

export interface Failed extends Common {
	readonly status: "failed";
	readonly error: { readonly code: RunFailureCode | ErrorCode; readonly message: string };
}

export interface Cancelled extends Common {
	readonly status: "cancelled";
	/** What was done before, and what nobody knows. */
	readonly done: readonly { readonly call: string; readonly tool: string; readonly outcome: "ok" | "unknown" }[];
}

export type Wait =
	| {
			readonly kind: "approval";
			readonly approval: string;
			/** The agent that asks. */
			readonly agent: string;
			readonly call: string;
			readonly tool: string;
			readonly args: Json;
			readonly reason: string;
			readonly ask: Ask;
			readonly expiresAt: number;
			/** When others may answer in everybody's place, where that comes before it expires. Milliseconds since 1970. */
			readonly escalatesAt?: number;
			/** Nobody answered for so long that people of these roles may, in everybody's place. */
			readonly escalatedTo?: readonly string[];
			/** Where a program asks: its call and line. */
			readonly program?: { readonly call: string; readonly line: number };
	  }
	| {
			readonly kind: "unknown";
			readonly call: string;
			readonly tool: string;
			readonly args: Json;
			readonly why: string;
	  }
	| { readonly kind: "timer"; readonly dueAt: number; readonly why: string }
	/** An agent of a team answered, and waits for what the user says to that: `session.send`, or `tell` and `resume`. */
	| { readonly kind: "user"; readonly agent: string; readonly text: string };
