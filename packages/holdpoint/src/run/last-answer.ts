import { fixedLimits } from "../spec/limits.ts";
import type { Thread } from "./conversation.ts";
import type { Segment } from "./segment.ts";

const { repairsMax } = fixedLimits;

/**
 * Whether an agent is asked for its last answer, without tools: its turns are over with this one, or its calls all failed
 * too often in a row. Only agents that wish it are; others end with `limit.turns`.
 */
export function isLastAnswer(segment: Segment, thread: Thread): boolean {
	const { of, answers, context, agent } = thread;
	const { features, limits, output } = segment.readyOf({ agent }).agent;
	const failedTurnsMax = features?.failedTurnsMax;
	if (failedTurnsMax === undefined) return false;
	const { turnsMax } = segment.readyFor(of).limits;
	const ownMax = of.team ? limits.turnsMax : undefined;
	const own = turnsOfOwn(output !== undefined, Math.min(turnsMax, ownMax ?? turnsMax));
	return (
		of.turns + turnsOfOthers(segment, thread) + own >= turnsMax ||
		(ownMax !== undefined && answers + own >= ownMax) ||
		context.failedTurns >= failedTurnsMax
	);
}

/** The last answer, and one to repair it where it must have a form; not where that would leave no turn with tools. */
function turnsOfOwn(hasForm: boolean, turnsMax: number): number {
	return hasForm && turnsMax > 1 + repairsMax ? 1 + repairsMax : 1;
}

/** What is left to those who work beside it: a last answer each, and the one that is being given. */
function turnsOfOthers({ busy }: Segment, { of, agent }: Thread): number {
	let turns = 0;
	for (const { agent: other, work, hasLastAnswer } of of.active) {
		if (other !== agent && !hasLastAnswer) turns += busy.has(work) ? 2 : 1;
	}
	return turns;
}
