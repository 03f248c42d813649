/** Who works where: `in` a call, or in the run's own conversation. */
export interface Who {
	readonly in?: string | undefined;
	/** Name of the agent, in a team. */
	readonly agent?: string | undefined;
}

/** The same for the same agent in the same conversation. */
export function placeOf({ in: inside, agent }: Who): string {
	return `${inside ?? ""}|${agent ?? ""}`;
}
