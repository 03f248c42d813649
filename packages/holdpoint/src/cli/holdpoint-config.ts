import type { HarnessOptions } from "../holdpoint.ts";
import type { PolicyLike } from "../policy/decide.ts";
import type { Agent } from "../spec/agent.ts";
import type { Approver } from "../spec/events.ts";
import type { Limits } from "../spec/limits.ts";
import type { LanguageModel } from "../spec/model.ts";

/** What `holdpoint.config.ts` exports as `config`. */
export interface HoldpointConfig {
	readonly agents: readonly Agent[];
	/** Default: the tool's effect class decides. */
	readonly policy?: PolicyLike;
	/** Roles of a person who answers. */
	readonly rolesOf?: (approver: Approver) => readonly string[];
	/** Keeps an audit log that a stranger can verify. */
	readonly audit?: HarnessOptions["audit"];
	readonly limits?: Partial<Limits>;
	/** For agents that have none of their own; `--model` goes before both. */
	readonly model?: LanguageModel;
}
