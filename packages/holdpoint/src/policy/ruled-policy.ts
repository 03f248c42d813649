import { isThenable } from "../kit/is-thenable.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Decision, GovernedAgent, Policy, PolicyRequest, ToolFacts } from "../spec/policy.ts";
import type { Tool } from "../spec/tool.ts";
import { joinDecisions, type PolicyLike, toPolicy } from "./decide.ts";
import { decideByEffect, effectPolicy } from "./effect-policy.ts";
import { uniteAsks } from "./unite-asks.ts";

/** What some tools say about their own calls. */
export interface ToolRules {
	/** Names the rules as they are now. */
	readonly version: string;
	/** The names of these tools. */
	readonly tools: ReadonlySet<string>;
	/** Whether a tool of one of these names is one of these tools. Left out: every one is. */
	isOwn?(tool: Tool): boolean;
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
 * Errors: `policy.invalid` where both speak of a tool of one name; from `ready`, where an agent has another tool of that name.
 */
export function ruledPolicy(rules: ToolRules, policy: PolicyLike = effectPolicy): Policy {
	const given = toPolicy(policy);
	const inner = parts.get(given) ?? { sets: [], own: given === effectPolicy ? undefined : given };
	const twice = inner.sets.flatMap(({ tools }) => [...tools]).find((name) => rules.tools.has(name));
	if (twice !== undefined) throw mistaken(`Two sets of rules speak of a tool ${twice}`);
	const made = policyOf([...inner.sets, rules], inner.own);
	parts.set(made, { sets: [...inner.sets, rules], own: inner.own });
	return made;
}

/** A call names its tool and nothing else: what one set allows would be allowed to the other's tool. */
function mistaken(what: string): HoldpointError {
	return new HoldpointError("policy.invalid", `${what}, and the rules of one would answer for the other`, {
		hint: "Give one of them a name of its own: fileTools({ prefix }), shellTool({ name }), or a harness of its own.",
	});
}

function checkOwn(sets: readonly ToolRules[], agents: readonly GovernedAgent[]): void {
	for (const { name: agent, tools } of agents) {
		for (const tool of tools) {
			const isOther = sets.some((rules) => rules.tools.has(tool.name) && rules.isOwn?.(tool) === false);
			if (isOther)
				throw mistaken(`The tool ${tool.name} of the agent ${agent} is not the one that the policy has rules for`);
		}
	}
}

/** A rule that asks asks no fewer people than the effect class does. */
function askedAsUsual(decision: Decision | undefined, request: PolicyRequest): readonly Decision[] {
	if (!decision) return [];
	const usual = decideByEffect(request);
	if (decision.verdict !== "ask" || usual.verdict !== "ask") return [decision];
	return [{ ...decision, ask: uniteAsks([decision.ask ?? {}, usual.ask ?? {}]) }];
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
			const ruled = setsOf(request).flatMap((rules) => askedAsUsual(rules.decide(request), request));
			if (ruled.length === 0) return base.decide(request);
			if (!own) return joinDecisions(ruled);
			const said: unknown = own.decide(request);
			const joined = (other: unknown): Decision => joinDecisions([...ruled, other as Decision]);
			return isThenable(said) ? Promise.resolve(said).then(joined) : joined(said);
		},
		ready(agents, about) {
			checkOwn(sets, agents);
			return base.ready?.(agents, about);
		},
		mayAsk(facts) {
			const isAskedByBase = base.mayAsk?.(facts) ?? !["read", "internal"].includes(facts.tool.effect);
			return isAskedByBase || setsOf(facts).some((rules) => rules.mayAsk(facts.tool.name));
		},
		// A policy that declares nothing, or reads no budgets, is to be taken for one that does not.
		...(base.declares ? { declares: (facts: ToolFacts) => base.declares?.(facts) ?? true } : {}),
		...(base.readsBudgets ? { readsBudgets: (facts: ToolFacts) => base.readsBudgets?.(facts) ?? false } : {}),
	};
}
