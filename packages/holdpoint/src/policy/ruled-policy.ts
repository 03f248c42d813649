import { isThenable } from "../kit/is-thenable.ts";
import type { Decision, Policy, PolicyRequest, ToolFacts } from "../spec/policy.ts";
import { joinDecisions, type PolicyLike, toPolicy } from "./decide.ts";
import { effectPolicy } from "./effect-policy.ts";

/** What some tools say about their own calls. */
export interface ToolRules {
	/** Names the rules as they are now. */
	readonly version: string;
	/** The names of these tools. */
	readonly tools: ReadonlySet<string>;
	/** Undefined: the rules do not speak of this call. */
	decide(request: PolicyRequest): Decision | undefined;
	/** Whether one of the rules asks about this tool. */
	mayAsk(tool: string): boolean;
}

/**
 * A policy in which rules of tools stand in the place of their effect class. Where there is another policy, they are
 * joined with it, so that a rule never loosens what that one says.
 */
export function ruledPolicy(rules: ToolRules, policy?: PolicyLike): Policy {
	const own = policy && toPolicy(policy);
	const base = own ?? effectPolicy;
	const isRuled = ({ tool }: ToolFacts): boolean => rules.tools.has(tool.name);
	const join = (request: PolicyRequest): Decision | Promise<Decision> => {
		const ruled = isRuled(request) ? rules.decide(request) : undefined;
		if (!ruled) return base.decide(request);
		if (!own) return ruled;
		const said: unknown = own.decide(request);
		const joined = (other: unknown): Decision => joinDecisions([ruled, other as Decision]);
		return isThenable(said) ? Promise.resolve(said).then(joined) : joined(said);
	};
	return {
		get version() {
			return `${rules.version}+${base.version}`;
		},
		get refused() {
			return base.refused;
		},
		decide: join,
		mayAsk(facts) {
			const isAskedByBase = base.mayAsk?.(facts) ?? !["read", "internal"].includes(facts.tool.effect);
			return isAskedByBase || (isRuled(facts) && rules.mayAsk(facts.tool.name));
		},
		// A policy that declares nothing, or reads no budgets, is to be taken for one that does not.
		...(base.ready ? { ready: (...about: Parameters<NonNullable<Policy["ready"]>>) => base.ready?.(...about) } : {}),
		...(base.declares ? { declares: (facts: ToolFacts) => base.declares?.(facts) ?? true } : {}),
		...(base.readsBudgets ? { readsBudgets: (facts: ToolFacts) => base.readsBudgets?.(facts) ?? false } : {}),
	};
}
