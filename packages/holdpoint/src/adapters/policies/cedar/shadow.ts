/**
 * A second set of policies that decides nothing: after a decision it is asked the same, and differences are reported.
 *
 * It runs when the decision has been handed over, so that it costs the call nothing but its place on the thread, and at
 * most `policyShadowMax` comparisons wait; what does not fit is counted. Nothing that it does reaches the decision.
 */
import { fixedLimits } from "../../../spec/limits.ts";
import type { Decision, PolicyRequest } from "../../../spec/policy.ts";
import { DecisionCache } from "./decision-cache.ts";
import { requestFor } from "./evaluate.ts";
import type { LivePolicies } from "./live-policies.ts";

export interface ShadowDifference {
	readonly type: "shadow.differs";
	readonly run: string;
	readonly call: string;
	readonly agent: string;
	readonly principal: string;
	readonly tool: string;
	readonly enforced: DecisionOf;
	readonly shadow: DecisionOf;
	/** Decisions since the last difference that were too many to be compared. */
	readonly skipped: number;
}

export interface DecisionOf {
	readonly version: string;
	readonly decision: Decision;
}

interface Waiting {
	readonly request: PolicyRequest;
	readonly enforced: DecisionOf;
}

export class Shadow {
	private readonly cache = new DecisionCache();
	private readonly policies: LivePolicies;
	private readonly report: (difference: ShadowDifference) => void;
	private waiting: Waiting[] = [];
	private skipped = 0;

	constructor(policies: LivePolicies, report: (difference: ShadowDifference) => void) {
		this.policies = policies;
		this.report = report;
	}

	compareLater(one: Waiting): void {
		if (this.waiting.length >= fixedLimits.policyShadowMax) {
			this.skipped += 1;
			return;
		}
		this.waiting.push(one);
		if (this.waiting.length === 1) setImmediate(() => this.compareAll());
	}

	private compareAll(): void {
		const all = this.waiting;
		this.waiting = [];
		for (const one of all) this.compare(one);
	}

	private compare({ request, enforced }: Waiting): void {
		const compiled = this.policies.current();
		if (!compiled?.schema.isKnown(request.agent, request.tool)) return;
		// It may be told of budgets where the one that decides is not.
		const asked = requestFor(compiled, request);
		const { decision } = "decision" in asked ? asked : this.cache.evaluate(compiled, asked);
		if (isSame(decision, enforced.decision)) return;
		const { run, call, agent, principal, tool } = request;
		const shadow = { version: compiled.version, decision };
		const { skipped } = this;
		this.skipped = 0;
		this.report({ type: "shadow.differs", run, call, agent, principal, tool: tool.name, enforced, shadow, skipped });
	}
}

/** Reasons may differ: they name policies. */
function isSame(one: Decision, other: Decision): boolean {
	if (one.verdict !== other.verdict) return false;
	if (one.verdict !== "ask" || other.verdict !== "ask") return true;
	return JSON.stringify(one.ask) === JSON.stringify(other.ask);
}
