/**
 * The decision on a call: everything that has a say in it, joined.
 *
 * 1. Deny over ask over allow, and asks unite. A kill switch goes before everything.
 * 2. A grant turns an ask into an allow where it covers that ask alone, by the people who gave it; never a deny. What a
 *    limit or a label asks it answers only where it says so.
 */
import { type CountedToday, countedToday } from "../approvals/authority.ts";
import { lacking, needOf } from "../approvals/need.ts";
import { type GrantedCall, isCovered } from "../grants/grant.ts";
import { switchFor } from "../grants/standing.ts";
import { labelDecision } from "../labels/label.ts";
import { decide, joinDecisions, policyVersion } from "../policy/decide.ts";
import type { Approver, AskSource } from "../spec/events.ts";
import type { Grant } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import { authorityFor } from "./answering.ts";
import { type Charging, chargesOf, readsBudgets, refusing, withBudgets, withBudgetsOf } from "./call-budgets.ts";
import type { Segment } from "./segment.ts";
import type { Wanted } from "./wanted.ts";

/** What one of those that have a say says. */
export interface Say {
	readonly source: "policy" | AskSource;
	readonly decision: Decision;
}

export interface Judgement {
	readonly decision: Decision;
	/** Of the policy that decided, before and after; by the time that this is written down it may have another one. */
	readonly version: string;
	/** Those that answered in the place of people. */
	readonly grants: readonly Grant[];
	/** What asks beside the policy. */
	readonly sources: readonly AskSource[];
	/** Budgets that deny it. */
	readonly refusedBy: readonly string[];
	/** What has to be held of budgets before it starts. */
	readonly wants: readonly Wanted[];
}

export interface Judging extends Charging {
	/** Whether people have answered all that is asked: then no grant is used up. */
	readonly isAnswered: (decision: Asking, sources: readonly AskSource[]) => boolean;
}

export type Asking = Extract<Decision, { verdict: "ask" }>;

const free = { grants: [], sources: [], refusedBy: [], wants: [] };

/** Synchronous where the policy is. */
export function judgeCall(segment: Segment, request: PolicyRequest, judging: Judging): Judgement | Promise<Judgement> {
	const { policy } = segment.ports;
	const { agents, narrowed } = judging.around;
	const { tool, tenant } = request;
	const off = switchedOff(segment, { tool, agents, tenant }) ?? narrowed;
	if (off) return { ...free, decision: { verdict: "deny", reason: off }, version: policyVersion(policy) };
	if (!readsBudgets(policy, request)) return asked(segment, request, judging);
	return withBudgets(segment, request, judging).then((shown) => asked(segment, shown, judging));
}

/** What is recorded is the version of the policy that decided: where it became another one meanwhile, that one decides. */
function asked(
	segment: Segment,
	request: PolicyRequest,
	judging: Judging & { readonly changes?: number },
): Judgement | Promise<Judgement> {
	const { policy } = segment.ports;
	const { changes = 0 } = judging;
	const version = policyVersion(policy);
	const decision = decided(segment, request, judging);
	const join = (said: Decision): Judgement | Promise<Judgement> => {
		if (policyVersion(policy) === version) return laidDown(segment, request, { ...judging, policy: said, version });
		if (changes < fixedLimits.policyChangesMax) return asked(segment, request, { ...judging, changes: changes + 1 });
		return { ...free, decision: restless, version };
	};
	return decision instanceof Promise ? decision.then(join) : join(decision);
}

const restless: Decision = { verdict: "deny", reason: "The policy changed each time while it decided" };

/** A policy that is another one by now is laid down before anything rests on it. */
function laidDown(segment: Segment, request: PolicyRequest, said: Said): Judgement | Promise<Judgement> {
	const isDurable = segment.ports.layDown();
	return isDurable ? isDurable.then(() => joined(segment, request, said)) : joined(segment, request, said);
}

