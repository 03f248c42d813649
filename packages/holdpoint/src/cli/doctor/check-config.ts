import { isHoldpointError } from "../../spec/errors.ts";
import { loadConfig } from "../load-config.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Finding } from "./finding.ts";

const name = "config";

/** Loads the config as `run` would. */
export async function checkConfigFile(path: string | undefined, store: string): Promise<Finding> {
	if (path === undefined) {
		const mend = "Export `config = { agents: [...] }` from holdpoint.config.ts; `holdpoint demo` needs none.";
		return { name, state: "note", says: "no holdpoint.config.ts here", mend, facts: { exists: false } };
	}
	try {
		const { agents } = await loadConfig(path, store);
		const names = agents.map((agent) => agent.name);
		return {
			name,
			state: "ok",
			says: `${path}: ${names.length === 1 ? "agent" : "agents"} ${names.join(", ")}`,
			facts: { path, agents: names },
		};
	} catch (error) {
		const says = inlineText(error instanceof Error ? error.message : String(error), 500);
		const mend = isHoldpointError(error) ? error.hint : "See the stack with `node` on that file.";
		return { name, state: "bad", says, mend, facts: { path } };
	}
}
