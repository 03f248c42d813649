/** Who must say yes. */
export interface Ask {
	/** Each role needs `count` distinct people. None: any `count` people. */
	readonly roles?: readonly string[];
	/** Default 1. */
	readonly count?: number;
	/** Of these roles other counts. Shape: `{ manager: 2 }`. */
	readonly counts?: { readonly [role: string]: number };
	/** How many people in all, whatever their roles. Default: as many as the roles need. */
	readonly people?: number;
	/** The yes of the person on whose behalf the run works counts for nothing. */
	readonly fourEyes?: boolean;
	/** Units: milliseconds. Default: the harness's limit. */
	readonly expiresInMs?: number;
	/** Where a program asks: find out first what it would do, so that people decide on all of it in one answer. */
	readonly rehearse?: boolean;
	/** Who may answer in everybody's place when nobody has for so long. */
	readonly escalate?: Escalation;
}

/** How many people of a role an ask wants. */
export function countOfRole(
	{ count, counts }: Pick<Ask, "count"> & { readonly counts?: Ask["counts"] | undefined },
	role: string,
): number {
	return counts && Object.hasOwn(counts, role) ? (counts[role] as number) : (count ?? 1);
}

export interface Escalation {
	/** Units: milliseconds since it was asked. */
	readonly afterMs: number;
	readonly roles: readonly string[];
}
