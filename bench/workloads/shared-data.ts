import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

/**
 * The path of a shared data file or folder, or undefined where this machine does not have it.
 * `HOLDPOINT_SHARED` names the shared folder; the default is `../shared` beside the repository.
 */
export function sharedDataPath(name: string): string | undefined {
	const shared = process.env["HOLDPOINT_SHARED"] ?? resolve(import.meta.dirname, "../../../shared");
	const path = resolve(shared, "data", name);
	return existsSync(path) ? path : undefined;
}

/** Why a test or a benchmark that needs the data is skipped. */
export function missingDataReason(name: string): string {
	return `no ../shared/data/${name} beside the repository (set HOLDPOINT_SHARED to the shared folder)`;
}

export function readJson(path: string): unknown {
	return JSON.parse(readFileSync(path, "utf8"));
}
