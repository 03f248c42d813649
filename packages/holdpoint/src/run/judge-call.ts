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
import { decide, joinDecisions } from "../policy/decide.ts";
import type { Approver } from "../spec/events.ts";
import type { Grant } from "../spec/governance.ts";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import { authorityFor } from "./answering.ts";
import { type Charging, chargesOf } from "./call-budgets.ts";
import type { Segment } from "./segment.ts";
import type { Wanted } from "./wanted.ts";

/** What one of those that have a say says. */
export interface Say {
	readonly source: "policy" | "limit" | "label";
	readonly decision: Decision;
}

export interface Judgement {
	readonly decision: Decision;
	/** Of the policy that decided; by the time that this is written down it may have another one. */
	readonly version: string;
	/** Those that answered in the place of people. */
	readonly grants: readonly Grant[];
	/** What has to be held of budgets before it starts. */
	readonly wants: readonly Wanted[];
}

export interface Judging extends Charging {
	/** Whether people have answered all that is asked: then no grant is used up. */
	readonly isAnswered: (decision: Asking) => boolean;
}

export type Asking = Extract<Decision, { verdict: "ask" }>;

/** Synchronous where the policy is. */
export function judgeCall(segment: Segment, request: PolicyRequest, judging: Judging): Judgement | Promise<Judgement> {
	const { policy } = segment.ports;
	const off = switchedOff(segment, request);
	if (off) return { decision: { verdict: "deny", reason: off }, version: policy.version, grants: [], wants: [] };
	const decision = decide(policy, request, segment.ready.limits.policyTimeoutMs);
	return decision instanceof Promise
		? decision.then((later) => joined(segment, request, { ...judging, policy: later }))
		: joined(segment, request, { ...judging, policy: decision });
}

interface Said extends Judging {
	readonly policy: Decision;
}

function usesAccount({ id }: Grant): string {
	return `grant:${id}`;
}

/** What it takes of a grant to use it. */
export function usesOf(grant: Grant): readonly Wanted[] {
	const { usesMax, expiresAt } = grant;
	if (usesMax === undefined) return [];
	return [{ account: usesAccount(grant), amount: 1, evenIfFailed: true, max: usesMax, until: expiresAt }];
}

/** Why nothing of the kind is done now; undefined: it may be. */
export function switchedOff(
	{ ports }: Segment,
	{
		tool,
		agent,
		tenant,
	}: { readonly tool: { readonly name: string }; readonly agent: string; readonly tenant: string | undefined },
): string | undefined {
	const { standing } = ports.standing;
	if (standing.switches.length === 0) return undefined;
	const thrown = switchFor(standing, { tool: tool.name, agent, tenant });
	return (
		thrown &&
		`${thrown.of === "all" ? "Everything" : `The ${thrown.of} ${thrown.name}`} was switched off by ${thrown.by}: ${thrown.reason}`
	);
}

function joined(segment: Segment, request: PolicyRequest, judging: Said): Judgement | Promise<Judgement> {
	const { policy, isAnswered, exhausted } = judging;
	const { version } = segment.ports.policy;
	const { says, wants } = chargesOf(segment, request, judging);
	const limits = says.map((decision): Say => ({ source: "limit", decision }));
	const said: Say[] = [{ source: "policy", decision: policy }, ...limits];
	const { labels } = segment.ports;
	const label = labels && labelDecision(request, labels);
	if (label) said.push({ source: "label", decision: label });
	const decision = said.length === 1 ? policy : joinDecisions(said.map((one) => one.decision));
	const plain = { decision, version, grants: [], wants };
	if (decision.verdict !== "ask" || isAnswered(decision)) return plain;
	const grants = grantsFor(segment, request).filter((grant) => !exhausted.has(usesAccount(grant)));
	if (grants.length === 0) return plain;
	const givers = grants.flatMap(({ by }) => by).map((by) => ({ by }));
	const about = { tool: request.tool.name, args: request.args, answer: "approve" } as const;
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

function granted(segment: Segment, { said, plain, grants, givers }: Granting): Judgement {
	const used = new Set<Grant>();
	const answered = said.map((one) => {
		const answering = grants.filter(({ answers }) => one.source === "policy" || answers?.includes(one.source));
		const people = givers.filter(({ by }) => answering.some((grant) => grant.by.some(({ id }) => id === by.id)));
		if (one.decision.verdict !== "ask" || !areEnough(segment, one.decision, people)) return one.decision;
		for (const grant of answering) used.add(grant);
		return { verdict: "allow", reason: `granted: ${one.decision.reason}` } as const;
	});
	// What is asked all the same uses nothing up.
	const after = used.size > 0 ? joinDecisions(answered) : plain.decision;
	return after.verdict === "allow" ? { ...plain, decision: after, grants: [...used] } : plain;
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
