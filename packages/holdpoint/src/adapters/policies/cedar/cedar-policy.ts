/**
 * Policies in Cedar: validated against the tools before anything runs, and decided by a pre-parsed set.
 *
 * 1. A call is decided only for a tool that the policies were validated for, with the schema that it is checked against.
 * 2. What is recorded as the version of a decision is the set that made it.
 * 3. Any error of any policy is a denial.
 */
import { type Clock, systemClock } from "../../../kit/clock.ts";
import { reasonOf } from "../../../kit/reason-of.ts";
import { HoldpointError, isHoldpointError } from "../../../spec/errors.ts";
import type {
	Decision,
	ToolFacts as Facts,
	GovernedAgent,
	GovernedParts,
	Policy,
	PolicyRequest,
} from "../../../spec/policy.ts";
import { understand } from "./compile-policies.ts";
import { DecisionCache } from "./decision-cache.ts";
import { type LoadEngine, loadEngine } from "./engine.ts";
import { type Evaluated, evaluate, requestFor } from "./evaluate.ts";
import { checkOf, explanationOf, type PolicyCheck, type PolicyExplanation } from "./inspect-policies.ts";
import { LivePolicies, noVersion, type ReloadEvent } from "./live-policies.ts";
import { type PolicyProblem, shownProblem } from "./policy-problem.ts";
import { concernsTool } from "./policy-rule.ts";
import { type PolicyPlace, type PolicySource, policySource } from "./policy-source.ts";
import { Shadow, type ShadowDifference } from "./shadow.ts";

export type { PolicyCheck, PolicyExplanation, RuleFacts, ToolFacts } from "./inspect-policies.ts";
export type { PolicyProblem } from "./policy-problem.ts";
export type { PolicyPlace } from "./policy-source.ts";
export type { DecisionOf, ShadowDifference } from "./shadow.ts";

/** What a Cedar policy has to say beside its decisions. */
export type CedarReport =
	| ReloadEvent
	| ShadowDifference
	/** The shadow policy cannot be used; it compares nothing until it is mended. */
	| { readonly type: "shadow.refused"; readonly problems: readonly PolicyProblem[] };

export interface CedarPolicyOptions extends PolicyPlace {
	/** Every role that there is, so that one that is misspelt is found. Default: those that `@approval` names. */
	readonly roles?: readonly string[];
	/** Policies that decide nothing, and whose differences are reported. Needs `report`. */
	readonly shadow?: PolicyPlace;
	/** Whether changed files are read anew while the harness runs. Default: true. */
	readonly watch?: boolean;
	/** Whether decisions are remembered. Default: true. */
	readonly cache?: boolean;
	/** Default: a refused reload is written to standard error. What it throws is ignored. */
	readonly report?: (event: CedarReport) => void;
	readonly clock?: Clock;
	/** How the engine is loaded. Default: `@cedar-policy/cedar-wasm` as it is installed. */
	readonly load?: LoadEngine;
}

export interface CedarPolicy extends Policy {
	ready(agents: readonly GovernedAgent[], about?: GovernedParts): Promise<void>;
	decide(request: PolicyRequest): Decision;
	mayAsk(facts: Facts): boolean;
	readsBudgets(facts: Pick<Facts, "tool">): boolean;
	/** Why this call is decided as it is now. Errors: those of `ready`. */
	explain(request: PolicyRequest): PolicyExplanation;
	/** Everything that is wrong with the policies for these tools, and what a policy can say of each. Errors: `policy.unavailable`. */
	check(agents: readonly GovernedAgent[], about?: GovernedParts): Promise<PolicyCheck>;
}

const brand = Symbol.for("holdpoint.cedar-policy");

export function isCedarPolicy(policy: unknown): policy is CedarPolicy {
	return typeof policy === "object" && policy !== null && brand in policy;
}

/**
 * A policy of Cedar texts. Nothing is read before it is shown the tools; then it is validated as a whole.
 *
 * Errors: `config.invalid`; from `ready`: `policy.invalid`, `policy.unavailable`.
 * @example
 * createHarness({ agents: [support], policy: cedarPolicy({ folder: "policies", roles: ["manager", "finance"] }) })
 */
export function cedarPolicy(options: CedarPolicyOptions): CedarPolicy {
	return new CedarRules(options);
}

class CedarRules implements CedarPolicy {
	readonly [brand] = true;
	private readonly options: CedarPolicyOptions;
	private readonly source: PolicySource;
	private readonly live: LivePolicies;
	private readonly cache: DecisionCache | undefined;
	private readonly shadowSource: PolicySource | undefined;
	private readonly shadowLive: LivePolicies | undefined;
	private readonly shadow: Shadow | undefined;

	constructor(options: CedarPolicyOptions) {
		this.options = checked(options);
		this.source = policySource(options, "cedarPolicy");
		this.live = this.liveOf(this.source, (event) => this.tell(event));
		this.cache = options.cache === false ? undefined : new DecisionCache();
		if (!options.shadow) return;
		this.shadowSource = policySource(options.shadow, "cedarPolicy({ shadow })");
		this.shadowLive = this.liveOf(this.shadowSource, (event) => {
			if (event.type === "policy.refused") this.tell({ type: "shadow.refused", problems: event.problems });
		});
		this.shadow = new Shadow(this.shadowLive, (difference) => this.tell(difference));
	}

