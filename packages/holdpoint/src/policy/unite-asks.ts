import { type Ask, countOfRole } from "../spec/ask.ts";

/**
 * One question in the place of several; whoever covers it covers each of them. Of each role the larger count, in all the
 * larger number of people, four eyes where one wants them, the shorter expiry. Others stand in where each ask lets them.
 */
export function uniteAsks(asks: readonly Ask[]): Ask {
	const counts = new Map<string, number>();
	for (const ask of asks) {
		for (const role of ask.roles ?? []) counts.set(role, Math.max(counts.get(role) ?? 0, countOfRole(ask, role)));
	}
	const count = Math.max(1, ...(counts.size > 0 ? counts.values() : asks.map((ask) => ask.count ?? 1)));
	const seats = [...counts.values()].reduce((sum, each) => sum + each, 0);
	const people = Math.max(0, ...asks.map((ask) => Math.max(ask.people ?? 0, ask.roles?.length ? 0 : (ask.count ?? 1))));
	const others = [...counts].filter(([, each]) => each !== count);
	const expiries = asks.flatMap((ask) => ask.expiresInMs ?? []);
	const escalate = escalationOf(asks);
	return {
		...(counts.size > 0 ? { roles: [...counts.keys()] } : {}),
		count,
		...(others.length > 0 ? { counts: Object.fromEntries(others) } : {}),
		...(people > (counts.size > 0 ? seats : count) ? { people } : {}),
		...(asks.some((ask) => ask.fourEyes) ? { fourEyes: true } : {}),
		...(asks.some((ask) => ask.rehearse) ? { rehearse: true } : {}),
		...(expiries.length > 0 ? { expiresInMs: Math.min(...expiries) } : {}),
		...(escalate ? { escalate } : {}),
	};
}

/** The latest time, and only roles that every ask would escalate to: none of them is let off by another one's wish. */
function escalationOf(asks: readonly Ask[]): Ask["escalate"] {
	const [first, ...others] = asks.map((ask) => ask.escalate);
	if (!first) return undefined;
	let { afterMs, roles } = first;
	for (const other of others) {
		if (!other) return undefined;
		afterMs = Math.max(afterMs, other.afterMs);
		roles = roles.filter((role) => other.roles.includes(role));
	}
	return roles.length > 0 ? { afterMs, roles } : undefined;
}
