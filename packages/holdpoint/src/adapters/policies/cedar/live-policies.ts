/**
 * A set of policies that is kept up to date: told of new agents, and read anew when its files change.
 *
 * Owns: which set decides now. A set is taken whole or not at all; one that cannot be used is reported, and the one
 * before goes on. Files count as changed when they have been left alone for `policySettleMs`, so that one that is being
 * written is not read; whoever renames a finished file into its place is safe in any case.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../../kit/clock.ts";
import { digest } from "../../../kit/digest.ts";
import { isHoldpointError } from "../../../spec/errors.ts";
import { fixedLimits } from "../../../spec/limits.ts";
import type { GovernedAgent, GovernedParts } from "../../../spec/policy.ts";
import { type CompiledPolicies, compilePolicies } from "./compile-policies.ts";
import type { CedarEngine } from "./engine.ts";
import { invalidPolicy, type PolicyProblem } from "./policy-problem.ts";
import type { PolicySource, PolicyText } from "./policy-source.ts";

export interface LiveOptions {
	readonly source: PolicySource;
	readonly roles: readonly string[] | undefined;
	readonly isWatched: boolean;
	readonly clock: Clock;
	/** Told of a set that was taken or refused while another one decides. */
	readonly onReload: (event: ReloadEvent) => void;
}

export type ReloadEvent =
	| { readonly type: "policy.reloaded"; readonly version: string; readonly before: string }
	| { readonly type: "policy.refused"; readonly version: string; readonly problems: readonly PolicyProblem[] };

/** Of a policy that has no set yet. */
export const noVersion = "cedar:none";

/** How often files are looked at, at most. */
const lookEveryMs = fixedLimits.policySettleMs / 4;

export class LivePolicies {
	/** The set that decides now, as of the last `current`. */
	compiled: CompiledPolicies | undefined;
	private readonly options: LiveOptions;
	/** Names the texts that were read last, where they could not be used. */
	refused: string | undefined;
	/** The engine keeps what it parsed for ever: the next set takes the place of the one before the last. */
	private readonly slots = [`holdpoint:${randomUUID()}`, `holdpoint:${randomUUID()}`] as const;
	private texts: readonly PolicyText[] = [];
	private agents: readonly GovernedAgent[] = [];
	private about: GovernedParts = { budgets: [], labels: false };
	private engine: CedarEngine | undefined;
	/** Of the files that were read last, whatever became of them. */
	private signature: string | undefined;
	private lookedAt = Number.NEGATIVE_INFINITY;
	private changed: { readonly signature: string; readonly seenAt: number } | undefined;

	constructor(options: LiveOptions) {
		this.options = options;
	}

	/** Validates for these agents. Errors: `policy.invalid`; the set before goes on deciding for the agents before. */
	ready(engine: CedarEngine, agents: readonly GovernedAgent[], about: GovernedParts): void {
		const { source } = this.options;
		this.about = about;
		const signature = source.look()?.signature;
		// Files that changed since they were read are for `current` to take: here, only the agents are new.
		const isFirst = this.compiled === undefined;
		if (isFirst) {
			// Kept where it fails, too: mended files are validated for these.
			this.agents = agents;
			this.engine = engine;
			this.signature = signature;
		}
		const texts = isFirst ? source.read() : this.texts;
		const compiled = this.compile(engine, texts, agents);
		if ("problems" in compiled) throw invalidPolicy(compiled.problems);
		this.compiled = compiled;
		this.texts = texts;
		this.agents = agents;
	}

	/** The set that decides now; files that changed are read first. */
	current(): CompiledPolicies | undefined {
		if (this.engine && this.options.isWatched && this.hasChanged()) this.reload(this.engine);
		return this.compiled;
	}

	private hasChanged(): boolean {
		const now = this.options.clock.now();
		if (now >= this.lookedAt && now - this.lookedAt < lookEveryMs) return false;
		this.lookedAt = now;
		const look = this.options.source.look();
		if (!look || look.signature === this.signature) {
			this.changed = undefined;
			return false;
		}
		const { signature, changedAt } = look;
		if (this.changed?.signature !== signature || now < this.changed.seenAt) this.changed = { signature, seenAt: now };
		const quietSince = Math.min(changedAt, this.changed.seenAt);
		return now - quietSince >= fixedLimits.policySettleMs;
	}

	private reload(engine: CedarEngine): void {
		const before = this.compiled?.version ?? noVersion;
		this.signature = this.changed?.signature;
		this.changed = undefined;
		let compiled: CompiledPolicies | { readonly problems: readonly PolicyProblem[] };
		let texts: readonly PolicyText[] = [];
		try {
			texts = this.options.source.read();
			compiled = this.compile(engine, texts, this.agents);
		} catch (error) {
			const message = isHoldpointError(error) ? error.message : String(error);
			compiled = { problems: [{ file: "policy", message }] };
		}
		if ("problems" in compiled) {
			this.refused = nameOf(texts.length > 0 ? texts : compiled.problems);
			this.options.onReload({ type: "policy.refused", version: before, problems: compiled.problems });
			return;
		}
		this.compiled = compiled;
		this.texts = texts;
		this.refused = undefined;
		if (compiled.version !== before) {
			this.options.onReload({ type: "policy.reloaded", version: compiled.version, before });
		}
	}

	private compile(engine: CedarEngine, texts: readonly PolicyText[], agents: readonly GovernedAgent[]) {
		const [one, other] = this.slots;
		const slot = this.compiled?.slot === one ? other : one;
		const compiled = compilePolicies({ engine, texts, agents, ...this.about, roles: this.options.roles, slot });
		return "version" in compiled ? compiled : { problems: compiled };
	}
}

/** The same in every process that reads the same. */
function nameOf(read: readonly PolicyText[] | readonly PolicyProblem[]): string {
	return `cedar:${digest(JSON.stringify(read)).slice(0, 12)}`;
}
