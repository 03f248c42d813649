import { spawn } from "node:child_process";
import { once } from "node:events";
import { HoldpointError } from "../../spec/errors.ts";
import type { Invocation } from "../command.ts";

/** A process of its own that ran one command of this tool. */
export interface DemoProcess {
	readonly does: "run" | "approve" | "deny" | "tell" | "resume";
	readonly pid: number;
	readonly exitCode: number;
	/** What it said last, where machines read. */
	readonly said?: unknown;
}

/**
 * Starts one command in a process of its own and waits until it is gone. People see its output as it comes; where
 * machines read, it is kept back. `onPid` is told before the first output.
 */
export async function runProcess(
	invocation: Invocation,
	args: readonly [DemoProcess["does"], ...string[]],
	onPid: (pid: number) => void,
): Promise<DemoProcess> {
	const { host, terminal, options } = invocation;
	const flags = [terminal.isJson ? "--json" : "", options["no-color"] ? "--no-color" : ""].filter(Boolean);
	const output = terminal.isJson ? "pipe" : "inherit";
	const child = spawn(process.execPath, [...process.execArgv, host.entry, ...args, ...flags], {
		cwd: host.cwd,
		env: { ...host.env },
		stdio: ["ignore", output, "inherit"],
	});
	const ended = once(child, "close");
	let tail = "";
	child.stdout?.setEncoding("utf8").on("data", (text: string) => {
		tail = (tail + text).slice(-tailCharsMax);
	});
	// Ctrl-C reaches the child as well, and it knows what to do.
	const ignore = (): void => undefined;
	process.on("SIGINT", ignore);
	try {
		if (child.pid !== undefined) onPid(child.pid);
		const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null];
		if (child.pid === undefined || code === null) throw new Error(`it ended by ${signal ?? "itself"}`);
		return { does: args[0], pid: child.pid, exitCode: code, ...(terminal.isJson ? { said: lastOf(tail) } : {}) };
	} catch (error) {
		throw new HoldpointError(
			"store.failed",
			`The process for \`holdpoint ${args[0]}\` failed: ${error instanceof Error ? error.message : String(error)}`,
			{
				cause: error,
				hint: "See its output above.",
			},
		);
	} finally {
		process.off("SIGINT", ignore);
	}
}

const tailCharsMax = 262_144;

function lastOf(lines: string): unknown {
	try {
		return JSON.parse(lines.trim().split("\n").at(-1) ?? "");
	} catch {
		return undefined;
	}
}

/** Is a process of this id still there? */
export function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EPERM";
	}
}
