import type { HarnessOptions } from "../holdpoint.ts";
import type { PolicyLike } from "../policy/decide.ts";
import type { Approver, Approvers } from "../spec/approver.ts";
import type { Budget, Prices } from "../spec/budget.ts";
import type { Limits } from "../spec/limits.ts";
import type { LanguageModel } from "../spec/model.ts";
import type { Participant } from "../spec/team.ts";
import type { Webhook } from "../spec/webhooks.ts";

/** What `holdpoint.config.ts` exports as `config`. */
export interface HoldpointConfig {
	/** Agents, and teams of them. */
	readonly agents: readonly Participant[];
	/** Default: the tool's effect class decides. */
	readonly policy?: PolicyLike;
	/** Who may approve what. */
	readonly approvers?: Approvers;
	/** The same where nothing but the roles of a person matters. */
	readonly rolesOf?: (approver: Approver) => readonly string[];
	/** Who is told what waits for people and how runs stand. */
	readonly webhooks?: readonly Webhook[];
	/** Keeps an audit log that a stranger can verify. */
	readonly audit?: HarnessOptions["audit"];
	readonly limits?: Partial<Limits>;
	/** What runs may spend together. */
	readonly budgets?: readonly Budget[];
	/** What models cost, where budgets count money. */
	readonly prices?: Prices;
	/** Keeps labels of what was read. */
	readonly labels?: HarnessOptions["labels"];
	/** Who is given traces beside the local trace store, and what may be in them. */
	readonly tracing?: HarnessOptions["tracing"] | undefined;
	/** For agents that have none of their own; `--model` goes before both. */
	readonly model?: LanguageModel;
}
