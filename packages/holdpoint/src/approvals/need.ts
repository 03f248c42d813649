/** Who must say yes to a held call, and whether they have. */

import { type Ask, countOfRole } from "../spec/ask.ts";
import type { Approver } from "../spec/events.ts";

/** An ask that was checked, with its defaults. */
export interface Need {
	/** None: anybody may answer. */
	readonly roles: readonly string[];
	/** How many people of each role; where no role is named, how many in all. */
	readonly count: number;
	/** Of these roles other counts. */
	readonly counts?: { readonly [role: string]: number } | undefined;
	/** How many people in all. */
	readonly people?: number | undefined;
	/** Whose yes counts for nothing. */
	readonly except?: readonly string[] | undefined;
	/** Roles whose people may answer in everybody's place. */
	readonly substitutes?: readonly string[] | undefined;
}

/** `principal`: on whose behalf the run works, whom four eyes leave out. */
export function needOf(ask: Ask | undefined, principal: string): Need {
	const { roles = [], count = 1, counts, people, fourEyes } = ask ?? {};
	return { roles, count, counts, people, except: fourEyes ? [principal] : undefined };
}

/** The same question for those who must be told who may answer it. */
export function askOf({ roles, count, counts, people, except }: Need): Ask {
	return {
		count,
		...(roles.length > 0 ? { roles } : {}),
		...(counts ? { counts } : {}),
		...(people === undefined ? {} : { people }),
		...(except ? { fourEyes: true } : {}),
	};
}

/** Undefined: this person's yes may count. Otherwise why it cannot. */
export function whyNot(need: Need, by: Approver): string | undefined {
	if (need.except?.includes(by.id)) return "it was asked on behalf of this person, and another one must answer";
	const { roles, substitutes = [] } = need;
	if (roles.length === 0 || [...roles, ...substitutes].some((role) => by.roles?.includes(role))) return undefined;
	return "this person has none of the roles that it asks for";
}

export interface Answered {
	readonly by: Approver;
}

/** What it still lacks; undefined when it is covered. One person counts once, and fills one role. */
export function lacking(need: Need, answers: readonly Answered[]): string | undefined {
	const byId = new Map(answers.map((answer) => [answer.by.id, answer.by]));
	const people = [...byId.values()].filter(({ id }) => !need.except?.includes(id));
	const wanted = Math.max(need.people ?? 0, need.roles.length === 0 ? need.count : 0);
	const table: Table = {
		seats: need.roles.flatMap((role) => Array.from({ length: countOfRole(need, role) }, () => role)),
		people,
		substitutes: need.substitutes ?? [],
		seated: new Map(),
	};
	const empty = new Set<string>();
	// Where one seat of a role stays empty, its others would too.
	table.seats.forEach((role, seat) => {
		if (!empty.has(role) && !seatSomebody(table, seat, new Set())) empty.add(role);
	});
	if (empty.size > 0) return [...empty].join(", ");
	const missing = wanted - people.length;
	return missing > 0 ? `${missing} more ${missing === 1 ? "person" : "people"}` : undefined;
}

interface Table {
	/** The role of each seat. */
	readonly seats: readonly string[];
	readonly people: readonly Approver[];
	readonly substitutes: readonly string[];
	readonly seated: Map<Approver, number>;
}

/** Maximum matching by augmenting paths: can this seat be filled, moving others along where needed? */
function seatSomebody(table: Table, seat: number, tried: Set<Approver>): boolean {
	for (const person of table.people) {
		if (tried.has(person) || !maySit(table, person, table.seats[seat] as string)) continue;
		tried.add(person);
		const taken = table.seated.get(person);
		if (taken === undefined || seatSomebody(table, taken, tried)) {
			table.seated.set(person, seat);
			return true;
		}
	}
	return false;
}

function maySit({ substitutes }: Table, { roles }: Approver, role: string): boolean {
	return roles !== undefined && (roles.includes(role) || substitutes.some((other) => roles.includes(other)));
}
