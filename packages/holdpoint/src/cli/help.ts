import type { CommandSpec, OptionSpec } from "./command.ts";
import { commands } from "./command-list.ts";
import { globalOptions } from "./parse-arguments.ts";
import type { Style } from "./render/style.ts";
import { wrap } from "./render/text-width.ts";
import { twoColumns } from "./render/two-columns.ts";

export interface Page {
	readonly style: Style;
	readonly width: number;
}

export function generalHelp(page: Page): string[] {
	const { width } = page;
	return [
		...titled("holdpoint", "governed tool calls, durable runs, programs that wait for approval in their middle.", page),
		"",
		"Usage: holdpoint <command> [options]",
		"",
		...twoColumns(
			commands.map(({ name, summary }) => [name, summary]),
			width,
		),
		"",
		"Every command takes:",
		...optionTable(globalOptions, width),
		"",
		...wrap("Begin with `holdpoint demo`. `holdpoint <command> --help` says more.", width),
		...wrap("Exit codes: 0 done · 1 failed · 2 wrong usage · 3 the run waits · 130 stopped by Ctrl-C.", width),
	];
}

export function commandHelp(spec: CommandSpec, { style, width }: Page): string[] {
	const positionals = spec.positionals ?? [];
	const options = (spec.options ?? []).filter(({ hidden }) => !hidden);
	const shown = positionals.map(({ name, optional, many }) => {
		const shown = many ? `${name}…` : name;
		return optional ? `[${shown}]` : `<${shown}>`;
	});
	const usage = ["holdpoint", spec.name, ...shown, ...(options.length > 0 ? ["[options]"] : [])].join(" ");
	return [
		...titled(spec.name, `${spec.summary}.`, { style, width }),
		"",
		`Usage: ${usage}`,
		"",
		...twoColumns(
			positionals.map(({ name, about }) => [name, about]),
			width,
		),
		...optionTable([...options, ...globalOptions.filter(({ name }) => spec.refuses?.[name] === undefined)], width),
		...(spec.notes ? ["", ...spec.notes.flatMap((note) => wrap(note, width))] : []),
	];
}

function titled(name: string, text: string, { style, width }: Page): string[] {
	const [first = "", ...rest] = wrap(`${name}: ${text}`, width);
	return [style.bold(name) + first.slice(name.length), ...rest];
}

function optionTable(options: readonly OptionSpec[], width: number): string[] {
	return twoColumns(
		options
			.filter(({ hidden }) => !hidden)
			.map(({ name, value, about }) => [`--${name}${value === undefined ? "" : ` <${value}>`}`, about]),
		width,
	);
}
