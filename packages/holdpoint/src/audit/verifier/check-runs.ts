/**
 * Does the log permit what it says was done? Each `call.started` has a decision before it, made since the last start of
 * the call, by a policy that was laid down; and where that decision asked for people, enough of them said yes: to these
 * arguments, in time, each once; or to the row of a rehearsal that is this very call, which is worth no other one, and in
 * its order where that was asked. A grant in their place held, and was used no more often than it may be.
 *
 * Written apart from the harness that decides: a mistake there is not made here too.
 */
import { type Leaf, type LeafFacts, numberOr, shownFact, texts } from "./export-lines.ts";
import type { Finding } from "./findings.ts";
import { LaidDown } from "./laid-down.ts";

/** More than any rehearsal follows, and more people than any ask wants: what is beyond is not known here. */
const rowsMax = 1_000;
const answersMax = 1_000;

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

/** The last rehearsal of a program. */
interface Rehearsal {
	readonly rows: readonly Row[];
	/** Its rows hold in their order only. */
	inOrder: boolean;
}

/** What is known of a run. */
interface Run {
	/** Name of its agent. */
	readonly agent: unknown;
	readonly calls: Map<string, Call>;
	/** By program. */
	readonly rehearsals: Map<string, Rehearsal>;
}

interface Decided {
	readonly facts: LeafFacts;
	/** The policy was laid down by then. */
	readonly isLawful: boolean;
	readonly isSpent: boolean;
}

interface Call {
	decision: Decided | undefined;
	/** Grants with which it was started. */
	readonly uses: Set<string>;
	approval: Approval | undefined;
	starts: number;
	isOver: boolean;
	/** It was started by a grant that held no longer: nothing came of it, or its next fact makes that a finding. */
	inDoubt: Finding | undefined;
}

export class RunChecks {
	/** Of runs that did not finish yet. Undefined: too little of it is known to judge it. */
	private readonly runs = new Map<string, Run | undefined>();
	private readonly laid = new LaidDown();
	executions = 0;

