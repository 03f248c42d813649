import type { Label } from "./label.ts";
import type { RunInfo } from "./run-info.ts";

export interface ProvidingRun extends RunInfo {
	readonly tenant: string | undefined;
}

/** Text without a label is trusted, as instructions are: somebody else's words need one. */
export interface ProvidedText {
	readonly text: string;
	readonly label: Label | undefined;
}

type Provided = string | ProvidedText | undefined;

/** Text that stands behind the instructions: what an agent is to know beside what was said. */
export interface ContextProvider {
	/** Shape: as agents' names. */
	readonly name: string;
	/** What is beyond it is cut. Tokens. */
	readonly tokensMax: number;
	/**
	 * Asked before a run's first answer and after each compaction, and written down: between two compactions the prompt
	 * only grows, which is what prompt caches want. Undefined: nothing. One that throws or is late gives nothing, and the
	 * journal says so.
	 */
	provide(run: ProvidingRun): Provided | Promise<Provided>;
}

/** How an agent's conversation is kept within what its model can read. */
export interface ContextOptions {
	/** What the model can read, its answer included. Undefined: known by the model's name, else 128,000. Tokens. */
	readonly windowTokens: number | undefined;
	/** Kept free for the answer, or what the agent's settings allow it where that is more. Undefined: 16,384, at most a quarter of the window. Tokens. */
	readonly answerTokens: number | undefined;
	/** The share of the rest from which on it is compacted. */
	readonly compactAt: number;
	/** A result above this is shown in part; `read_result` shows the rest. Tokens. */
	readonly resultTokensMax: number;
	/** The model sums up what is left out; false: it is only told that something was. */
	readonly isSummarised: boolean;
	readonly providers: readonly ContextProvider[];
}
