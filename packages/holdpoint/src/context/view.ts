/**
 * What of a conversation its model is shown: a view, never an edit.
 *
 * 1. A view begins with a head that stands for what was folded away, and goes on with the messages as they are; results
 *    that were cleared read as a word.
 * 2. Between two compactions it only grows: what was shown once is shown again, byte for byte.
 * 3. A call and its result are both shown, or both folded.
 */
import { tokenEstimate } from "../kit/token-estimate.ts";
import type { ModelMessage } from "../spec/model.ts";
import { type Bounds, shownMessage } from "./shown-message.ts";

/** How a conversation is shown. Places are counted from its beginning. */
export interface Frame {
	/** Stands for all that is before `from`. */
	readonly head: ModelMessage | undefined;
	readonly from: number;
	/** Results before this place are cleared. */
	readonly clearedTo: number;
	readonly resultTokensMax: number;
	/** Texts, arguments and results before a place are shown in part: so many tokens of each. */
	readonly cut: { readonly to: number; readonly tokensMax: number } | undefined;
}

export interface View extends Frame {
	/** What is shown so far, the head included. */
	readonly messages: ModelMessage[];
	/** Of these. An estimate. */
	tokens: number;
	/** So many of the conversation's messages were looked at. */
	seen: number;
}

export function newView(frame: Frame): View {
	const messages = frame.head ? [frame.head] : [];
	return { ...frame, messages, tokens: frame.head ? messageTokens(frame.head) : 0, seen: frame.from };
}

export function wholeFrame(resultTokensMax: number): Frame {
	return { head: undefined, from: 0, clearedTo: 0, resultTokensMax, cut: undefined };
}

/** Adds what was said since. Costs what is new. */
export function extendView(view: View, said: readonly ModelMessage[]): void {
	for (; view.seen < said.length; view.seen++) {
		const message = shownMessage(said[view.seen] as ModelMessage, boundsAt(view, view.seen));
		view.messages.push(message);
		view.tokens += messageTokens(message);
	}
}

export function boundsAt({ clearedTo, resultTokensMax, cut }: Frame, place: number): Bounds {
	const textTokensMax = cut && place < cut.to ? cut.tokensMax : undefined;
	return {
		isCleared: place < clearedTo,
		resultTokensMax: Math.min(resultTokensMax, textTokensMax ?? resultTokensMax),
		textTokensMax,
	};
}

/** What a provider's template puts around one. */
const aroundTokens = 4;

export function messageTokens(message: ModelMessage): number {
	return tokenEstimate(message.content) + aroundTokens;
}
