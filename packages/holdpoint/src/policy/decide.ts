/**
 * I4: asking a policy is total and fails closed. A policy that throws, is late, or answers with a shape that is not a
 * decision has said `deny`, and the reason says what was wrong.
 */

import { digest } from "../kit/digest.ts";
import { inTime } from "../kit/in-time.ts";
import { isThenable } from "../kit/is-thenable.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Ask, Decision, Escalation, Policy, PolicyRequest } from "../spec/policy.ts";
import { uniteAsks } from "./unite-asks.ts";

/** A plain function is a policy too; its version is the digest of its source. */
export type PolicyLike = Policy | ((request: PolicyRequest) => Decision | Promise<Decision>);

export function toPolicy(policy: PolicyLike): Policy {
	if (typeof policy !== "function") return policy;
	return { version: `function:${digest(policy.toString()).slice(0, 8)}`, decide: policy };
}

/** As it is recorded. */
export function policyVersion({ version }: Policy): string {
	return String(version).slice(0, fixedLimits.idCharsMax);
}

/** Asks the policy. Synchronous policies are answered synchronously. Never throws, never rejects. */
export function decide(policy: Policy, request: PolicyRequest, timeoutMs: number): Decision | Promise<Decision> {
	try {
		const answer: unknown = policy.decide(request);
		return isThenable(answer) ? inTime(answer, "it", { timeoutMs }).then(checked).catch(failed) : checked(answer);
	} catch (error) {
		return failed(error);
	}
}

function failed(error: unknown): Decision {
	return { verdict: "deny", reason: `The policy failed: ${reasonOf(error)}` };
}

/** Takes only the fields that a decision has, from an answer that could be anything. */
function checked(answer: unknown): Decision {
	if (typeof answer !== "object" || answer === null) return notADecision(answer);
	const { verdict, reason, ask } = answer as Record<string, unknown>;
	if (reason !== undefined && typeof reason !== "string") return notADecision(answer);
	if (verdict === "allow") return reason === undefined ? { verdict } : { verdict, reason };
	if (verdict === "deny") return { verdict, reason: reason ?? "The policy forbids it" };
	if (verdict !== "ask") return notADecision(answer);
	const who = checkedAsk(ask ?? {});
	return who ? { verdict, reason: reason ?? "The policy wants a person to decide", ask: who } : notADecision(answer);
}

/** An ask for more than these is a mistake, and its seats would be counted one by one. */
const { askRolesMax, askPeopleMax, askExpiryMsMax } = fixedLimits;

function checkedAsk(ask: unknown): Ask | undefined {
	if (!isAsk(ask)) return undefined;
	const { roles, count, counts, people, fourEyes, expiresInMs, rehearse, escalate } = ask;
	return {
		...(roles ? { roles: [...roles] } : {}),
		...(count === undefined ? {} : { count }),
		...(counts ? { counts: { ...counts } } : {}),
		...(people === undefined ? {} : { people }),
		...(fourEyes ? { fourEyes } : {}),
		...(rehearse ? { rehearse } : {}),
		...(expiresInMs === undefined ? {} : { expiresInMs: Math.ceil(expiresInMs) }),
		...(escalate ? { escalate: { afterMs: Math.ceil(escalate.afterMs), roles: [...escalate.roles] } } : {}),
	};
}

function isAsk(ask: unknown): ask is Ask {
	if (typeof ask !== "object" || ask === null) return false;
	const { roles, count, counts, people, fourEyes, expiresInMs, rehearse, escalate } = ask as Record<string, unknown>;
	return (
		(roles === undefined || areRoles(roles)) &&
		(count === undefined || isCount(count)) &&
		(counts === undefined || areCounts(counts, (roles as readonly string[] | undefined) ?? [])) &&
		(people === undefined || isCount(people)) &&
		[fourEyes, rehearse].every((flag) => flag === undefined || typeof flag === "boolean") &&
		(expiresInMs === undefined || isWithin(expiresInMs, askExpiryMsMax)) &&
		(escalate === undefined || isEscalation(escalate))
	);
}

function isCount(count: unknown): count is number {
	return isWithin(count, askPeopleMax) && Number.isInteger(count);
}

/** A count of a role that is not asked for is a slip of the pen: whoever wrote it wanted that role. */
function areCounts(counts: unknown, roles: readonly string[]): counts is { [role: string]: number } {
	if (typeof counts !== "object" || counts === null) return false;
	return Object.entries(counts).every(([role, count]) => roles.includes(role) && isCount(count));
}

function isEscalation(escalate: unknown): escalate is Escalation {
	if (typeof escalate !== "object" || escalate === null) return false;
	const { afterMs, roles } = escalate as Record<string, unknown>;
	return isWithin(afterMs, askExpiryMsMax) && areRoles(roles) && roles.length > 0;
}

function areRoles(roles: unknown): roles is string[] {
	if (!Array.isArray(roles) || roles.length > askRolesMax) return false;
	return roles.every((role) => typeof role === "string" && role !== "");
}

function isWithin(value: unknown, max: number): value is number {
	return typeof value === "number" && value > 0 && value <= max;
}

function notADecision(answer: unknown): Decision {
	let shown: string;
	try {
		shown = JSON.stringify(answer)?.slice(0, 200) ?? String(answer);
	} catch {
		shown = typeof answer;
	}
	return { verdict: "deny", reason: `The policy answered ${shown}, which is no decision` };
}

/**
 * Deny over ask over allow; asks unite (`uniteAsks`). What is no decision, a promise of one included, has denied.
 */
export function joinDecisions(decisions: readonly Decision[]): Decision {
	const all = decisions.map(checkedAgain);
	const denied = all.find((decision) => decision.verdict === "deny");
	if (denied) return denied;
	const asks = all.filter((decision) => decision.verdict === "ask");
	const [first] = asks;
	if (!first) return all[0] ?? { verdict: "deny", reason: "No policy said anything" };
	if (asks.length === 1) return first;
	return {
		verdict: "ask",
		reason: [...new Set(asks.map(({ reason }) => reason))].join("; "),
		ask: uniteAsks(asks.map(({ ask = {} }) => ask)),
	};
}

function checkedAgain(decision: unknown): Decision {
	try {
		return checked(decision);
	} catch (error) {
		return failed(error);
	}
}