	/** What is wrong with this leaf after those before it. */
	take(leaf: Leaf, index: number): Finding | undefined {
		const { run, n, event } = leaf;
		this.laid.take(leaf);
		if (n === undefined) return undefined;
		const misplaced = this.begin(leaf, index);
		const known = this.runs.get(run);
		if (event.type === "run.finished") {
			this.runs.delete(run);
			return misplaced ?? (known && doubtsOf(known)[0]);
		}
		const id = event["call"];
		if (event.type === "call.started") this.executions++;
		if (misplaced || typeof id !== "string" || !known) return misplaced;
		const call = known.calls.get(id) ?? {
			decision: undefined,
			uses: new Set<string>(),
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
		if (event.type === "call.decided")
			call.decision = { facts: event, isLawful: this.laid.knows(event["policy"], leaf.at), isSpent: false };
		const why =
			follow(call, event, spending) ?? (event.type === "call.started" ? this.useGrants(call, known) : undefined);
		if (why !== undefined) return found(why);
		const lost = event.type === "call.started" ? this.lostGrant(call, leaf.at) : undefined;
		if (lost !== undefined) call.inDoubt = found(lost);
		return doubt;
	}

	/** A run begins with its start, once: what stands elsewhere as one would make what was before it unknown. */
	private begin({ run, n, event }: Leaf, index: number): Finding | undefined {
		const isStart = event.type === "run.started";
		if (!this.runs.has(run)) this.runs.set(run, isStart && n === 1 ? startedRun(event) : undefined);
		if (isStart === (n === 1)) return undefined;
		const message = isStart ? `Event ${n} of run ${run} starts it anew` : `Run ${run} begins without its start`;
		return { kind: isStart ? "inserted" : "dropped", index, run, event: n ?? 0, message };
	}

	/** Each call that is started with a grant uses it once, however often it is repeated. */
	private useGrants({ decision, uses }: Call, run: Run): string | undefined {
		const fresh = texts(decision?.facts["grants"]).filter((grant) => !uses.has(grant));
		for (const grant of fresh) uses.add(grant);
		// Who made it is said where that is not the run's own agent.
		const made = { tool: decision?.facts["tool"], agent: decision?.facts["agent"] ?? run.agent };
		const problems = fresh.map((grant) => this.laid.use(grant, made));
		return problems.find((problem) => problem !== undefined);
	}

	/** What the log leaves open at its end. */
	doubts(): Finding[] {
		return [...this.runs.values()].flatMap((run) => (run ? doubtsOf(run) : []));
	}

	/** Runs that have no end in the log. */
	get open(): number {
		return this.runs.size;
	}

	/** A grant answers in the place of people: while it holds. */
	private lostGrant({ decision }: Call, at: number): string | undefined {
		const problems = texts(decision?.facts["grants"]).map((grant) => this.laid.lost(grant, at));
		return problems.find((problem) => problem !== undefined);
	}

	/** The leaves that were checked are not to be believed: what follows from them is not judged. */
	forget(): void {
		for (const run of this.runs.keys()) this.runs.set(run, undefined);
		this.laid.forget();
	}
}

function startedRun({ agent }: LeafFacts): Run {
	const { name } = (agent ?? {}) as { readonly name?: unknown };
	return { agent: name, calls: new Map(), rehearsals: new Map() };
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
	const rehearsal = rehearsals.get(id.slice(0, Math.max(0, id.lastIndexOf("."))));
	const { approval, decision } = calls.get(id) ?? {};
	switch (facts.type) {
		case "program.rehearsed":
			rehearsals.set(id, { rows: rehearsed(facts, rehearsals.get(id)?.rows ?? []), inOrder: false });
			return undefined;
		case "approval.resolved":
			if (rehearsal) answerRows(rehearsal, approval, facts);
			return undefined;
		case "call.started":
		case "approval.requested":
			return spend(rehearsal, { id, content: decision?.facts["content"], index: facts["row"] });
		default:
			return undefined;
	}
}

/** What was said of a call holds on where it is foreseen again, unless it was spent. */
function rehearsed(facts: LeafFacts, before: readonly Row[]): Row[] {
	const kept = before.filter(
		({ spentBy, isDenied, answers }) => spentBy === undefined && (isDenied || answers.length > 0),
	);
	// The first one of a content is taken first.
	const open = Map.groupBy(kept.reverse(), ({ content }) => content);
	const rows: readonly unknown[] = Array.isArray(facts["foreseen"]) ? facts["foreseen"].slice(0, rowsMax) : [];
	return rows.map((row) => {
		const [content, call] = Array.isArray(row) ? row : [];
		const same = open.get(content)?.pop();
		return { content, call, answers: same?.answers ?? [], isDenied: same?.isDenied ?? false, spentBy: undefined };
	});
}

function answerRows(rehearsal: Rehearsal, approval: Approval | undefined, facts: LeafFacts): void {
	const { rows } = rehearsal;
	const named: readonly unknown[] = Array.isArray(facts["rows"]) ? facts["rows"].slice(0, rowsMax) : [];
	const yes = approval && approval.number === facts["approval"] ? yesOf(approval, facts) : undefined;
	if (named.length > 0 && facts["inOrder"] === true) rehearsal.inOrder = true;
	for (const index of named) {
		const row = rowAt(rows, index);
		if (facts["answer"] === "deny" && row) row.isDenied = true;
		else if (yes && row) addYes(row.answers, yes);
	}
}

/** An index may be anything that JSON has. */
function rowAt(rows: readonly Row[], index: unknown): Row | undefined {
	return typeof index === "number" ? rows[index] : undefined;
}

function addYes(answers: Yes[], yes: Yes): void {
	if (answers.length < answersMax) answers.push(yes);
}

/** A start that names a row rests on what was said of that, and on nothing else. */
type Spending = { readonly row: Row } | { readonly row?: undefined; readonly why: string };

interface Made {
	readonly id: string;
	/** Undefined in a log of before decisions said which of the foreseen calls they are about; 0: none. */
	readonly content: unknown;
	/** The row that it names. */
	readonly index: unknown;
}

/** The row that is this very call is spent by it in any case: the one that it names, its own, or the first that is left. */
function spend(rehearsal: Rehearsal | undefined, made: Made): Spending | undefined {
	const { id, content, index } = made;
	const spending = index === undefined ? undefined : spendingOf(rehearsal, made);
	if (!rehearsal) return spending;
	const own = rehearsal.rows.filter((row) => row === spending?.row || row.call === id || row.spentBy === id);
	const first = content ? rehearsal.rows.find((row) => row.content === content && isFree(row, id)) : undefined;
	for (const row of own.length > 0 ? own : first ? [first] : []) row.spentBy = id;
	// Which row it took is not known here: neither is whose turn it is.
	if (own.length === 0 && !content) rehearsal.inOrder = false;
	return spending;
}

function spendingOf(rehearsal: Rehearsal | undefined, { id, content, index }: Made): Spending {
	const wrong = (what: string) => ({ why: `the row of the rehearsal that it names ${what}` });
	const row = rehearsal && rowAt(rehearsal.rows, index);
	if (!rehearsal || !row || !isFree(row, id)) return wrong("is not there, or was spent by another call");
	if (content !== undefined && row.content !== content) return wrong("is another call");
	const isNext = (one: Row) => (one.spentBy ?? id) === id && (one.answers.length > 0 || one.isDenied);
	if (rehearsal.inOrder && rehearsal.rows.find(isNext) !== row) return wrong("was not the next one");
	return { row };
}

/** No other call is it, or spent it. */
function isFree({ spentBy, call }: Row, id: string): boolean {
	return (spentBy ?? id) === id && (call ?? id) === id;
}

/** Folds a fact into a call. Returns why a start was not permitted. */
function follow(call: Call, facts: LeafFacts, spending: Spending | undefined): string | undefined {
	switch (facts.type) {
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
				call.approval.over = `its approval was ${shownFact(facts["why"])}`;
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
	return isCounted && typeof by.id === "string" ? { id: by.id, roles: texts(by.roles) } : undefined;
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
		if (yes) addYes(approval.answers, yes);
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
		return `it is attempt ${shownFact(facts["attempt"])}, and ${call.starts - 1} came before`;
	const { verdict, bound, policy, ask } = decision.facts;
	if (!decision.isLawful) return `the policy that decided, ${shownFact(policy)}, was laid down nowhere before`;
	if (verdict === "allow") return undefined;
	if (verdict !== "ask") return "it was denied by the policy";
	const said = spending ? saidOfRow(spending) : saidOfCall(approval, bound);
	if (typeof said === "string") return said;
	const given = countedAt(decision.facts, said);
	const missing = missingYes(ask === undefined ? askedBefore(approval) : askedOf(ask), given);
	return missing === undefined ? undefined : `it lacks the yes of ${missing}`;
}

/** Whose yes counted when it was decided, with the roles that they had by then. */
function countedAt({ approvedBy, approvedAs }: LeafFacts, said: readonly Yes[]): readonly Yes[] {
	const as: readonly unknown[] = Array.isArray(approvedAs) ? approvedAs : [];
	const rolesNow = new Map(texts(approvedBy).map((id, at) => [id, as[at]]));
	return said
		.filter(({ id }) => rolesNow.has(id))
		.map(({ id, roles }) => ({ id, roles: as.length > 0 ? texts(rolesNow.get(id)) : roles }));
}

/** What people said of a call before it was made; a text says why it allows nothing. */
function saidOfRow(spending: Spending): readonly Yes[] | string {
	if (!spending.row) return spending.why;
	return spending.row.isDenied ? "its row of the rehearsal was denied" : spending.row.answers;
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

function askedOf(facts: unknown): Asked {
	const { roles, count, counts, people, substitutes } = (facts ?? {}) as { readonly [fact: string]: unknown };
	return {
		roles: texts(roles),
		// An ask that nobody need answer is none.
		count: Math.max(1, numberOr(count, 1)),
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
		const count = Math.max(1, numberOr(asked.counts.get(role), asked.count));
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
