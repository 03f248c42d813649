/**
 * What an approval is worth.
 *
 * I5: an approval names the digest of (run, call, tool, tool version, canonical arguments). An answer counts only for
 * the digest that its giver saw, only before it expires, and each person counts once.
 */
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import type { Approver } from "../spec/events.ts";

export interface BoundCall {
	readonly run: string;
	readonly call: string;
	readonly tool: string;
	readonly version: string;
	/** Canonical text of the arguments. */
	readonly args: string;
}

/** The digest that decisions, approvals and executions of a call have in common. */
export function callDigest(call: BoundCall): string {
	return digest(`${canonicalJson([call.run, call.call, call.tool, call.version])}\n${call.args}`);
}

/** Short enough to type, and different for every time that a call is asked about. */
export function approvalId(store: string, boundDigest: string, ordinal: number): string {
	return `apr_${digest(`${store}\n${boundDigest}\n${ordinal}`).replace(/[-_]/g, "").slice(0, 12).toLowerCase()}`;
}

interface Answered {
	readonly by: Approver;
}

/** What an ask still lacks; undefined when it is covered. One person counts once, and fills one role. */
export function lacking(
	ask: { readonly roles: readonly string[]; readonly count: number },
	answers: readonly Answered[],
): string | undefined {
	const people = [...new Map(answers.map((answer) => [answer.by.id, answer.by])).values()];
	if (ask.roles.length === 0) {
		const missing = ask.count - people.length;
		return missing > 0 ? `${missing} more ${missing === 1 ? "person" : "people"}` : undefined;
	}
	const table: Table = {
		seats: ask.roles.flatMap((role) => Array.from({ length: ask.count }, () => role)),
		people,
		seated: new Map(),
	};
	const empty = new Set<string>();
	// Where one seat of a role stays empty, its others would too.
	table.seats.forEach((role, seat) => {
		if (!empty.has(role) && !seatSomebody(table, seat, new Set())) empty.add(role);
	});
	return empty.size > 0 ? [...empty].join(", ") : undefined;
}

interface Table {
	/** The role of each seat. */
	readonly seats: readonly string[];
	readonly people: readonly Approver[];
	readonly seated: Map<Approver, number>;
}

/** Maximum matching by augmenting paths: can this seat be filled, moving others along where needed? */
function seatSomebody(table: Table, seat: number, tried: Set<Approver>): boolean {
	for (const person of table.people) {
		if (tried.has(person) || !person.roles?.includes(table.seats[seat] as string)) continue;
		tried.add(person);
		const taken = table.seated.get(person);
		if (taken === undefined || seatSomebody(table, taken, tried)) {
			table.seated.set(person, seat);
			return true;
		}
	}
	return false;
}
