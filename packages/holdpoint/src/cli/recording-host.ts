import type { Host } from "./host.ts";
import { runCli } from "./run-cli.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

export interface Recorded {
	readonly code: number;
	readonly out: string;
	readonly err: string;
	/** Every line of standard output, as JSON. */
	readonly json: () => Record<string, unknown>[];
}

/** Runs the command line tool inside a test and keeps what it says. */
export async function recorded(
	argv: readonly string[],
	facts: Partial<Pick<Host, "env" | "cwd">> & { readonly stdin?: string; readonly columns?: number } = {},
): Promise<Recorded> {
	const parts = { out: "", err: "" };
	// As wide as that, without colours and without a line at the bottom.
	const terminal = facts.columns === undefined ? {} : { isTTY: true, columns: facts.columns };
	const host: Host = {
		env: facts.env ?? (facts.columns === undefined ? {} : { TERM: "dumb" }),
		cwd: facts.cwd ?? process.cwd(),
		stdin: { [Symbol.asyncIterator]: () => oncePart(facts.stdin ?? "") },
		stdout: { write: (text) => (parts.out += text), ...terminal },
		stderr: { write: (text) => (parts.err += text) },
		command: "holdpoint",
		entry: "",
	};
	const code = await runCli(argv, host);
	const json = (): Record<string, unknown>[] =>
		parts.out
			.split("\n")
			.filter(Boolean)
			.map((line) => JSON.parse(line) as Record<string, unknown>);
	return { code, ...parts, json };
}

async function* oncePart(text: string): AsyncGenerator<string> {
	yield text;
}

/** A terminal that keeps what its last line said. */
export function recordingTerminal(): { readonly terminal: Terminal; readonly statuses: string[] } {
	const statuses: string[] = [];
	const host: Host = {
		env: {},
		cwd: "",
		stdin: { [Symbol.asyncIterator]: () => oncePart("") },
		stdout: { write: () => true },
		stderr: { write: () => true },
		command: "holdpoint",
		entry: "",
	};
	const plain = createTerminal(host, { isJson: false, isColourless: true });
	return { terminal: { ...plain, status: (text) => void statuses.push(text) }, statuses };
}
