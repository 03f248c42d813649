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
export function lacking(ask: { readonly roles: readonly string[]; readonly count: number }, answers: readonly Answered[]): string | undefined {
	const people = [...new Map(answers.map((answer) => [answer.by.id, answer.by])).values()];
	if (ask.roles.length === 0) {
		const missing = ask.count - people.length;
		return missing > 0 ? `${missing} more ${missing === 1 ? "person" : "people"}` : undefined;
	}
	const seats = ask.roles.flatMap((role) => Array.from({ length: ask.count }, () => role));
	const seated = new Map<Approver, number>();
	const empty = seats.filter((_, seat) => !seatSomebody(seat, seats, people, seated, new Set()));
	return empty.length > 0 ? `${[...new Set(empty)].join(", ")}` : undefined;
}

/** Maximum matching by augmenting paths: can this seat be filled, moving others along where needed? */
function seatSomebody(seat: number, seats: readonly string[], people: readonly Approver[], seated: Map<Approver, number>, tried: Set<Approver>): boolean {
	for (const person of people) {
		if (tried.has(person) || !person.roles?.includes(seats[seat] as string)) continue;
		tried.add(person);
		const taken = seated.get(person);
		if (taken === undefined || seatSomebody(taken, seats, people, seated, tried)) {
			seated.set(person, seat);
			return true;
		}
	}
	return false;
}
