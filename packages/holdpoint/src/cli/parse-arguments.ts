import { type ParseArgsConfig, parseArgs } from "node:util";
import { HoldpointError } from "../spec/errors.ts";
import type { CommandSpec, OptionSpec, Options, PositionalSpec } from "./command.ts";
import { inlineText } from "./render/safe-text.ts";

/** Options that every command takes. */
export const globalOptions: readonly OptionSpec[] = [
	{ name: "store", value: "path", about: "database of the runs (HOLDPOINT_STORE; default .holdpoint/holdpoint.db)" },
	{ name: "config", value: "file", about: "agents and policy (HOLDPOINT_CONFIG; default holdpoint.config.ts)" },
	{ name: "json", about: "for machines: JSON on standard output" },
	{ name: "no-color", about: "no colours (NO_COLOR does the same)" },
	{ name: "help", about: "this text" },
];

export interface Parsed {
	readonly positionals: readonly string[];
	readonly options: Options;
}

/** The command's name, and everything else: options that every command takes may stand before it. */
export function splitCommand(argv: readonly string[]): { readonly name: string | undefined; readonly rest: string[] } {
	let at = 0;
	for (let word = argv[at]; word?.startsWith("--"); word = argv[at]) {
		const option = globalOptions.find(
			({ name }) => name !== "help" && (word === `--${name}` || word?.startsWith(`--${name}=`)),
		);
		if (!option) break;
		at += option.value === undefined || word.includes("=") ? 1 : 2;
	}
	const [name, ...rest] = argv.slice(at);
	return { name, rest: [...argv.slice(0, at), ...rest] };
}

/** Errors: `usage.invalid`. */
export function parseArguments(spec: CommandSpec, argv: readonly string[]): Parsed {
	const known = [...(spec.options ?? []), ...globalOptions];
	const { values, positionals } = tokens(spec, known, argv);
	const options = values as Options;
	for (const [name, instead] of Object.entries(spec.refuses ?? {})) {
		if (options[name] !== undefined) throw usageInvalid(`${spec.name} takes no --${name}`, instead);
	}
	if (options["help"] === undefined) checkPositionals(spec, positionals);
	return { positionals, options };
}

function tokens(spec: CommandSpec, known: readonly OptionSpec[], argv: readonly string[]) {
	const options: NonNullable<ParseArgsConfig["options"]> = {};
	for (const { name, value, many } of known) {
		options[name] =
			name === "help"
				? { type: "boolean", short: "h" }
				: { type: value === undefined ? "boolean" : "string", multiple: many ?? false };
	}
	try {
		return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
	} catch (error) {
		throw usageError(spec, known, error as NodeJS.ErrnoException);
	}
}

function usageError(spec: CommandSpec, known: readonly OptionSpec[], error: NodeJS.ErrnoException): HoldpointError {
	const [, option = ""] = /'(?:-\w, )?--([\w-]+)/.exec(error.message) ?? [];
	const hint = `Run \`holdpoint ${spec.name} --help\`.`;
	const about = known.find((one) => one.name === option);
	if (error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
		const near = nearest(
			option,
			known.map((one) => one.name),
		);
		const unknown = inlineText(/'([^']*)'/.exec(error.message)?.[1] ?? option, 60);
		return usageInvalid(`There is no option ${unknown}${near ? `; did you mean --${near}?` : ""}`, hint);
	}
	if (about?.value !== undefined)
		return usageInvalid(`--${about.name} needs a value: --${about.name} <${about.value}>`, hint);
	if (about) return usageInvalid(`--${about.name} takes no value`, hint);
	return usageInvalid(inlineText(error.message, 200), hint);
}

function checkPositionals(spec: CommandSpec, given: readonly string[]): void {
	const wanted: readonly PositionalSpec[] = spec.positionals ?? [];
	const missing = wanted[given.length];
	if (missing && !missing.optional) {
		throw usageInvalid(
			`${spec.name} needs <${missing.name}>: ${missing.about}`,
			`Run \`holdpoint ${spec.name} --help\`.`,
		);
	}
	if (given.length > wanted.length && !wanted.at(-1)?.many) {
		const extra = inlineText(given[wanted.length] ?? "", 60);
		const hint = "Put a text of several words in quotes.";
		throw usageInvalid(`${spec.name} does not know what to do with ${JSON.stringify(extra)}`, hint);
	}
}

export function usageInvalid(message: string, hint?: string): HoldpointError {
	return new HoldpointError("usage.invalid", message, hint === undefined ? {} : { hint });
}

/** The known name that was probably meant. */
export function nearest(given: string, names: readonly string[]): string | undefined {
	const ranked = names
		.map((name) => ({
			name,
			distance: name.startsWith(given) && given !== "" ? 1 : editDistance(given, name),
			longer: Math.abs(name.length - given.length),
		}))
		.sort((a, b) => a.distance - b.distance || a.longer - b.longer);
	const [best] = ranked;
	return best && best.distance <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : undefined;
}

/** Two letters that changed places are one mistake. */
function editDistance(a: string, b: string): number {
	let row = Array.from({ length: b.length + 1 }, (_, at) => at);
	let before: number[] = [];
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) {
			const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
			const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
			const swap = isSwap ? (before[j - 2] ?? 0) + 1 : change;
			next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
		}
		before = row;
		row = next;
	}
	return row[b.length] ?? 0;
}