/** By the policy, of the agent and of every agent that it works for. */
function decided(segment: Segment, request: PolicyRequest, judging: Judging): Decision | Promise<Decision> {
	const { ports } = segment;
	const { callers } = judging.around;
	const { policyTimeoutMs } = segment.readyOf(request).limits;
	const own = decide(ports.policy, request, policyTimeoutMs);
	if (callers.length === 0) return own;
	const others = callers.map(async (agent) => {
		const ofCaller = { ...request, agent };
		const shown = request.budgets ? await withBudgetsOf(segment, ofCaller, judging) : ofCaller;
		return decide(ports.policy, shown, policyTimeoutMs);
	});
	return Promise.all([own, ...others]).then(joinDecisions);
}

/** Whatever the policy says: a person sees the plan before anything is changed. */
const toLeavePlan: Decision = { verdict: "ask", reason: "The agent has planned and wants to act", ask: { count: 1 } };

/** Neither for ever nor unasked: no agent there could ask for all that follows. */
const toChangeInPlan: Decision = {
	verdict: "ask",
	reason: "The conversation is in plan mode, which no agent in it can leave",
	ask: { count: 1 },
};

function isToExecute({ args }: PolicyRequest): boolean {
	return typeof args === "object" && args !== null && "mode" in args && args["mode"] === "execute";
}

interface Said extends Judging {
	readonly policy: Decision;
	/** Of the policy that said so. */
	readonly version: string;
}

function usesAccount({ id }: Grant): string {
	return `grant:${id}`;
}

/** What it takes of a grant to use it. */
export function usesOf(grant: Grant): readonly Wanted[] {
	const { usesMax, expiresAt } = grant;
	if (usesMax === undefined) return [];
	// Longer than the grant itself: a clock that is put back finds what was used.
	const until = expiresAt + fixedLimits.standingGraceMs;
	return [{ account: usesAccount(grant), amount: 1, evenIfFailed: true, max: usesMax, until }];
}

/** Why nothing of the kind is done now; undefined: it may be. */
export function switchedOff(
	{ ports }: Segment,
	{
		tool,
		agents,
		tenant,
	}: {
		readonly tool: { readonly name: string };
		readonly agents: readonly string[];
		readonly tenant: string | undefined;
	},
): string | undefined {
	const { standing } = ports.standing;
	if (standing.switches.length === 0) return undefined;
	const [thrown] = agents.flatMap((agent) => switchFor(standing, { tool: tool.name, agent, tenant }) ?? []);
	return (
		thrown &&
		`${thrown.of === "all" ? "Everything" : `The ${thrown.of} ${thrown.name}`} was switched off by ${thrown.by}: ${thrown.reason}`
	);
}

function joined(segment: Segment, request: PolicyRequest, judging: Said): Judgement | Promise<Judgement> {
	const { policy, version, isAnswered, exhausted } = judging;
	const { says, wants } = chargesOf(segment, request, judging);
	const limits = says.map(({ decision }): Say => ({ source: "limit", decision }));
	const said: Say[] = [{ source: "policy", decision: policy }, ...limits];
	const { labels } = segment.ports;
	const label = labels && labelDecision(request, labels);
	if (label) said.push({ source: "label", decision: label });
	if (judging.around.leavesPlan && isToExecute(request)) said.push({ source: "mode", decision: toLeavePlan });
	if (judging.around.isBoundToPlan) said.push({ source: "mode", decision: toChangeInPlan });
	const decision = said.length === 1 ? policy : joinDecisions(said.map((one) => one.decision));
	const sources = said.flatMap(({ source, decision: { verdict } }) =>
		verdict === "ask" && source !== "policy" ? source : [],
	);
	const plain = { decision, version, grants: [], sources, refusedBy: refusing({ says }), wants };
	if (decision.verdict !== "ask" || isAnswered(decision, sources)) return plain;
	const grants = grantsFor(segment, request).filter((grant) => !exhausted.has(usesAccount(grant)));
	if (grants.length === 0) return plain;
	const givers = grants.flatMap(({ by }) => by).map((by) => ({ by }));
	const about = { agent: request.agent, tool: request.tool.name, args: request.args, answer: "approve" } as const;
	const known = countedToday(givers, ({ by }) => authorityFor(segment, by, about));
	const judge = ({ answers }: Givers) => granted(segment, { said, plain, grants, givers: answers });
	return known instanceof Promise ? known.then(judge) : judge(known);
}

