import type { CommandSpec, OptionSpec } from "./command.ts";
import { commands } from "./command-list.ts";
import { globalOptions } from "./parse-arguments.ts";
import type { Style } from "./render/style.ts";
import { padEnd } from "./render/text-width.ts";

export function generalHelp(style: Style): string[] {
	return [
		`${style.bold("holdpoint")}: governed tool calls, durable runs, programs that wait for approval in their middle.`,
		"",
		"Usage: holdpoint <command> [options]",
		"",
		...table(commands.map(({ name, summary }) => [name, summary])),
		"",
		"Every command takes:",
		...optionTable(globalOptions),
		"",
		"Begin with `holdpoint demo`. `holdpoint <command> --help` says more.",
		"Exit codes: 0 done · 1 failed · 2 wrong usage · 3 the run waits.",
	];
}

export function commandHelp(spec: CommandSpec, style: Style): string[] {
	const positionals = spec.positionals ?? [];
	const options = (spec.options ?? []).filter(({ hidden }) => !hidden);
	const shown = positionals.map(({ name, optional }) => (optional ? `[${name}]` : `<${name}>`));
	const usage = ["holdpoint", spec.name, ...shown, ...(options.length > 0 ? ["[options]"] : [])].join(" ");
	return [
		`${style.bold(spec.name)}: ${spec.summary}.`,
		"",
		`Usage: ${usage}`,
		"",
		...table(positionals.map(({ name, about }) => [name, about])),
		...optionTable(options),
		...optionTable(globalOptions.filter(({ name }) => spec.refuses?.[name] === undefined)),
		...(spec.notes ? ["", ...spec.notes] : []),
	];
}

function optionTable(options: readonly OptionSpec[]): string[] {
	return table(
		options
			.filter(({ hidden }) => !hidden)
			.map(({ name, value, about }) => [`--${name}${value === undefined ? "" : ` <${value}>`}`, about]),
	);
}

function table(rows: readonly (readonly [string, string])[]): string[] {
	return rows.map(([left, right]) => `  ${padEnd(left, 24)} ${right}`);
}
