import { existsSync, readFileSync, statSync } from "node:fs";
import { runSeal } from "../../journal/journal.ts";
import { parseKeys } from "../../journal/keys.ts";
import { keyRing, type SealKey } from "../../kit/seal.ts";
import { isHoldpointError } from "../../spec/errors.ts";
import type { Store, StoredRun } from "../../spec/store.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Finding } from "./finding.ts";

const name = "key";

type Environment = { readonly [name: string]: string | undefined };

/**
 * The key that seals stored state: where it comes from, that nobody else can read it, and that it is the one that sealed
 * the newest run. Never the key itself.
 */
export async function checkKeys(env: Environment, store: Store): Promise<Finding> {
	const file = store.keyFile ?? "";
	const given = env["HOLDPOINT_KEYS"];
	const facts = { source: given ? "environment" : "file", ...(given ? {} : { file }) };
	try {
		const newest = await newestRun(store);
		if (!given && !existsSync(file)) return missing(file, newest !== undefined);
		const mode = given ? undefined : statSync(file).mode & 0o777;
		if (mode !== undefined && mode & 0o077) {
			const says = `${file} can be read by others (mode ${mode.toString(8)})`;
			return { name, state: "bad", says, mend: `Run: chmod 600 ${file}`, facts };
		}
		const keys = given ? parseKeys(given, "HOLDPOINT_KEYS") : parseKeys(readFileSync(file, "utf8"), file);
		if (newest) verify(keys, await store.id(), newest);
		return found(keys, given ? "HOLDPOINT_KEYS" : file, { mode: mode?.toString(8), isProven: newest !== undefined });
	} catch (error) {
		const says = inlineText(error instanceof Error ? error.message : String(error), 300);
		const mend = isHoldpointError(error) ? error.hint : `Make ${file} readable for this user.`;
		return { name, state: "bad", says, mend, facts };
	}
}

/** The seal of an erased run says so, and is as good a witness. */
function verify(keys: readonly SealKey[], storeId: string, newest: StoredRun): void {
	try {
		runSeal(keyRing(keys), storeId, newest.run).open(newest);
	} catch (error) {
		if (!isHoldpointError(error) || error.code !== "run.erased") throw error;
	}
}

/** Undefined also where the store cannot be read: another finding says that. */
async function newestRun(store: Store): Promise<StoredRun | undefined> {
	try {
		const [row] = await store.runs({ limit: 1 });
		return row && (await store.load(row.run));
	} catch {
		return undefined;
	}
}

function missing(file: string, hasRuns: boolean): Finding {
	const facts = { source: "file", file, exists: false };
	if (!hasRuns) return { name, state: "ok", says: `${file} is not there yet; the first run makes it`, facts };
	const mend = "Put it back from your backup, or set HOLDPOINT_KEYS. A new key could not read these runs.";
	return { name, state: "bad", says: `${file} is gone, and the store holds runs that it sealed`, mend, facts };
}

interface Found {
	readonly mode: string | undefined;
	/** The newest run verifies with these keys. */
	readonly isProven: boolean;
}

function found(keys: readonly SealKey[], source: string, { mode, isProven }: Found): Finding {
	const parts = [keys.length === 1 ? "one key" : `${keys.length} keys`];
	if (mode !== undefined) parts.push(`mode ${mode}`);
	if (isProven) parts.push("verifies the newest run");
	const facts = { source, count: keys.length, ...(mode === undefined ? {} : { mode }), verified: isProven };
	return { name, state: "ok", says: `${source}: ${parts.join(", ")}`, facts };
}
