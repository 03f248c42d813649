import { isHoldpointError } from "../spec/errors.ts";
import { exitCodes } from "./command.ts";
import { proseText } from "./render/safe-text.ts";
import type { Terminal } from "./terminal.ts";

const messageCharsMax = 4_000;

/**
 * What went wrong and what to do, on standard error; as JSON on standard output where that was asked for. Returns the
 * exit code that says the same.
 */
export function reportError(error: unknown, terminal: Terminal, facts: Readonly<Record<string, unknown>> = {}): number {
	const known = isHoldpointError(error) ? error : undefined;
	if (terminal.isJson) {
		const details = { ...known?.details, ...facts };
		const said = known?.toJSON() ?? { code: "internal", message: textOf(error) };
		terminal.data({ error: { ...said, ...(Object.keys(details).length > 0 ? { details } : {}) } });
	} else {
		const { style } = terminal;
		const code = known ? style.dim(` (${known.code})`) : "";
		terminal.note(`${style.red("✗")} ${proseText(known?.message ?? textOf(error), messageCharsMax)}${code}`);
		if (known) terminal.note(`  ${proseText(known.hint, messageCharsMax)}`);
	}
	return known?.code === "usage.invalid" ? exitCodes.usage : exitCodes.failed;
}

/** A failure that is none of ours to expect shows where it came from. */
function textOf(error: unknown): string {
	return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
