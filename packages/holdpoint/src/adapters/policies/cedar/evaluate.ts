/** I4: one decision. Whatever goes wrong in it is a denial that says what went wrong. */
import { reasonOf } from "../../../kit/reason-of.ts";
import type { Ask, Decision, PolicyRequest } from "../../../spec/policy.ts";
import { type CedarRequest, cedarRequest, Unfit, withApprovals } from "./cedar-request.ts";
import type { CompiledPolicies } from "./compile-policies.ts";
import type { PolicyRule, RuleApproval } from "./policy-rule.ts";

export interface Evaluated {
	readonly decision: Decision;
	/** The policies that determined it. */
	readonly rules: readonly PolicyRule[];
	/** Where approvals would not be enough: what would still be in the way. Empty: nothing permits it. */
	readonly remaining?: readonly PolicyRule[];
}

/** The call as Cedar is asked of it, or why it cannot be asked. */
export function requestFor(compiled: CompiledPolicies, request: PolicyRequest): CedarRequest | Evaluated {
	const { agent, tool } = request;
	const governed = compiled.schema.tools.get(tool.name);
	if (!governed || !compiled.schema.isKnown(agent, tool)) {
		return denied(`The policy was not validated for the tool ${tool.name} (${tool.version}) of agent ${agent}`);
	}
	try {
		return cedarRequest(request, governed);
	} catch (error) {
		return denied(error instanceof Unfit ? `Cedar cannot be told of this call: ${error.message}` : failed(error));
	}
}

export function evaluate(compiled: CompiledPolicies, request: CedarRequest): Evaluated {
	try {
		const first = asked(compiled, request);
		if (typeof first === "string") return denied(first);
		if (first.isAllowed) return { decision: { verdict: "allow" }, rules: first.rules };
		return liftable(compiled, request, first.rules);
	} catch (error) {
		return denied(failed(error));
	}
}

/** Denied; where everything that forbids it can be lifted by people, and nothing else is in the way, they are asked. */
function liftable(compiled: CompiledPolicies, request: CedarRequest, rules: readonly PolicyRule[]): Evaluated {
	const approvals = rules.flatMap(({ approval }) => approval ?? []);
	if (rules.length === 0) return { ...denied(`No policy permits ${request.action.id}`), remaining: [] };
	const names = namesOf(rules);
	if (approvals.length < rules.length) {
		return { ...denied(`Forbidden by ${namesOf(rules.filter(({ approval }) => !approval))}`), rules };
	}
	const again = asked(compiled, withApprovals(request, rolesOf(approvals)));
	if (typeof again === "string") return { ...denied(again), rules };
	if (again.isAllowed) return { decision: { verdict: "ask", reason: askReason(rules), ask: united(approvals) }, rules };
	const why = again.rules.length > 0 ? `${namesOf(again.rules)} would still forbid it` : "no policy permits it";
	return {
		...denied(`Forbidden by ${names}; with the approvals that they ask for, ${why}`),
		rules,
		remaining: again.rules,
	};
}

interface Answer {
	readonly isAllowed: boolean;
	readonly rules: readonly PolicyRule[];
}

/** What Cedar says, or why that cannot count. */
function asked({ engine, slot, rules }: CompiledPolicies, request: CedarRequest): Answer | string {
	const answer = engine.statefulIsAuthorized({
		...(request as Parameters<typeof engine.statefulIsAuthorized>[0]),
		preparsedSchemaName: slot,
		preparsedPolicySetId: slot,
		validateRequest: true,
		entities: [],
	});
	if (answer.type !== "success") {
		return `The call does not fit the policy's schema: ${answer.errors?.[0]?.message ?? "Cedar does not say why"}`;
	}
	const { decision, diagnostics } = answer.response;
	const [error] = diagnostics.errors;
	// Cedar skips a policy that fails. One that was skipped might have forbidden it.
	if (error) return `The policy ${error.policyId} failed: ${error.error.message}`;
	const determining = diagnostics.reason.flatMap((id) => rules.get(id) ?? []);
	if (determining.length < diagnostics.reason.length) return "Cedar names a policy that is not in the set";
	// Sorted, so that the same call has the same reason.
	const sorted = determining.toSorted((a, b) => (a.id < b.id ? -1 : 1));
	return { isAllowed: decision === "allow" && determining.length > 0, rules: sorted };
}

function rolesOf(approvals: readonly RuleApproval[]): string[] {
	return [...new Set(approvals.map(({ role }) => role))].sort();
}

/** Every role, each with as many people as any policy wants of it, in the shortest of the times. */
function united(approvals: readonly RuleApproval[]): Ask {
	const counts = new Map<string, number>();
	for (const { role, count } of approvals) counts.set(role, Math.max(count, counts.get(role) ?? 1));
	const times = approvals.flatMap(({ expiresInMs }) => expiresInMs ?? []);
	const several = [...counts].filter(([, count]) => count > 1);
	return {
		roles: rolesOf(approvals),
		...(several.length > 0 ? { counts: Object.fromEntries(several) } : {}),
		...(times.length > 0 ? { expiresInMs: Math.min(...times) } : {}),
	};
}

function askReason(rules: readonly PolicyRule[]): string {
	return rules.map(({ id, approval }) => `${id} asks for ${approval?.role}`).join("; ");
}

const shownMax = 10;

function namesOf(rules: readonly PolicyRule[]): string {
	const more = rules.length > shownMax ? ` and ${rules.length - shownMax} more` : "";
	return (
		rules
			.slice(0, shownMax)
			.map(({ id }) => id)
			.join(", ") + more
	);
}

function denied(reason: string): Evaluated {
	return { decision: { verdict: "deny", reason }, rules: [] };
}

function failed(error: unknown): string {
	return `Cedar failed: ${reasonOf(error)}`;
}
