/**
 * Does the log permit what it says was done? Each `call.started` has a decision before it, made since the last start of
 * the call, and where that decision asked for people, enough of them said yes: to these arguments, in time, each once.
 *
 * Written apart from the harness that decides: a mistake there is not made here too.
 */
import type { Leaf, LeafFacts } from "./export-lines.ts";
import type { Finding } from "./findings.ts";

/** Facts of an ask. */
interface Asked {
	readonly roles: readonly string[];
	readonly count: number;
	readonly counts: ReadonlyMap<unknown, unknown>;
	readonly people: number;
	readonly substitutes: readonly string[];
}

interface Yes {
	readonly id: string;
	readonly roles: readonly string[];
}

interface Approval {
	readonly number: unknown;
	/** Which version of the call was shown. */
	bound: unknown;
	readonly asked: Asked;
	readonly expiresAt: number;
	substitutes: readonly string[];
	answers: Yes[];
	/** Why it allows nothing. */
	over: string | undefined;
}

interface Call {
	decision: { readonly facts: LeafFacts; readonly isSpent: boolean } | undefined;
	approval: Approval | undefined;
	starts: number;
	isOver: boolean;
}

export class RunChecks {
	/** Of runs that did not finish yet. Undefined: too little of it is known to judge it. */
	private readonly runs = new Map<string, Map<string, Call> | undefined>();
	/** Grants that were revoked, and when those end that do. */
	private readonly revoked = new Set<unknown>();
	private readonly ends = new Map<unknown, number>();
	executions = 0;

	/** What is wrong with this leaf after those before it. */
	take(leaf: Leaf, index: number): Finding | undefined {
		const { run, n, event } = leaf;
		if (event.type === "grant.revoked") this.revoked.add(event["grant"]);
		if (event.type === "grant.given" && n === undefined) this.ends.set(event["grant"], numberOr(event["expiresAt"], 0));
		if (n === undefined) return undefined;
		if (event.type === "run.started") this.runs.set(run, new Map());
		else if (!this.runs.has(run)) this.runs.set(run, undefined);
		const calls = this.runs.get(run);
		if (event.type === "run.finished") this.runs.delete(run);
		const id = event["call"];
		if (event.type === "call.started") this.executions++;
		if (typeof id !== "string" || !calls) return undefined;
		const call = calls.get(id) ?? { decision: undefined, approval: undefined, starts: 0, isOver: false };
		calls.set(id, call);
		const why = follow(call, event) ?? (event.type === "call.started" ? this.lostGrant(call, leaf.at) : undefined);
		if (why === undefined) return undefined;
		const message = `Call ${id} of run ${run} was started although ${why}`;
		return { kind: "unapproved_execution", index, run, event: n, call: id, message };
	}

	/** A grant answers in the place of people: while it holds. One that the log does not know is older than the log. */
	private lostGrant({ decision }: Call, at: number): string | undefined {
		const grants = texts(decision?.facts["grants"]);
		const lost = grants.find((grant) => this.revoked.has(grant) || at >= (this.ends.get(grant) ?? Number.MAX_VALUE));
		return lost === undefined ? undefined : `the grant ${lost} held no longer`;
	}

	/** The leaves that were checked are not to be believed: what follows from them is not judged. */
	forget(): void {
		for (const run of this.runs.keys()) this.runs.set(run, undefined);
	}
}

/** Folds a fact into a call. Returns why a start was not permitted. */
function follow(call: Call, facts: LeafFacts): string | undefined {
	switch (facts.type) {
		case "call.decided":
			call.decision = { facts, isSpent: false };
			return undefined;
		case "approval.requested":
			call.approval = approvalOf(call, facts);
			return undefined;
		case "approval.escalated":
			if (call.approval?.number === facts["approval"] && call.approval)
				call.approval.substitutes = texts(facts["roles"]);
			return undefined;
		case "approval.resolved":
			if (call.approval?.number === facts["approval"] && call.approval) answer(call.approval, facts);
			return undefined;
		case "approval.closed":
			if (call.approval?.number === facts["approval"] && call.approval)
				call.approval.over = `its approval was ${String(facts["why"])}`;
			return undefined;
		case "call.finished":
		case "call.settled":
			call.isOver = facts["outcome"] !== "unknown";
			return undefined;
		case "call.started":
			return start(call, facts);
		default:
			return undefined;
	}
}

