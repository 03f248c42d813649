/** Runs scripts as a reader would, a few at a time, each for a bounded time and away from the repository's files. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const outputCharsMax = 20_000;

/** Without the keys of any provider: an example that would call one fails here and not on somebody's bill. */
export const environment = Object.fromEntries(
	Object.entries(process.env).filter(([name]) => !/_API_KEY$|^HOLDPOINT_|^NODE_OPTIONS$/.test(name)),
);

/** What is wrong with this script, or nothing. */
export function runScript(file, limitMs) {
	const cwd = mkdtempSync(join(tmpdir(), "holdpoint-run-"));
	return new Promise((resolve) => {
		const child = spawn(process.execPath, [file], {
			cwd,
			env: { ...environment, NO_COLOR: "1" },
			stdio: ["ignore", "pipe", "pipe"],
			detached: true,
		});
		let [stdout, output, isLate] = ["", "", false];
		const keep = (chunk) => {
			output = (output + chunk).slice(-outputCharsMax);
		};
		child.stdout.setEncoding("utf8").on("data", (chunk) => {
			stdout = (stdout + chunk).slice(-outputCharsMax);
			keep(chunk);
		});
		child.stderr.setEncoding("utf8").on("data", keep);
		const endGroup = () => {
			try {
				process.kill(-child.pid, "SIGKILL");
			} catch {
				// It has ended, and so has everything that it started.
			}
		};
		const timer = setTimeout(() => {
			isLate = true;
			endGroup();
		}, limitMs);
		child.on("close", (code, signal) => {
			clearTimeout(timer);
			endGroup();
			rmSync(cwd, { recursive: true, force: true });
			if (isLate) resolve({ fault: `still ran after ${limitMs / 1000} s`, stdout, output });
			else if (code !== 0) resolve({ fault: `ended with ${signal ?? `exit code ${code}`}`, stdout, output });
			else resolve({ fault: undefined, stdout, output });
		});
	});
}

/** `work` on every item, `width` at a time. */
export async function forEachAtOnce(items, width, work) {
	const queue = items.values();
	const worker = async () => {
		for (const item of queue) await work(item);
	};
	await Promise.all(Array.from({ length: width }, worker));
}
