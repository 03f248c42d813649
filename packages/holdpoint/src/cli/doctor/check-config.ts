import { isHoldpointError } from "../../spec/errors.ts";
import { loadConfig } from "../load-config.ts";
import { inlineText } from "../render/safe-text.ts";
import { withoutModel } from "../with-model.ts";
import type { Finding } from "./finding.ts";

const name = "config";

/** Loads the config as `run` would. */
export async function checkConfigFile(path: string | undefined, store: string): Promise<Finding> {
	if (path === undefined) {
		const mend = "Export `config = { agents: [...] }` from holdpoint.config.ts; `holdpoint demo` needs none.";
		return { name, state: "note", says: "no holdpoint.config.ts here", mend, facts: { exists: false } };
	}
	try {
		const { agents, model } = await loadConfig(path, store);
		const names = agents.map((agent) => agent.name);
		const bare = model ? [] : [...new Set(agents.flatMap(withoutModel).map(({ name }) => name))];
		const says = `${path}: ${names.length === 1 ? "agent" : "agents"} ${names.join(", ")}`;
		const facts = { path, agents: names, withoutModel: bare };
		if (bare.length === 0) return { name, state: "ok", says, facts };
		const mend = "Give each a `model`, export one in the config, or say --model provider/name each time.";
		return { name, state: "note", says: `${says}; without a model: ${bare.join(", ")}`, mend, facts };
	} catch (error) {
		const says = inlineText(error instanceof Error ? error.message : String(error), 500);
		const mend = isHoldpointError(error) ? error.hint : "See the stack with `node` on that file.";
		return { name, state: "bad", says, mend, facts: { path } };
	}
}
