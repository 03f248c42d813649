import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Of the repository, as the scripts write it: its text is part of their digests. */
export const root: string = fileURLToPath(new URL("..", import.meta.url));

interface Fingerprint {
	buildDigest(root: string): string;
	readStamp(root: string): { readonly build?: string };
}

/** Is the built package made of today's sources? What is measured is what a user has, so that anything else is said. */
export async function bundleState(): Promise<{ readonly isFresh: boolean; readonly digest: string }> {
	const file = pathToFileURL(join(root, "scripts/fingerprint.mjs")).href;
	const { buildDigest, readStamp } = (await import(file)) as Fingerprint;
	const digest = buildDigest(root);
	const isFresh = readStamp(root).build === digest && existsSync(join(root, "packages/holdpoint/dist/index.js"));
	return { isFresh, digest: digest.slice(0, 12) };
}

/** With these, `import "holdpoint"` means the sources. */
export const sourceFlags: readonly string[] = ["--conditions=@holdpoint/source"];
