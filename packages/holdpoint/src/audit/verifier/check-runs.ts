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

/** A call that a rehearsal foresaw. */
interface Row {
	/** The same for the same tool, version and arguments. */
	readonly content: unknown;
	/** The call, where it was asked before the rehearsal. */
	readonly call: unknown;
	readonly answers: Yes[];
	isDenied: boolean;
	spentBy: string | undefined;
}

/** What the log says of a grant; undefined: it did not say that when it was written. */
interface GivenGrant {
	readonly tool: unknown;
	readonly agent: unknown;
	readonly expiresAt: number;
}

/** What is known of a run. */
interface Run {
	/** Name of its agent. */
	readonly agent: unknown;
	readonly calls: Map<string, Call>;
	/** Of the last rehearsal of each program. */
	readonly rehearsals: Map<string, Row[]>;
}

interface Call {
	decision: { readonly facts: LeafFacts; readonly isSpent: boolean } | undefined;
	approval: Approval | undefined;
	starts: number;
	isOver: boolean;
	/** It was started by a grant that held no longer: nothing came of it, or its next fact makes that a finding. */
	inDoubt: Finding | undefined;
}

export class RunChecks {
	/** Of runs that did not finish yet. Undefined: too little of it is known to judge it. */
	private readonly runs = new Map<string, Run | undefined>();
	private readonly given = new Map<unknown, GivenGrant>();
	private readonly revoked = new Set<unknown>();
	executions = 0;

	/** What is wrong with this leaf after those before it. */
	take(leaf: Leaf, index: number): Finding | undefined {
		const { run, n, event } = leaf;
		if (event.type === "grant.revoked") this.revoked.add(event["grant"]);
		if (event.type === "grant.given" && n === undefined) this.given.set(event["grant"], givenGrant(event));
		if (n === undefined) return undefined;
		if (event.type === "run.started") this.runs.set(run, startedRun(event));
		else if (!this.runs.has(run)) this.runs.set(run, undefined);
		const known = this.runs.get(run);
		if (event.type === "run.finished") {
			this.runs.delete(run);
			return known && doubtsOf(known)[0];
		}
		const id = event["call"];
		if (event.type === "call.started") this.executions++;
		if (typeof id !== "string" || !known) return undefined;
		const call = known.calls.get(id) ?? {
			decision: undefined,
			approval: undefined,
			starts: 0,
			isOver: false,
			inDoubt: undefined,
		};
		known.calls.set(id, call);
		const doubt = settleDoubt(call, event);
		const spending = foreseen(known, id, event);
		const found = (why: string): Finding => {
			const message = `Call ${id} of run ${run} was started although ${why}`;
			return { kind: "unapproved_execution", index, run, event: n, call: id, message };
		};
		const why =
			follow(call, event, spending) ?? (event.type === "call.started" ? this.strayGrant(call, known) : undefined);
		if (why !== undefined) return found(why);
		const lost = event.type === "call.started" ? this.lostGrant(call, leaf.at) : undefined;
		if (lost !== undefined) call.inDoubt = found(lost);
		return doubt;
	}

	/** What the log leaves open at its end. */
	doubts(): Finding[] {
		return [...this.runs.values()].flatMap((run) => (run ? doubtsOf(run) : []));
	}

	/** A grant is for one tool and one agent, whomever else it is for. One that the log does not know is older than the log. */
	private strayGrant({ decision }: Call, { agent }: Run): string | undefined {
		const isStray = (grant: string): boolean => {
			const of = this.given.get(grant);
			return of !== undefined && (isOther(of.tool, decision?.facts["tool"]) || isOther(of.agent, agent));
		};
		const stray = texts(decision?.facts["grants"]).find(isStray);
		return stray === undefined ? undefined : `the grant ${stray} is for another tool or another agent`;
	}

	/** A grant answers in the place of people: while it holds. */
	private lostGrant({ decision }: Call, at: number): string | undefined {
		const isLost = (grant: string): boolean =>
			this.revoked.has(grant) || at >= (this.given.get(grant)?.expiresAt ?? Number.MAX_VALUE);
		const lost = texts(decision?.facts["grants"]).find(isLost);
		return lost === undefined ? undefined : `the grant ${lost} held no longer`;
	}

	/** The leaves that were checked are not to be believed: what follows from them is not judged. */
	forget(): void {
		for (const run of this.runs.keys()) this.runs.set(run, undefined);
	}
}

function givenGrant({ tool, agent, expiresAt }: LeafFacts): GivenGrant {
	return { tool, agent, expiresAt: numberOr(expiresAt, 0) };
}

function startedRun({ agent }: LeafFacts): Run {
	const { name } = (agent ?? {}) as { readonly name?: unknown };
	return { agent: name, calls: new Map(), rehearsals: new Map() };
}

/** Of what was not said nothing is known. */
function isOther(granted: unknown, made: unknown): boolean {
	return granted !== undefined && made !== undefined && granted !== made;
}

function doubtsOf({ calls }: Run): Finding[] {
	return [...calls.values()].flatMap(({ inDoubt }) => inDoubt ?? []);
}

/**
 * A grant may end while the intent is being written: whoever hears of that does not execute, and says so. Of a later
 * attempt it says that nobody knows, because of the one before.
 */
function settleDoubt(call: Call, facts: LeafFacts): Finding | undefined {
	const { inDoubt } = call;
	call.inDoubt = undefined;
	const expected = call.starts > 1 ? "unknown" : "denied";
	return facts.type === "call.finished" && facts["outcome"] === expected ? undefined : inDoubt;
}

