import { spawn } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { SoloWiring } from "./agent.ts";
import { retailDataDir } from "./tasks.ts";

/** The long run through processes that are killed, one after the other, each where chance has it. */
export interface LongRunKills {
	/** Where the world lies, and the store will. */
	readonly folder: string;
	readonly wiring: SoloWiring;
	readonly taskCount: number;
	/** Commits that the whole takes where nobody is killed, more or less. */
	readonly commits: number;
	readonly kills: number;
	readonly seed: number;
}

interface Death {
	readonly when: "before" | "after";
	/** Of the process's own commits: 1, 2, … */
	readonly commit: number;
}

/** Returns how many processes were killed before one came to the end. Errors: one that ended in another way. */
export async function killLongRun(options: LongRunKills): Promise<number> {
	let killed = 0;
	for (const death of [...deathsOf(options), undefined]) {
		const { code, signal, said } = await runChild(options, death);
		if (code === 0) return killed;
		if (signal !== "SIGKILL" || !death)
			throw new Error(`A process ended with ${signal ?? code}: ${said.slice(0, 2_000)}`);
		killed++;
	}
	throw new Error("Unreachable: the last process is not killed");
}

function deathsOf({ kills, commits, seed }: LongRunKills): Death[] {
	// On average so far apart that the last ones come before the end.
	const apart = commits / (kills + 2);
	return Array.from({ length: kills }, (_, n) => {
		const [where = 0, side = 0] = hash("sha256", `${seed} ${n}`, "buffer");
		return { when: side < 128 ? "before" : "after", commit: 1 + Math.floor((2 * apart * where) / 256) };
	});
}

const script = join(import.meta.dirname, "long-run-child.ts");
/** A process that takes longer hangs. */
const childTimeoutMs = 300_000;

async function runChild({ folder, wiring, taskCount }: LongRunKills, death: Death | undefined) {
	const dataDir = retailDataDir() ?? "";
	const where = death ? [death.when, String(death.commit)] : ["never"];
	const child = spawn(process.execPath, [script, dataDir, folder, wiring, String(taskCount), ...where], {
		stdio: ["ignore", "ignore", "pipe"],
		env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled"), NODE_NO_WARNINGS: "1" },
		timeout: childTimeoutMs,
		killSignal: "SIGTERM",
	});
	const [said, [code, signal]] = await Promise.all([text(child.stderr), once(child, "close")]);
	return { said, code: code as number | null, signal: signal as NodeJS.Signals | null };
}
