import { exitCodes, type Invocation } from "../command.ts";
import { commandLine } from "../command-line.ts";
import type { Played } from "./play.ts";

/** How an act ended, for people as an exit code and for machines as a value. */
export interface ActEnd {
	readonly code: number;
	readonly value: object;
}

/** Undefined: it came to its end. */
export function unfinished(invocation: Invocation, run: string, { ended, processes }: Played): ActEnd | undefined {
	const { terminal } = invocation;
	if (ended === "waits") {
		const next = commandLine(invocation, "resume", run);
		terminal.print("", `The run waits for you. Answer it with the commands above; then: ${next}`);
		return { code: exitCodes.waiting, value: { ok: false, run, waiting: true, processes } };
	}
	if (ended === "completed") return undefined;
	const last = processes.at(-1);
	terminal.print("", `The demo stops: process ${last?.pid} ended with exit code ${last?.exitCode}; see above.`);
	return { code: exitCodes.failed, value: { ok: false, run, processes } };
}
