/**
 * The one governed way that every call takes, whoever makes it: schema → policy → approval.
 *
 * Owns: whether a call may start now. It leaves the call `started`, `held` or with an outcome, as events.
 *
 * 1. Arguments are parsed once; what is shown, digested, decided and executed is that one value (canonical arguments).
 * 2. The policy is asked at the moment of execution; after a wait it is asked again, with today's answers (I5).
 * 3. Nothing here has an effect outside the journal.
 */

import { approvalId, callDigest } from "../approvals/approvals.ts";
import { askOf, lacking, type Need, needOf } from "../approvals/need.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import { counted } from "../kit/counted.ts";
import { inTime } from "../kit/in-time.ts";
import { reasonOf } from "../kit/reason-of.ts";
import type { FailureCode } from "../spec/errors.ts";
import type { AskSource, DecidedAsk, Outcome } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { Decision, PolicyRequest, Provenance } from "../spec/policy.ts";
import type { Tool } from "../spec/tool.ts";
import { answersToday, validAnswers } from "./answering.ts";
import { aroundCall } from "./around-call.ts";
import { shortOf } from "./call-budgets.ts";
import type { ApprovalAnswer, CallState } from "./call-state.ts";
import { type CanonicalArguments, canonicalArguments } from "./canonical-arguments.ts";
import { failedWith } from "./failed-with.ts";
import { type Asking, type Judgement, judgeCall, usesOf } from "./judge-call.ts";
import { labelSeen } from "./label-results.ts";
import { type FittingRow, rowFor } from "./rehearsed-rows.ts";
import { callersOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import { directToolsOf, isSecondHandoff } from "./thread-tools.ts";
import { givenBack, type Wanted } from "./wanted.ts";

/** One call of one run. */
interface Place {
	readonly segment: Segment;
	readonly call: CallState;
	/** Where it stood when its decision began. */
	readonly phase: CallState["phase"];
}

interface Deciding extends Place {
	readonly tool: Tool;
}

/** What is to be decided: the call as it would be executed now. */
interface Candidate extends Deciding {
	readonly args: Json;
	readonly text: string;
	readonly digest: string;
	/** An answer to another tool version or other arguments answers nothing here. */
	readonly answers: readonly ApprovalAnswer[];
	/** Where people answered it before it was made: the row of a rehearsal. */
	readonly row: FittingRow | undefined;
	/** The answers are those to the row. */
	readonly restsOnRow: boolean;
	/** Whose answers count no more since they were given, and why. */
	readonly lost: readonly string[];
}

/** Moves a call that can move. Synchronous where schema and policy are. */
export function decideCall(segment: Segment, call: CallState): void | Promise<void> {
	const { phase } = call;
	if (phase === "finished" || phase === "unknown") return;
	const place = { segment, call, phase };
	const tool = toolFor(place);
	if (call.attempt > 0) return decideAgain(place, tool);
	if (typeof tool === "string") return fail(place, "tool.unknown", tool);
	const { callsMax } = segment.ready.limits;
	if (call.ordinal > callsMax)
		return fail(place, "limit.calls", `This run has made its ${counted(callsMax, "call")} (callsMax)`);
	const ready = segment.readyOf(call.thread);
	const { callsMax: ownMax = callsMax } = ready.agent.limits;
	if (call.ordinalOfAgent > ownMax) {
		return fail(place, "limit.calls", `${call.thread.agent} has made its ${counted(ownMax, "call")} (callsMax)`);
	}
	if (call.phase === "asked" && ready.handoffs.has(tool.name) && isSecondHandoff(call, segment.state.calls, ready)) {
		return fail(place, "handoff.second", "Another handoff of the same answer goes first");
	}
	return call.phase === "asked" ? decideFirst({ ...place, tool }) : decideAfterWait({ ...place, tool });
}

/** The tool, or why whoever made the call has none of that name. */
export function toolFor({ segment, call }: Pick<Place, "segment" | "call">): Tool | string {
	const ready = segment.readyOf(call.thread);
	const names = call.parent === undefined ? directToolsOf(call.thread, ready) : ready.programTools;
	const tool = names.has(call.tool) ? ready.tools.get(call.tool) : undefined;
	if (tool) return tool;
	// Only what the other side is told of, so that nothing is said of tools that nobody was told of.
	const others = call.parent === undefined ? ready.programTools : directToolsOf(call.thread, ready);
	const hint =
		call.parent === undefined
			? `Call it from a program: await tools.${call.tool}(...).`
			: "It cannot be called from a program.";
	const elsewhere = others.has(call.tool) ? ` ${hint}` : "";
	const available = [...names].slice(0, 50).join(", ") || "none";
	return `There is no tool "${call.tool.slice(0, 100)}" here.${elsewhere} Available: ${available}.`;
}

function fail(place: Place, code: FailureCode, message: string): void {
	finish(place, failedWith(code, message));
}

function finish(place: Place, outcome: Outcome): void {
	if (hasMoved(place)) return;
	place.segment.emit({ type: "call.finished", call: place.call.id, outcome });
}

/** While a schema, a policy or middleware took its time, the call may have come to its end. */
function hasMoved({ segment, call, phase }: Place): boolean {
	return call.phase !== phase || segment.state.status !== "running";
}

function decideFirst(deciding: Deciding): void | Promise<void> {
	const { segment, call } = deciding;
	// What a program could not say is nobody's to mend; a model's text may be.
	if (call.asked === undefined && call.parent !== undefined) return failUnreadable(deciding);
	if (segment.readyOf(call.thread).agent.middleware.some((layer) => layer.prepareCall)) return decidePrepared(deciding);
	if (call.asked !== undefined) return decideArguments(deciding, call.asked);
	return failUnreadable(deciding);
}

/** `input` holds what the model wrote, or what is wrong with what a program gave. */
function failUnreadable(deciding: Deciding): void {
	const { call, tool } = deciding;
	const what = call.parent === undefined ? "are no valid JSON" : "cannot be used";
	fail(deciding, "tool.args_invalid", `The arguments of ${tool.name} ${what}: ${call.input.slice(0, 200)}`);
}

/** What the middleware makes of the arguments. Rejects with what a layer threw. */
export async function preparedArguments(segment: Segment, call: CallState): Promise<Json> {
	let args: Json = call.asked ?? call.input;
	const info = segment.infoOf(call.thread);
	for (const layer of segment.readyOf(call.thread).agent.middleware) {
		if (!layer.prepareCall) continue;
		// A copy: what was asked is in the journal, and nobody changes it in place.
		const about = { call: call.id, tool: call.tool, parent: call.parent, args: structuredClone(args) };
		const prepared: Json | Promise<Json> = layer.prepareCall(about, info);
		const { patience } = segment.parsingFor(call.thread);
		args = prepared instanceof Promise ? await inTime(prepared, `the layer ${layer.name}`, patience) : prepared;
	}
	return args;
}

async function decidePrepared(deciding: Deciding): Promise<void> {
	const { segment, call } = deciding;
	let args: Json;
	try {
		args = await preparedArguments(segment, call);
	} catch (error) {
		// The run was stopped meanwhile: nothing is known about these arguments.
		segment.check();
		return fail(deciding, "tool.args_invalid", reasonOf(error));
	}
	return decideArguments(deciding, args);
}

function decideArguments(deciding: Deciding, asked: Json): void | Promise<void> {
	const parsed = canonicalArguments(deciding.tool, asked, deciding.segment.parsingFor(deciding.call.thread));
	return parsed instanceof Promise
		? parsed.then((value) => decideParsed(deciding, value))
		: decideParsed(deciding, parsed);
}

function decideParsed(deciding: Deciding, parsed: CanonicalArguments): void | Promise<void> {
	if (!parsed.ok) return fail(deciding, parsed.code, parsed.message);
	return askPolicy(candidateOf(deciding, parsed));
}

function candidateOf(deciding: Deciding, { args, text }: Pick<Candidate, "args" | "text">): Candidate {
	const { segment, call, phase, tool } = deciding;
	const bound = { run: segment.state.run, call: call.id, tool: tool.name, version: tool.version, args: text };
	const digest = callDigest(bound);
	const own = digest === call.digest ? validAnswers(segment, call) : [];
	const row = rowFor(segment, call, { tool, text });
	const answers = own.length > 0 ? own : (row?.answers ?? own);
	const restsOnRow = own.length === 0 && answers.length > 0;
	return { segment, call, phase, tool, args, text, digest, answers, row, restsOnRow, lost: [] };
}

/** The call with the arguments that the journal has; a copy, because a policy gets them in its hands. */
function knownCandidate(deciding: Deciding): Candidate {
	const text = canonicalJson(deciding.call.args ?? null);
	return candidateOf(deciding, { args: JSON.parse(text) as Json, text });
}

/** What was found out about the accounts that a call needs. */
interface Known {
	/** What others use of accounts that have not enough left for it. */
	readonly exhausted: ReadonlyMap<string, number>;
	/** They were looked at before people are asked. */
	readonly isForeseen: boolean;
}

const nothing: Known = { exhausted: new Map(), isForeseen: false };

function askPolicy(candidate: Candidate, known = nothing): void | Promise<void> {
	const people =
		candidate.answers.length === 0 ? undefined : answersToday(candidate.segment, candidate.call, candidate);
	if (people instanceof Promise) return people.then((today) => askAbout({ ...candidate, ...today }, known, true));
	return askAbout({ ...candidate, ...people }, known);
}

function askAbout(candidate: Candidate, known: Known, isLater = false): void | Promise<void> {
	const { segment, call, tool } = candidate;
	const judgement = judgeCall(segment, policyRequest(candidate), {
		isAnswered: (decision, sources) => isAnswered(candidate, decision, sources),
		exhausted: known.exhausted,
		holds: call.holds ?? [],
		timeoutMs: tool.timeoutMs ?? segment.readyOf(call.thread).limits.toolTimeoutMs,
		around: aroundCall(segment, call),
	});
	if (judgement instanceof Promise) return judgement.then((later) => followLater(candidate, later, known));
	return isLater ? followLater(candidate, judgement, known) : follow(candidate, judgement, known);
}

/** Whoever asked for the run's end meanwhile was heard only by the store: nothing starts after that. */
async function followLater(candidate: Candidate, judgement: Judgement, known: Known): Promise<void> {
	if (!(await candidate.segment.isUnread("cancel"))) return follow(candidate, judgement, known);
}

/** Who made the call, and who handed the work on until then. */
export function provenanceOf({ state }: Pick<Segment, "state">, { parent, thread }: CallState): Provenance {
	const { team, call } = thread.of;
	if (parent === undefined && !team && call === undefined) return { via: "model" };
	const callers = callersOf(state, thread);
	const ways = [thread, ...callers].toReversed();
	const path = ways.flatMap((one) => [...one.trail.path, ...(one === thread ? [] : [one.agent])]);
	const way = path.length > 0 ? { path } : {};
	if (parent !== undefined) return { via: "program", program: parent, ...way };
	if (thread.trail.path.length > 0) return { via: "handoff", ...way };
	return callers.length > 0 ? { via: "agent", ...way } : { via: "model" };
}

/** All that a decision on this call may rest on. */
export function policyRequest({
	segment,
	call,
	tool,
	args,
	answers,
}: Pick<Candidate, "segment" | "call" | "tool" | "args" | "answers">): PolicyRequest {
	const started = segment.state.started;
	return {
		run: segment.state.run,
		call: call.id,
		principal: started?.principal ?? "",
		tenant: started?.tenant,
		session: started?.session?.id,
		agent: call.thread.agent,
		depth: callersOf(segment.state, call.thread).length,
		provenance: provenanceOf(segment, call),
		tool: { name: tool.name, version: tool.version, effect: tool.effect, tags: tool.tags, labels: tool.labels },
		args,
		...(segment.ports.labels ? { label: labelSeen(segment.state, call) } : {}),
		approvedBy: answers.map((answer) => answer.by.id),
	};
}

function follow(candidate: Candidate, judgement: Judgement, known: Known): void | Promise<void> {
	if (hasMoved(candidate)) return;
	if (isRowGone(candidate)) return askPolicy(candidateOf(candidate, candidate), known);
	const { decision, grants } = judgement;
	const { denied } = candidate.row ?? {};
	if (denied) {
		note(candidate, judgement);
		return refuse(candidate, denied.reason ?? "no reason given", denied.by.id);
	}
	const mayStart =
		decision.verdict === "allow" || (decision.verdict === "ask" && isAnswered(candidate, decision, judgement.sources));
	const wants = mayStart ? [...grants.flatMap(usesOf), ...judgement.wants] : [];
	if (wants.length > 0) return reserveAndStart(candidate, judgement, { wants, known });
	if (decision.verdict === "ask" && judgement.wants.length > 0 && !known.isForeseen) {
		return foresee(candidate, judgement, known);
	}
	note(candidate, mayStart ? judgement : { ...judgement, decision: withLost(candidate, decision) });
	if (mayStart) return start(candidate, []);
	if (decision.verdict === "deny") return refuse(candidate, decision.reason, "policy");
	if (decision.verdict === "ask") hold(candidate, decision, judgement.sources);
}

/** Another call may have spent it while something was waited for. */
function isRowGone({ segment, call, tool, text, row }: Candidate): boolean {
	return row !== undefined && rowFor(segment, call, { tool, text })?.index !== row.index;
}

/** Who answered was shown what asks: what asks since then, beside the policy, is asked anew. */
function isAnswered(candidate: Candidate, decision: Asking, sources: readonly AskSource[]): boolean {
	return lacking(needFor(candidate, decision), candidate.answers) === undefined && isShown(candidate, sources);
}

function isShown({ call, row, answers }: Candidate, sources: readonly AskSource[]): boolean {
	// A repetition is the call that was answered.
	if (call.attempt > 0 || sources.length === 0) return true;
	const wasHeld = call.approval?.sources ?? [];
	// Whoever answered a held call by its row saw what the row foresaw, too.
	const isByRow = answers.every(({ by, at }) => row?.answers.some((one) => one.by.id === by.id && one.at === at));
	const shown = call.approval && !isByRow ? wasHeld : [...wasHeld, ...(row?.sources ?? [])];
	return sources.every((source) => shown.includes(source));
}

/** Who is asked anew is told why. */
function withLost({ lost }: Candidate, decision: Decision): Decision {
	if (decision.verdict !== "ask" || lost.length === 0) return decision;
	return { ...decision, reason: [decision.reason, ...lost].join("; ") };
}

/** Nobody is asked for what a budget forbids, and whoever is asked is told of every budget that it is too much for. */
async function foresee(candidate: Candidate, { wants }: Judgement, { exhausted }: Known): Promise<void> {
	const { segment, call } = candidate;
	if (call.attempt === 0 && !segment.isNew(call.id)) await segment.settle([givenBack(call.id)]);
	const short = await shortOf(segment, wants, call.attempt > 0 && call.holds ? { own: call.holds } : {});
	const known: Known = { exhausted: new Map([...exhausted, ...short]), isForeseen: true };
	if (!hasMoved(candidate) && !(await segment.isUnread("cancel"))) return askPolicy(candidate, known);
}

interface Reserving {
	readonly wants: readonly Wanted[];
	readonly known: Known;
}

/** Where an account has not enough left by now, the call is judged anew, knowing that. */
async function reserveAndStart(candidate: Candidate, judgement: Judgement, { wants, known }: Reserving): Promise<void> {
	const { segment, call } = candidate;
	// What an attempt before this one holds stays held; what was reserved and never begun does not.
	const instead = call.attempt === 0 && !segment.isNew(call.id);
	const short = await segment.reserve(call.id, wants, { instead });
	if (hasMoved(candidate) || (await segment.isUnread("cancel"))) return;
	if (short) {
		const exhausted = new Map(known.exhausted).set(short.account, short.used);
		return askPolicy(candidate, { ...known, exhausted });
	}
	if (isRowGone(candidate)) return askPolicy(candidateOf(candidate, candidate), known);
	note(candidate, judgement);
	start(candidate, wants);
}

function start(candidate: Candidate, wants: readonly Wanted[]): void {
	const { segment, call } = candidate;
	const names = new Set(wants.map(({ account }) => account));
	const before = call.attempt > 0 ? (call.holds ?? []).filter(({ account }) => !names.has(account)) : [];
	const fresh = wants.map(({ account, amount, evenIfFailed, timeMs }) => ({
		account,
		amount,
		...(evenIfFailed ? { evenIfFailed } : {}),
		...(timeMs === undefined ? {} : { timeMs }),
	}));
	const holds = [...before, ...fresh];
	segment.emit({
		type: "call.started",
		call: call.id,
		attempt: call.attempt + 1,
		...rowNamed(candidate),
		...(fresh.length > 0 ? { holds } : {}),
	});
}

/** It is the call that was foreseen, whatever allows it; of one that was held, where it rests on the answers to the row. */
function rowNamed({ call, row, restsOnRow }: Candidate): { readonly row?: number } {
	return row && (!call.approval || restsOnRow) ? { row: row.index } : {};
}

/** Writes the decision down. */
function note(candidate: Candidate, { decision, version, grants }: Judgement): void {
	const { segment, call, text, digest, answers } = candidate;
	segment.emit({
		type: "call.decided",
		call: call.id,
		verdict: decision.verdict,
		...(decision.reason ? { reason: decision.reason } : {}),
		policy: version,
		digest,
		...(decision.verdict === "ask" ? askedNow(call, decidedAsk(needFor(candidate, decision))) : {}),
		...(answers.length > 0 ? { approvedBy: answers.map((answer) => answer.by.id), ...rolesNow(candidate) } : {}),
		...(grants.length > 0 ? { grants: grants.map(({ id }) => id) } : {}),
		// Parsed anew: the policy has had the candidate's in its hands.
		...(sameArguments(call, text) ? {} : { args: JSON.parse(text) as Json }),
	});
}

/** With which roles answers count, where these are not the ones that stand in them. */
function rolesNow({ call, row, answers }: Candidate): { readonly approvedAs?: readonly (readonly string[])[] } {
	const before = [...(call.approval?.answers ?? []), ...(row?.answers ?? [])];
	const isSame = answers.every(({ by, at }) => {
		const said = before.find((one) => one.by.id === by.id && one.at === at);
		return canonicalJson(said?.by.roles ?? []) === canonicalJson(by.roles ?? []);
	});
	return isSame ? {} : { approvedAs: answers.map(({ by }) => by.roles ?? []) };
}

/** One person, and nobody asked before: that goes without saying. */
function askedNow({ approval }: CallState, ask: DecidedAsk): { readonly ask?: DecidedAsk } {
	return approval || Object.keys(ask).length > 0 ? { ask } : {};
}

function decidedAsk(need: Need): DecidedAsk {
	const { count = 1, ...ask } = askOf(need);
	return { ...ask, ...(count === 1 ? {} : { count }), ...(need.substitutes ? { substitutes: need.substitutes } : {}) };
}

/** Are the canonical arguments those that the journal already has for this call? */
function sameArguments(call: CallState, text: string): boolean {
	const known = call.args ?? call.asked;
	try {
		return known !== undefined && canonicalJson(known) === text;
	} catch {
		// What the model wrote may be deeper than what the schema made of it.
		return false;
	}
}

/** What is needed now. Who stood in for others does so as long as today's policy escalates to them. */
function needFor({ segment, call }: Candidate, { ask }: Asking): Need {
	const need = needOf(ask, segment.state.started?.principal ?? "");
	return call.approval?.substitutes && ask?.escalate ? { ...need, substitutes: ask.escalate.roles } : need;
}

function hold(candidate: Candidate, decision: Asking, sources: readonly AskSource[]): void {
	const { segment, call, digest, answers } = candidate;
	// Who was not shown what asks now is asked anew, like everybody else.
	const carries = isShown(candidate, sources) ? answers : [];
	const { roles, count, counts, people, expiresInMs, rehearse, escalate } = decision.ask ?? {};
	const { except } = needFor(candidate, decision);
	const now = segment.ports.clock.now();
	segment.emit({
		type: "approval.requested",
		approval: approvalId(segment.ports.storeId, digest, call.approvals + 1),
		call: call.id,
		...(roles && roles.length > 0 ? { roles } : {}),
		...(count !== undefined && count !== 1 ? { count } : {}),
		...(counts ? { counts } : {}),
		...(people === undefined ? {} : { people }),
		...(except ? { except } : {}),
		expiresAt: now + (expiresInMs ?? segment.readyOf(call.thread).limits.approvalExpiresInMs),
		...(rehearse ? { rehearse } : {}),
		...(escalate ? { escalation: { at: now + escalate.afterMs, roles: escalate.roles } } : {}),
		...(carries.length > 0 ? { carries: carries.map(({ by }) => by.id) } : {}),
		...rowNamed(candidate),
		...(sources.length > 0 ? { sources } : {}),
	});
}

/** Held, and now answered, expired or closed. The stored arguments are canonical: the same tool does not parse them again. */
function decideAfterWait(deciding: Deciding): void | Promise<void> {
	const { call } = deciding;
	if (isRefused(deciding)) return;
	const candidate = knownCandidate(deciding);
	if (candidate.digest === call.digest) return askPolicy(candidate);
	// The tool changed while it waited: what was canonical for the old one may not fit the new one.
	return call.edited ? decideArguments(deciding, call.args ?? null) : decideFirst(deciding);
}

/** Whether it was denied, or nobody answered in time; it is over then. */
function isRefused(place: Place): boolean {
	const { segment, call, phase } = place;
	const { approval } = call;
	if (phase !== "held" && phase !== "answered") return false;
	if (approval?.denied) {
		const { by, reason } = approval.denied;
		refuse(place, reason ?? "no reason given", by.id);
		return true;
	}
	if (phase === "answered") return false;
	segment.emit({ type: "approval.closed", approval: approval?.id ?? "", call: call.id, why: "expired" });
	refuse({ ...place, phase: call.phase }, "no approval was read in time", "expiry");
	return true;
}

/**
 * I7: started, and no outcome: its process died, or it was given up and may be repeated, perhaps after a wait. The policy
 * is asked anew; a call that may not be repeated as it was is one that nobody knows.
 */
function decideAgain(place: Place, tool: Tool | string): void | Promise<void> {
	const { segment, call } = place;
	if (isRefused(place)) return;
	const unknown = (why: string): void => finish(place, { unknown: why });
	if (typeof tool === "string")
		return unknown(`it was started, its outcome was never written, and it cannot be repeated: ${tool}`);
	const candidate = knownCandidate({ ...place, tool });
	if (candidate.digest !== call.digest)
		return unknown("it was started, its outcome was never written, and the tool has changed since");
	if (tool.repeat === "once") return unknown("it was started, and its outcome was never written");
	if (call.attempt >= segment.readyOf(call.thread).limits.attemptsMax && tool.effect !== "internal") {
		return unknown(`it was started ${counted(call.attempt, "time")} and no outcome was ever written`);
	}
	return askPolicy(candidate);
}

/** What was never started, or changes nothing outside of the run, is denied; of anything else that was started nobody knows. */
function refuse(place: Place, why: string, by: string): void {
	const { segment, call } = place;
	if (call.attempt === 0 || segment.toolOf(call)?.effect === "internal") return finish(place, { denied: why, by });
	finish(place, { unknown: `it was started, and ${by} no longer allows to repeat it: ${why}` });
}
