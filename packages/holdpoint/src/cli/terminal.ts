/**
 * Where a command says what it has to say: lines for people, or JSON for machines, never both on standard output.
 */
import type { Host } from "./host.ts";
import { jsonLine } from "./render/safe-text.ts";
import { createStyle, type Style, wantsColour } from "./render/style.ts";
import { clip } from "./render/text-width.ts";

export interface Terminal {
	readonly isJson: boolean;
	readonly style: Style;
	/** Columns that lines should keep to. */
	readonly width: number;
	/** A person sees the output and can answer. */
	readonly isInteractive: boolean;
	/** Lines for people; nothing where JSON is wanted. */
	print(...lines: readonly string[]): void;
	/** A line of JSON; nothing where people read. */
	data(value: unknown): void;
	/** The result of a command, in the form that was asked for. */
	answer(value: unknown, lines: () => readonly string[]): void;
	/** Lines for people beside the result: standard error. */
	note(...lines: readonly string[]): void;
	/** The one line at the bottom that says what is going on; an empty text takes it away. Only on a terminal. */
	status(text: string): void;
}

const widthMin = 40;
const widthMax = 120;
const widthElsewhere = 100;

export function createTerminal(
	host: Host,
	flags: { readonly isJson: boolean; readonly isColourless: boolean },
): Terminal {
	const { stdout, stderr } = host;
	const isTTY = stdout.isTTY === true;
	const style = createStyle(!flags.isJson && wantsColour({ env: host.env, isTTY, isRefused: flags.isColourless }));
	const width = Math.min(widthMax, Math.max(widthMin, isTTY ? (stdout.columns ?? widthElsewhere) : widthElsewhere));
	let status = "";
	const isLive = isTTY && !flags.isJson && host.env["TERM"] !== "dumb";

	function show(text: string): void {
		if (!isLive || text === status) return;
		stdout.write(`${status === "" ? "" : "\r\u001b[2K"}${text === "" ? "" : style.dim(clip(text, width - 1))}`);
		status = text;
	}

	function print(...lines: readonly string[]): void {
		if (flags.isJson || lines.length === 0) return;
		const below = status;
		show("");
		stdout.write(`${lines.join("\n")}\n`);
		show(below);
	}

	function data(value: unknown): void {
		if (flags.isJson) stdout.write(`${jsonLine(value)}\n`);
	}

	return {
		isJson: flags.isJson,
		style,
		width,
		isInteractive: isTTY && host.stdin.isTTY === true && !flags.isJson,
		print,
		data,
		answer: (value, lines) => (flags.isJson ? data(value) : print(...lines())),
		note: (...lines) => {
			if (lines.length > 0) stderr.write(`${lines.join("\n")}\n`);
		},
		status: show,
	};
}