function approvalOf(call: Call, facts: LeafFacts): Approval {
	const carried = texts(facts["carries"]);
	return {
		number: facts["approval"],
		bound: call.decision?.facts["bound"],
		asked: askedOf(facts),
		expiresAt: numberOr(facts["expiresAt"], 0),
		substitutes: [],
		answers: call.approval?.answers.filter(({ id }) => carried.includes(id)) ?? [],
		over: undefined,
	};
}

function answer(approval: Approval, facts: LeafFacts): void {
	const by = (facts["by"] ?? {}) as { readonly id?: unknown; readonly roles?: unknown };
	const isCounted = facts["excepted"] === undefined && numberOr(facts["at"], Number.MAX_VALUE) < approval.expiresAt;
	if (facts["answer"] === "deny") approval.over = "it was denied";
	else {
		if (facts["answer"] === "edit") {
			// Who edits voids what others answered to the arguments before.
			approval.answers = [];
			approval.bound = facts["bound"];
		}
		if (isCounted) approval.answers.push({ id: String(by.id), roles: texts(by.roles) });
	}
}

function start(call: Call, facts: LeafFacts): string | undefined {
	const { decision, approval } = call;
	call.starts++;
	if (call.decision) call.decision = { ...call.decision, isSpent: true };
	if (!decision) return "nothing was decided about it";
	if (decision.isSpent) return "its decision was spent by an earlier start";
	if (call.isOver) return "it was over";
	if (facts["attempt"] !== call.starts)
		return `it is attempt ${String(facts["attempt"])}, and ${call.starts - 1} came before`;
	const { verdict, bound, approvedBy, ask } = decision.facts;
	if (verdict === "allow") return undefined;
	if (verdict !== "ask") return "it was denied by the policy";
	if (!approval) return "it was asked for, and nobody was asked";
	if (approval.over) return approval.over;
	if (approval.bound !== bound) return "what was approved is not what was started";
	const counted = texts(approvedBy);
	const given = approval.answers.filter(({ id }) => counted.includes(id));
	const asked =
		ask === undefined ? { ...approval.asked, substitutes: approval.substitutes } : askedOf(ask as LeafFacts);
	const missing = missingYes(asked, given);
	return missing === undefined ? undefined : `it lacks the yes of ${missing}`;
}

function askedOf(facts: { readonly [fact: string]: unknown }): Asked {
	const { roles, count, counts, people, substitutes } = facts;
	return {
		roles: texts(roles),
		count: numberOr(count, 1),
		counts: new Map(Array.isArray(counts) ? counts.filter(Array.isArray).map(([role, number]) => [role, number]) : []),
		people: numberOr(people, 0),
		substitutes: texts(substitutes),
	};
}

/** One person counts once and sits on one seat; undefined when every seat is taken. */
function missingYes(asked: Asked, given: readonly Yes[]): string | undefined {
	const people = [...new Map(given.map((yes) => [yes.id, yes])).values()];
	const wanted = Math.max(asked.people, asked.roles.length === 0 ? asked.count : 0);
	if (people.length < wanted) return `${wanted - people.length} more`;
	const seats = asked.roles.flatMap((role) => {
		const count = numberOr(asked.counts.get(role), asked.count);
		return Array.from({ length: Math.min(count, people.length + 1) }, () => role);
	});
	const seatOf = new Map<Yes, number>();
	const seated = (seat: number, tried: Set<Yes>): boolean =>
		people.some((person) => {
			const maySit = [seats[seat] as string, ...asked.substitutes].some((role) => person.roles.includes(role));
			if (!maySit || tried.has(person)) return false;
			tried.add(person);
			const taken = seatOf.get(person);
			if (taken !== undefined && !seated(taken, tried)) return false;
			seatOf.set(person, seat);
			return true;
		});
	return seats.find((_, seat) => !seated(seat, new Set()));
}

function texts(value: unknown): readonly string[] {
	return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function numberOr(value: unknown, other: number): number {
	return typeof value === "number" ? value : other;
}
