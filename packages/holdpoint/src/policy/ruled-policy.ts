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

/** What a policy with rules was made of. */
const parts = new WeakMap<Policy, { readonly sets: readonly ToolRules[]; readonly own: Policy | undefined }>();

/**
 * A policy in which rules of tools stand in the place of their effect class. Where there is a policy of the user's own, they
 * are joined with it, so that a rule never loosens what that one says. Given one with rules, it has both.
 */
export function ruledPolicy(rules: ToolRules, policy: PolicyLike = effectPolicy): Policy {
	const given = toPolicy(policy);
	const inner = parts.get(given) ?? { sets: [], own: given === effectPolicy ? undefined : given };
	const made = policyOf([...inner.sets, rules], inner.own);
	parts.set(made, { sets: [...inner.sets, rules], own: inner.own });
	return made;
}

function policyOf(sets: readonly ToolRules[], own: Policy | undefined): Policy {
	const base = own ?? effectPolicy;
	const setsOf = ({ tool }: ToolFacts): readonly ToolRules[] => sets.filter(({ tools }) => tools.has(tool.name));
	return {
		get version() {
			return [...sets, base].map(({ version }) => version).join("+");
		},
		get refused() {
			return base.refused;
		},
		decide(request) {
			const ruled = setsOf(request).flatMap((rules) => rules.decide(request) ?? []);
			if (ruled.length === 0) return base.decide(request);
			if (!own) return joinDecisions(ruled);
			const said: unknown = own.decide(request);
			const joined = (other: unknown): Decision => joinDecisions([...ruled, other as Decision]);
			return isThenable(said) ? Promise.resolve(said).then(joined) : joined(said);
		},
		mayAsk(facts) {
			const isAskedByBase = base.mayAsk?.(facts) ?? !["read", "internal"].includes(facts.tool.effect);
			return isAskedByBase || setsOf(facts).some((rules) => rules.mayAsk(facts.tool.name));
		},
		// A policy that declares nothing, or reads no budgets, is to be taken for one that does not.
		...(base.ready ? { ready: (...about: Parameters<NonNullable<Policy["ready"]>>) => base.ready?.(...about) } : {}),
		...(base.declares ? { declares: (facts: ToolFacts) => base.declares?.(facts) ?? true } : {}),
		...(base.readsBudgets ? { readsBudgets: (facts: ToolFacts) => base.readsBudgets?.(facts) ?? false } : {}),
	};
}
