import type { Thread } from "./conversation.ts";
import type { Segment } from "./segment.ts";

/**
 * Whether an agent is asked for its last answer, without tools: its turns are over with this one, or its calls all failed
 * too often in a row. Only agents that wish it are; others end with `limit.turns`.
 */
export function isLastAnswer(segment: Segment, { of, answers, context, agent }: Thread): boolean {
	const { features, limits } = segment.readyOf({ agent }).agent;
	const failedTurnsMax = features?.failedTurnsMax;
	if (failedTurnsMax === undefined) return false;
	const { turnsMax } = segment.readyFor(of).limits;
	const ownMax = of.team ? limits.turnsMax : undefined;
	return (
		of.turns + 1 >= turnsMax || (ownMax !== undefined && answers + 1 >= ownMax) || context.failedTurns >= failedTurnsMax
	);
}
