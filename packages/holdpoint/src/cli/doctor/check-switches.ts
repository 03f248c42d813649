import { existsSync } from "node:fs";
import { sqliteStore } from "../../adapters/stores/sqlite.ts";
import { createHarness } from "../../holdpoint.ts";
import { counted } from "../../kit/counted.ts";
import { isHoldpointError } from "../../spec/errors.ts";
import { switchText } from "../render/grant-text.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Finding } from "./finding.ts";

const name = "switches";

/** What is switched off: the first thing to know about an agent that does nothing. Undefined: nothing ever was. */
export async function checkSwitches(path: string): Promise<Finding | undefined> {
	if (!existsSync(path)) return undefined;
	const harness = createHarness({ store: sqliteStore(path, { readOnly: true }) });
	try {
		const { switches, grants } = await harness.governance.standing();
		const facts = { switches, grants: grants.length };
		if (switches.length > 0) {
			const mend = "`holdpoint on …` lets it run again; `holdpoint grants` lists all.";
			return { name, state: "note", says: switches.map(switchText).join("; "), mend, facts };
		}
		if (grants.length === 0) return undefined;
		const says = `nothing is switched off; ${counted(grants.length, "standing grant")}`;
		return { name, state: "ok", says, facts };
	} catch (error) {
		// A store or a key that is not right has a finding of its own.
		if (!isHoldpointError(error) || error.code !== "journal.tampered") return undefined;
		return { name, state: "bad", says: inlineText(error.message, 300), mend: error.hint };
	} finally {
		await harness.close();
	}
}
