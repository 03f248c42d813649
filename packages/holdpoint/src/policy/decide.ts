/**
 * I4: asking a policy is total and fails closed. A policy that throws, is late, or answers with a shape that is not a
 * decision has said `deny`, and the reason says what was wrong.
 */
import { digest } from "../kit/digest.ts";
import type { Ask, Decision, Policy, PolicyRequest } from "../spec/policy.ts";

/** A plain function is a policy too; its version is the digest of its source. */
export type PolicyLike = Policy | ((request: PolicyRequest) => Decision | Promise<Decision>);

export function toPolicy(policy: PolicyLike): Policy {
	if (typeof policy !== "function") return policy;
	return { version: `function:${digest(policy.toString()).slice(0, 8)}`, decide: policy };
}

/** Asks the policy. Synchronous policies are answered synchronously. Never throws, never rejects. */
export function decide(policy: Policy, request: PolicyRequest, timeoutMs: number): Decision | Promise<Decision> {
	let answer: unknown;
	try {
		answer = policy.decide(request);
	} catch (error) {
		return failed(error);
	}
	if (!isThenable(answer)) return checked(answer);
	return inTime(answer, timeoutMs).then(checked, failed);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
	return typeof (value as PromiseLike<unknown> | undefined)?.then === "function";
}

function inTime(answer: PromiseLike<unknown>, timeoutMs: number): Promise<unknown> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`it did not answer within ${timeoutMs} ms`)), timeoutMs);
		answer.then(resolve, reject).then(() => clearTimeout(timer));
	});
}

function failed(error: unknown): Decision {
	return { verdict: "deny", reason: `The policy failed: ${error instanceof Error ? error.message : String(error)}` };
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

function checkedAsk(ask: unknown): Ask | undefined {
	if (typeof ask !== "object" || ask === null) return undefined;
	const { roles, count, expiresInMs } = ask as Record<string, unknown>;
	const rolesFit = roles === undefined || (Array.isArray(roles) && roles.every((role) => typeof role === "string" && role !== ""));
	const countFits = count === undefined || (Number.isInteger(count) && (count as number) >= 1);
	const expiryFits = expiresInMs === undefined || (typeof expiresInMs === "number" && expiresInMs > 0 && Number.isFinite(expiresInMs));
	return rolesFit && countFits && expiryFits ? (ask as Ask) : undefined;
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

/** Deny over ask over allow; asks unite: every role of each, the larger count, the shorter expiry. */
export function joinDecisions(decisions: readonly Decision[]): Decision {
	const denied = decisions.find((decision) => decision.verdict === "deny");
	if (denied) return denied;
	const asks = decisions.filter((decision) => decision.verdict === "ask");
	const [first] = asks;
	if (!first) return decisions[0] ?? { verdict: "deny", reason: "No policy said anything" };
	if (asks.length === 1) return first;
	const roles = [...new Set(asks.flatMap((decision) => decision.ask?.roles ?? []))];
	const expiries = asks.flatMap((decision) => decision.ask?.expiresInMs ?? []);
	const ask: Ask = {
		...(roles.length > 0 ? { roles } : {}),
		count: Math.max(...asks.map((decision) => decision.ask?.count ?? 1)),
		...(expiries.length > 0 ? { expiresInMs: Math.min(...expiries) } : {}),
	};
	return { verdict: "ask", reason: asks.map((decision) => decision.reason).join("; "), ask };
}