/** Folds a fact into the rehearsal of the call's program, or of the call that is a program. */
function foreseen({ calls, rehearsals }: Run, id: string, facts: LeafFacts): Spending | undefined {
	// `c1.7` was asked by the program `c1`.
	const rows = rehearsals.get(id.slice(0, Math.max(0, id.lastIndexOf(".")))) ?? [];
	switch (facts.type) {
		case "program.rehearsed":
			rehearsals.set(id, rehearsed(facts, rehearsals.get(id) ?? []));
			return undefined;
		case "approval.resolved":
			answerRows(rows, calls.get(id)?.approval, facts);
			return undefined;
		case "call.started":
		case "approval.requested":
			return spend(rows, id, facts["row"]);
		default:
			return undefined;
	}
}

/** What was said of a call holds on where it is foreseen again, unless it was spent. */
function rehearsed(facts: LeafFacts, before: readonly Row[]): Row[] {
	const open = before.filter(
		({ spentBy, isDenied, answers }) => spentBy === undefined && (isDenied || answers.length > 0),
	);
	const rows: readonly unknown[] = Array.isArray(facts["foreseen"]) ? facts["foreseen"] : [];
	return rows.map((row) => {
		const [content, call] = Array.isArray(row) ? row : [];
		const at = open.findIndex((one) => one.content === content);
		const [same] = at < 0 ? [] : open.splice(at, 1);
		return { content, call, answers: same?.answers ?? [], isDenied: same?.isDenied ?? false, spentBy: undefined };
	});
}

function answerRows(rows: readonly Row[], approval: Approval | undefined, facts: LeafFacts): void {
	const named: readonly unknown[] = Array.isArray(facts["rows"]) ? facts["rows"] : [];
	const yes = approval && approval.number === facts["approval"] ? yesOf(approval, facts) : undefined;
	for (const index of named) {
		const row = rows[index as number];
		if (facts["answer"] === "deny" && row) row.isDenied = true;
		else if (yes) row?.answers.push(yes);
	}
}

/** A start that names a row rests on what was said of that, and on nothing else. */
interface Spending {
	readonly row: Row | undefined;
}

/** The row that is this very call is spent by it in any case. */
function spend(rows: readonly Row[], call: string, index: unknown): Spending | undefined {
	const named = typeof index === "number" ? rows[index] : undefined;
	const row = named && (named.spentBy ?? call) === call ? named : undefined;
	for (const one of rows) if (one === row || one.call === call) one.spentBy = call;
	return index === undefined ? undefined : { row };
}

/** Folds a fact into a call. Returns why a start was not permitted. */
function follow(call: Call, facts: LeafFacts, spending: Spending | undefined): string | undefined {
	switch (facts.type) {
		case "call.decided":
			call.decision = { facts, isSpent: false };
			return undefined;
		case "approval.requested":
			call.approval = approvalOf(call, facts, spending);
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
			return start(call, facts, spending);
		default:
			return undefined;
	}
}

/** `spending`: whoever answered the row that foresaw it may count on. */
function approvalOf(call: Call, facts: LeafFacts, spending: Spending | undefined): Approval {
	const before = spending ? spending.row?.answers : call.approval?.answers;
	const carried = texts(facts["carries"]);
	return {
		number: facts["approval"],
		bound: call.decision?.facts["bound"],
		asked: askedOf(facts),
		expiresAt: numberOr(facts["expiresAt"], 0),
		substitutes: [],
		answers: before?.filter(({ id }) => carried.includes(id)) ?? [],
		over: undefined,
	};
}

/** Undefined: it counts for nothing. */
function yesOf(approval: Approval, facts: LeafFacts): Yes | undefined {
	const by = (facts["by"] ?? {}) as { readonly id?: unknown; readonly roles?: unknown };
	const isCounted = facts["excepted"] === undefined && numberOr(facts["at"], Number.MAX_VALUE) < approval.expiresAt;
	return isCounted ? { id: String(by.id), roles: texts(by.roles) } : undefined;
}

function answer(approval: Approval, facts: LeafFacts): void {
	const yes = yesOf(approval, facts);
	if (facts["answer"] === "deny") approval.over = "it was denied";
	else {
		if (facts["answer"] === "edit") {
			// Who edits voids what others answered to the arguments before.
			approval.answers = [];
			approval.bound = facts["bound"];
		}
		if (yes) approval.answers.push(yes);
	}
}

function start(call: Call, facts: LeafFacts, spending: Spending | undefined): string | undefined {
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
	const said = spending ? saidOfRow(spending) : saidOfCall(approval, bound);
	if (typeof said === "string") return said;
	const counted = texts(approvedBy);
	const given = said.filter(({ id }) => counted.includes(id));
	const missing = missingYes(ask === undefined ? askedBefore(approval) : askedOf(ask as LeafFacts), given);
	return missing === undefined ? undefined : `it lacks the yes of ${missing}`;
}

/** What people said of a call before it was made; a text says why it allows nothing. */
function saidOfRow({ row }: Spending): readonly Yes[] | string {
	if (!row) return "the row of the rehearsal that it names is not there, or was spent by another call";
	return row.isDenied ? "its row of the rehearsal was denied" : row.answers;
}

function saidOfCall(approval: Approval | undefined, bound: unknown): readonly Yes[] | string {
	if (!approval) return "it was asked for, and nobody was asked";
	if (approval.over) return approval.over;
	return approval.bound === bound ? approval.answers : "what was approved is not what was started";
}

/** In a journal of before decisions said whom they asked. */
function askedBefore(approval: Approval | undefined): Asked {
	return approval ? { ...approval.asked, substitutes: approval.substitutes } : askedOf({});
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
