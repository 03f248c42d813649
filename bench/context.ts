import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BenchContext, NodeOptions, NodeRun, PeerName } from "./benchmark.ts";
import { root, sourceFlags } from "./bundle.ts";
import { defaultPace, race, smokePace } from "./race.ts";
import { SubjectProcess } from "./subject-process.ts";

export interface ContextOptions {
	readonly smoke: boolean;
	readonly full: boolean;
	readonly bundle: "bundle" | "sources";
	readonly peers: readonly PeerName[];
	note(text: string): void;
}

const answerMs = 300_000;
/** Every crash point of every task is one answer. */
const answerFullMs = 4 * 3_600_000;
const processMs = 900_000;
const smokeCount = 2;

/** What benchmarks measure with, and the end of everything that it opened. */
export function openContext(options: ContextOptions): { readonly context: BenchContext; close(): void } {
	const { smoke, full, bundle, peers, note } = options;
	const folders: string[] = [];
	const flagsOf = (isFromSources: boolean) => ["--expose-gc", "--no-warnings", ...(isFromSources ? sourceFlags : [])];
	const nodeFlags = flagsOf(bundle === "sources");

	/** Below the repository: its disk is the one that counts, and `/tmp` may be none. */
	function folder(): string {
		const parent = join(root, ".cache");
		mkdirSync(parent, { recursive: true });
		const made = mkdtempSync(join(parent, "bench-"));
		folders.push(made);
		return made;
	}

	const context: BenchContext = {
		smoke,
		full,
		bundle,
		peers,
		count: (count) => (smoke ? Math.min(count, smokeCount) : count),
		folder,
		note,
		race: (groups, pace = {}) =>
			race(groups, {
				pace: smoke ? smokePace : { ...defaultPace, ...pace },
				note,
				open: ({ subject, whose }) =>
					new SubjectProcess({
						path: subject,
						nodeFlags: whose === "workload" ? flagsOf(true) : nodeFlags,
						arguments: [folder()],
						timeoutMs: full ? answerFullMs : answerMs,
					}),
			}),
		node: (args, given) => runNode([...nodeFlags, ...args], given),
	};
	return {
		context,
		close: () => {
			for (const each of folders.splice(0)) rmSync(each, { recursive: true, force: true });
		},
	};
}

async function runNode(
	args: readonly string[],
	{ cwd = root, timeoutMs = processMs }: NodeOptions = {},
): Promise<NodeRun> {
	const began = performance.now();
	const child = spawn(process.execPath, args, { cwd, timeout: timeoutMs, stdio: ["ignore", "pipe", "pipe"] });
	let stdout = "";
	let stderr = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		stdout += text;
	});
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		stderr += text;
	});
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	child.on("error", reject);
	child.on("close", (code, signal) => {
		if (code === 0) resolve();
		else reject(new Error(`node ${args.join(" ").slice(0, 200)} ended (${signal ?? code}): ${stderr.slice(-1_000)}`));
	});
	await promise;
	return { stdout, ms: performance.now() - began };
}