type Givers = CountedToday<{ readonly by: Approver }>;

interface Granting {
	readonly said: readonly Say[];
	/** All of them joined, without a grant. */
	readonly plain: Judgement;
	readonly grants: readonly Grant[];
	/** Who gave them and has a say in it today, with the roles of today. */
	readonly givers: Givers["answers"];
}

/** One grant is asked to do as little as possible: of those that fit, no more are used up than are needed. */
function granted(segment: Segment, { said, plain, grants, givers }: Granting): Judgement {
	const answered = said.map((one): Answered => {
		const answering = grants.filter(
			({ answers }) => one.source === "policy" || (one.source !== "mode" && answers?.includes(one.source)),
		);
		if (one.decision.verdict !== "ask") return { decision: one.decision, answering: undefined };
		const isEnough = areEnough(segment, one.decision, peopleOf(answering, givers));
		return { decision: one.decision, answering: isEnough ? answering : undefined };
	});
	const open = answered.filter(({ answering }) => answering !== undefined);
	const left = answered.flatMap(({ decision, answering }) => (answering ? [] : decision));
	const first = open[0]?.answering;
	if (!first || joinDecisions([...left, allowed]).verdict !== "allow") return plain;
	// One person fills one seat: whoever answers several asks must cover them as one question.
	const every = first.filter((grant) => open.every(({ answering }) => answering?.includes(grant)));
	const united = joinDecisions(open.map(({ decision }) => decision));
	const used = united.verdict === "ask" ? fewest(segment, united, { grants: every, givers }) : undefined;
	if (!used) return plain;
	const reason = `granted: ${united.reason}`;
	return { ...plain, decision: { verdict: "allow", reason }, grants: used };
}

const allowed: Decision = { verdict: "allow" };

interface Answered {
	readonly decision: Decision;
	/** Grants that cover it alone; undefined: they do not, or nothing is asked. */
	readonly answering: readonly Grant[] | undefined;
}

function peopleOf(grants: readonly Grant[], givers: Givers["answers"]): Givers["answers"] {
	return givers.filter(({ by }) => grants.some((grant) => grant.by.some(({ id }) => id === by.id)));
}

/** Those without a number of uses first; then none that the others do without. */
function fewest(
	segment: Segment,
	ask: Asking,
	{ grants, givers }: { readonly grants: readonly Grant[]; readonly givers: Givers["answers"] },
): readonly Grant[] | undefined {
	let kept = [...grants].sort((a, b) => Number(a.usesMax !== undefined) - Number(b.usesMax !== undefined));
	if (!areEnough(segment, ask, peopleOf(kept, givers))) return undefined;
	for (const grant of [...kept].reverse()) {
		const without = kept.filter((one) => one !== grant);
		if (areEnough(segment, ask, peopleOf(without, givers))) kept = without;
	}
	return kept;
}

function grantsFor({ ports }: Segment, request: PolicyRequest): readonly Grant[] {
	const { grants } = ports.standing.standing;
	if (grants.length === 0) return grants;
	const now = ports.clock.now();
	const { tool, args, agent, principal, tenant, session } = request;
	const call: GrantedCall = { tool: tool.name, version: tool.version, args, agent, principal, tenant, session };
	return grants.filter((grant) => isCovered(grant, call, now));
}

function areEnough(segment: Segment, { ask }: Asking, people: Givers["answers"]): boolean {
	return people.length > 0 && lacking(needOf(ask, segment.state.started?.principal ?? ""), people) === undefined;
}
