import { readFileSync, statSync } from "node:fs";
import { parseKeys } from "../../journal/keys.ts";
import { isHoldpointError } from "../../spec/errors.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Finding } from "./finding.ts";

const name = "key";

/** The key that seals stored state: where it comes from, and that nobody else can read it. Never the key itself. */
export function checkKeys(env: { readonly [name: string]: string | undefined }, file: string): Finding {
	const given = env["HOLDPOINT_KEYS"];
	try {
		if (given) return found(parseKeys(given, "HOLDPOINT_KEYS").length, "HOLDPOINT_KEYS", {});
		const mode = statSync(file).mode & 0o777;
		if (mode & 0o077) {
			return {
				name,
				state: "bad",
				says: `${file} can be read by others (mode ${mode.toString(8)})`,
				mend: `Run: chmod 600 ${file}`,
				facts: { source: "file", file },
			};
		}
		return found(parseKeys(readFileSync(file, "utf8"), file).length, file, { mode: mode.toString(8) });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") {
			return {
				name,
				state: "ok",
				says: `${file} is not there yet; the first run makes it`,
				facts: { source: "file", file, exists: false },
			};
		}
		const says = inlineText(error instanceof Error ? error.message : String(error), 300);
		const mend = isHoldpointError(error) ? error.hint : `Make ${file} readable for this user.`;
		return { name, state: "bad", says, mend, facts: { source: given ? "environment" : "file" } };
	}
}

function found(count: number, source: string, more: { readonly mode?: string }): Finding {
	const mode = more.mode === undefined ? "" : `, mode ${more.mode}`;
	const says = `${source}: ${count === 1 ? "one key" : `${count} keys`}${mode}`;
	return { name, state: "ok", says, facts: { source, count, ...more } };
}
