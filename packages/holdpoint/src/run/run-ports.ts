import type { Auditor } from "../audit/auditor.ts";
import type { StandingDocument } from "../grants/standing.ts";
import type { Clock } from "../kit/clock.ts";
import type { KeyRing } from "../kit/seal.ts";
import type { Way } from "../routing/topology.ts";
import type { Agent } from "../spec/agent.ts";
import type { Approvers } from "../spec/approver.ts";
import type { Budget, Prices } from "../spec/budget.ts";
import type { RunStarted } from "../spec/events.ts";
import type { LabelRules } from "../spec/label.ts";
import type { Limits } from "../spec/limits.ts";
import type { LanguageModel, ModelMessage, ModelTool } from "../spec/model.ts";
import type { Policy } from "../spec/policy.ts";
import type { SandboxProvider } from "../spec/sandbox.ts";
import type { Store } from "../spec/store.ts";
import type { Team } from "../spec/team.ts";
import type { Tool } from "../spec/tool.ts";
import type { Tracer } from "../trace/tracer.ts";

/** What a run needs of the world; the composition root puts it together. */
export interface RunPorts {
	readonly store: Store;
	readonly storeId: string;
	readonly ring: KeyRing;
	readonly clock: Clock;
	readonly random: () => number;
	readonly owner: string;
	readonly ownerIsDead: (owner: string) => boolean;
	readonly policy: Policy;
	/** Grants and kill switches. */
	readonly standing: StandingDocument;
	/**
	 * Tells the audit log by which policy and budgets this process decides, where it was not told. Undefined: it was.
	 * Errors: `store.*`, `journal.*`; nothing is decided then.
	 */
	readonly layDown: () => Promise<void> | undefined;
	/** Undefined: labels are not kept. */
	readonly labels: LabelRules | undefined;
	/** Undefined: nobody has a role. */
	readonly approvers: Approvers | undefined;
	readonly budgets: readonly Budget[];
	readonly prices: Prices;
	/** Both are the harness's own: whoever leaves a signal or reads a run may not know its agent. */
	readonly signalsMax: number;
	readonly sessionRunsMax: number;
	/** Undefined: nothing is audited. */
	readonly audit: Auditor | undefined;
	/** Undefined: nobody traces. */
	readonly tracer: Pick<Tracer, "begin" | "forget"> | undefined;
	/** Undefined: this harness runs no programs. */
	readonly sandbox: (() => Promise<SandboxProvider>) | undefined;
}

/** An agent made ready: what is the same for each of its runs. */
export interface ReadyAgent {
	/** In the place of a team: one with its name and its limits, that has nothing of its own. */
	readonly agent: Agent;
	/** Undefined: a single agent. */
	readonly team: Team | undefined;
	/** Everybody who may work in its runs, itself included, by name. */
	readonly cast: ReadonlyMap<string, ReadyAgent>;
	/** Of a participant: ways on which it may hand on, by the name of the tool. */
	readonly handoffs: ReadonlyMap<string, Way>;
	readonly model: LanguageModel | undefined;
	readonly system: ModelMessage;
	readonly modelTools: readonly ModelTool[];
	/** Every tool of the agent, for programs or direct. */
	readonly tools: ReadonlyMap<string, Tool>;
	/** Undefined: no tool marks anything as sensitive. */
	readonly marks: RunStarted["marks"] | undefined;
	readonly directTools: ReadonlySet<string>;
	readonly programTools: ReadonlySet<string>;
	/** Of every tool, as `run.started` records them. */
	readonly toolVersions: { readonly [name: string]: string };
	readonly limits: Limits;
}
