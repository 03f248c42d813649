/**
 * When and how a conversation is compacted: old results are cleared; where that is not enough, what is older is folded
 * into a head; where not even that is enough, long parts of what is left are cut.
 *
 * Pure. Sizes are estimates in tokens times `ratio`, by which what a provider counted differs from them.
 */

import { charsPerToken } from "../kit/token-estimate.ts";
import type { ModelMessage } from "../spec/model.ts";
import { headMessage, headPartsMax } from "./head.ts";
import { shownMessage } from "./shown-message.ts";
import { boundsAt, type Frame, messageTokens, type View } from "./view.ts";

export interface Room {
	/** What a prompt may have. Tokens. */
	readonly budget: number;
	/** Instructions, what providers gave, tools. An estimate. */
	readonly fixed: number;
	readonly ratio: number;
	/** Share of the budget from which on it is compacted. */
	readonly compactAt: number;
}

export type Plan =
	| { readonly how: "clear"; readonly clearedTo: number }
	/** Everything before `from` is folded. `partTokensMax`: of each part of the head, and of the summary. */
	| (Pick<Frame, "from" | "clearedTo" | "cut"> & { readonly how: "fold"; readonly partTokensMax: number })
	/** Not even the last messages fit. */
	| { readonly how: "hopeless"; readonly fixedTokens: number; readonly tokens: number };

/** Undefined: there is room. */
export function planCompaction(view: View, said: readonly ModelMessage[], room: Room): Plan | undefined {
	const { budget, fixed, ratio, compactAt } = room;
	const limit = budget * compactAt;
	const used = (fixed + view.tokens) * ratio;
	if (used < limit) return undefined;
	const available = limit - fixed * ratio;
	const making = { room, available };
	return planClearing(view, said, making) ?? planFold(view, said, making) ?? hopeless(room, used);
}

function hopeless({ fixed, ratio }: Room, used: number): Plan {
	return { how: "hopeless", fixedTokens: Math.ceil(fixed * ratio), tokens: Math.ceil(used) };
}

/** After clearing, no more than this share of what is for the conversation: it is not done again at the next turn. */
const clearedShare = 0.75;
/** Results in the last messages stay: so much of it. */
const freshShare = 0.3;

function planClearing(view: View, said: readonly ModelMessage[], { room, available }: Making): Plan | undefined {
	const { ratio } = room;
	let fresh = 0;
	let clearedTo = said.length;
	let isUnread = true;
	while (clearedTo > view.from) {
		const message = said[clearedTo - 1] as ModelMessage;
		fresh += messageTokens(shownMessage(message, boundsAt(view, clearedTo - 1))) * ratio;
		// What came since its last answer the model has not read yet: that is never cleared.
		isUnread &&= message.role !== "assistant";
		if (!isUnread && fresh > available * freshShare) break;
		clearedTo--;
	}
	if (clearedTo <= view.clearedTo) return undefined;
	let tokens = view.tokens;
	const frame = { ...view, clearedTo };
	for (let place = Math.max(view.from, view.clearedTo); place < clearedTo; place++) {
		const message = said[place] as ModelMessage;
		if (message.role !== "tool") continue;
		tokens -= messageTokens(shownMessage(message, boundsAt(view, place)));
		tokens += messageTokens(shownMessage(message, boundsAt(frame, place)));
	}
	return tokens * ratio <= available * clearedShare ? { how: "clear", clearedTo } : undefined;
}

/** A head has up to four parts, each of at most this share of what is available; what stays has the rest. */
const partShare = 0.14;
const tailShare = 0.28;
const partTokensMaxMax = 2_000;
/** Below it neither a summary nor a request says anything. */
const partTokensMin = 16;
/** The last one is the shortest form of all: words stand for texts, arguments and results. */
const cuts = [2_000, 1_000, 500, 250, 120, 60, 30, 0];

interface Making {
	readonly room: Room;
	/** For what was said. Tokens as a provider counts them. */
	readonly available: number;
}

/** The most of the last messages that fits, at least the last one with what belongs to it. */
function planFold(view: View, said: readonly ModelMessage[], { room, available }: Making): Plan | undefined {
	const { ratio } = room;
	const most = Math.floor(Math.min(partTokensMaxMax, (available * partShare) / ratio));
	for (const partTokensMax of [most, Math.floor(most / 2), partTokensMin]) {
		if (partTokensMax < partTokensMin) continue;
		const tailMax = available / ratio - headTokensMax(partTokensMax);
		const from = tailFrom(said, view, Math.min(tailMax - 1, (available * tailShare) / ratio));
		const bounds = fittingBounds(said, view, { from, tailMax });
		if (bounds) return { how: "fold", from, ...bounds, partTokensMax };
	}
	return undefined;
}

interface Tail {
	readonly from: number;
	readonly tailMax: number;
}

/** What is shown of each part of the last messages, as much as fits. */
function fittingBounds(said: readonly ModelMessage[], view: View, { from, tailMax }: Tail) {
	const clearedTo = Math.max(view.clearedTo, from);
	for (const tokensMax of [undefined, ...cuts]) {
		// What is said later is shown as ever.
		const cut = tokensMax === undefined ? undefined : { to: said.length, tokensMax };
		if (tailTokens(said, { ...view, cut, clearedTo }, from) < tailMax) return { clearedTo, cut };
	}
	return undefined;
}

/** Of the longest head: all of its parts cut, with its headings and what is said of each cut. */
function headTokensMax(partTokensMax: number): number {
	const long = "x".repeat(2 * headPartsMax * partTokensMax * charsPerToken + longMin);
	const parts = { request: long, latest: long, open: [long], folded: Number.MAX_SAFE_INTEGER, partTokensMax };
	const heads = [long, undefined].map((summary) => headMessage({ ...parts, summary }));
	return Math.max(...heads.map(messageTokens));
}

/** Longer than any word on a cut. Characters. */
const longMin = 1_000;

function tailTokens(said: readonly ModelMessage[], frame: Frame, from: number): number {
	let tokens = 0;
	for (let place = from; place < said.length; place++) {
		tokens += messageTokens(shownMessage(said[place] as ModelMessage, boundsAt(frame, place)));
	}
	return tokens;
}

/** The place of a cut: no result stands without its call. */
function tailFrom(said: readonly ModelMessage[], view: View, tokensMax: number): number {
	const frame = { ...view, cut: undefined };
	let from = said.length;
	let tokens = 0;
	for (let place = said.length - 1; place >= view.from; place--) {
		tokens += messageTokens(shownMessage(said[place] as ModelMessage, boundsAt(frame, place)));
		const isFirst = from === said.length;
		if (tokens > tokensMax && !isFirst) break;
		if (isCut(said, place)) from = place;
	}
	return from;
}

export function isCut(said: readonly ModelMessage[], place: number): boolean {
	return said[place]?.role !== "tool";
}
