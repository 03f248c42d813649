/** What an agent's model is shown, and what it keeps in mind: the events of it. */
import type { Mode, OfAgent, Spent, Todo } from "./event-parts.ts";
import type { Label } from "./label.ts";
import type { ModelUsage } from "./model.ts";

/** What stands behind an agent's instructions from here on. */
export interface ContextProvided extends OfAgent {
	readonly type: "context.provided";
	/** What its context providers gave, in their order; left out: what they gave before. */
	readonly parts?: readonly { readonly name: string; readonly text: string }[];
	/** Those that gave nothing because they threw, or were late. */
	readonly failed?: readonly { readonly name: string; readonly why: string }[];
	/** Of all that. */
	readonly label?: Label;
}

/** An agent's model is shown less of its conversation from here on. The journal keeps all of it. */
export interface ContextCompacted extends OfAgent {
	readonly type: "context.compacted";
	/** `clear`: old results read as a word. `fold`: what is older is one message. */
	readonly how: "clear" | "fold";
	/** So many of the last messages are shown as they are. */
	readonly kept: number;
	/** In so many of the last messages results are shown. */
	readonly fresh: number;
	/** What is shown of one result. Tokens. */
	readonly resultTokensMax: number;
	/** What is shown of one text, one result and the arguments of one call that were there by then; left out: as much as of later ones. Tokens. */
	readonly cutTokensMax?: number;
	/** In so many of the last messages that does not hold; left out: none. */
	readonly uncut?: number;
	/** What is shown of each part of the one message: requests, summary, what is open. Tokens. */
	readonly partTokensMax?: number;
	/** What the folded messages said. */
	readonly summary?: string;
	/** Why there is none. */
	readonly unsummarised?: string;
	/** What the prompt had before, and what it may have. Tokens. */
	readonly tokens: number;
	/** The model's input without what is kept free for its answer. Tokens. */
	readonly budget: number;
	/** What the summary took. */
	readonly usage?: ModelUsage;
	/** What it took of budgets. */
	readonly spent?: readonly Spent[];
}

/** Work in the background is to end: nothing of it begins any more, and what had begun is brought to its outcome. */
export interface AgentStopped {
	readonly type: "agent.stopped";
	/** The call inside of which it works. */
	readonly in: string;
	/** Who wants that. */
	readonly by: string;
}

/** An agent wrote down what it has to do. */
export interface TodosSet extends OfAgent {
	readonly type: "todos.set";
	/** All of it, in its order. */
	readonly todos: readonly Todo[];
}

/** Agents of a conversation may do more from here on, or less. */
export interface ModeChanged {
	readonly type: "mode.changed";
	/** The call inside of which they work; left out in the run's own conversation. */
	readonly in?: string;
	/** `plan`: only what changes nothing may be done. */
	readonly mode: Mode;
}