	get version(): string {
		return this.live.compiled?.version ?? noVersion;
	}

	get refused(): string | undefined {
		return this.live.refused;
	}

	async ready(agents: readonly GovernedAgent[], about = noParts): Promise<void> {
		const engine = await loadEngine(this.options.load);
		this.live.ready(engine, agents, about);
		try {
			this.shadowLive?.ready(engine, agents, about);
		} catch (error) {
			this.tell({ type: "shadow.refused", problems: problemsOf(error) });
		}
	}

	decide(request: PolicyRequest): Decision {
		const compiled = this.live.current();
		if (!compiled) return { verdict: "deny", reason: notReady };
		const asked = requestFor(compiled, request);
		if ("decision" in asked) return asked.decision;
		const { decision } = this.cache ? this.cache.evaluate(compiled, asked) : evaluate(compiled, asked);
		this.shadow?.compareLater({ request, enforced: { version: compiled.version, decision } });
		// A copy: what is remembered is in nobody else's hands.
		return decision.verdict === "ask" ? structuredClone(decision) : { ...decision };
	}

	mayAsk({ tool }: Facts): boolean {
		const compiled = this.live.current();
		if (!compiled) return true;
		return [...compiled.rules.values()].some((rule) => rule.approval !== undefined && concernsTool(rule, tool.name));
	}

	/** Also where its shadow alone does. */
	readsBudgets({ tool }: Pick<Facts, "tool">): boolean {
		return [this.live, this.shadowLive].some((live) => {
			const { attributes = {} } = live?.current()?.schema.tools.get(tool.name)?.context ?? {};
			return "budgets" in attributes;
		});
	}

	explain(request: PolicyRequest): PolicyExplanation {
		const compiled = this.live.current();
		if (!compiled) throw new HoldpointError("policy.invalid", notReady);
		const asked = requestFor(compiled, request);
		const evaluated: Evaluated = "decision" in asked ? asked : evaluate(compiled, asked);
		return explanationOf(compiled.version, evaluated);
	}

	async check(agents: readonly GovernedAgent[], about = noParts): Promise<PolicyCheck> {
		const engine = await loadEngine(this.options.load);
		const { roles } = this.options;
		const look = (source: PolicySource, live: LivePolicies) => {
			const { texts, problems } = readOr(source);
			const found = understand({ engine, texts, agents, roles, ...about });
			if (problems.length > 0) return { understood: { ...found, problems }, version: undefined };
			if (found.problems.length > 0) return { understood: found, version: undefined };
			live.ready(engine, agents, about);
			return { understood: found, version: live.compiled?.version };
		};
		const main = look(
			this.source,
			this.liveOf(this.source, () => undefined),
		);
		const base = { version: main.version, ...checkOf(main.understood) };
		if (!this.shadowSource) return base;
		const beside = look(
			this.shadowSource,
			this.liveOf(this.shadowSource, () => undefined),
		);
		return { ...base, shadow: { version: beside.version, problems: beside.understood.problems } };
	}

	private liveOf(source: PolicySource, onReload: (event: ReloadEvent) => void): LivePolicies {
		const { roles, watch = true, clock = systemClock } = this.options;
		return new LivePolicies({ source, roles, isWatched: watch, clock, onReload });
	}

	private tell(event: CedarReport): void {
		try {
			if (this.options.report) this.options.report(event);
			else if ("problems" in event) process.stderr.write(`holdpoint: ${refusal(event)}\n`);
		} catch {
			// Who listens does not decide.
		}
	}
}

const noParts: GovernedParts = { budgets: [], labels: false };

const notReady = "The policy was not shown any tools yet, so that it decides nothing";

function checked(options: CedarPolicyOptions): CedarPolicyOptions {
	const { roles, shadow, report } = options;
	const areRoles =
		roles === undefined || (Array.isArray(roles) && roles.every((role) => typeof role === "string" && role));
	if (!areRoles) throw new HoldpointError("config.invalid", "cedarPolicy({ roles }) is no list of names");
	if (shadow && !report) {
		const hint = "Such as report: (event) => console.error(JSON.stringify(event)).";
		throw new HoldpointError("config.invalid", "cedarPolicy({ shadow }) needs report, or nobody sees what differs", {
			hint,
		});
	}
	return options;
}

function readOr(source: PolicySource) {
	try {
		return { texts: source.read(), problems: [] };
	} catch (error) {
		return { texts: [], problems: problemsOf(error) };
	}
}

function problemsOf(error: unknown): readonly PolicyProblem[] {
	const known = isHoldpointError(error) ? error.details["problems"] : undefined;
	return (known as readonly PolicyProblem[] | undefined) ?? [{ file: "policy", message: reasonOf(error) }];
}

function refusal({ type, problems }: Extract<CedarReport, { problems: unknown }>): string {
	const what =
		type === "shadow.refused" ? "the shadow policy is not used" : "the changed policy is not used; the old one goes on";
	return `${what}: ${problems.slice(0, 3).map(shownProblem).join("; ")}`;
}
