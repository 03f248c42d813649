import { parseArgs } from "node:util";

export interface Options {
	readonly help: boolean;
	readonly list: boolean;
	readonly json: boolean;
	readonly full: boolean;
	readonly smoke: boolean;
	readonly writeDocs: boolean;
	/** Undefined: those that are installed or can be. */
	readonly peers: boolean | undefined;
	/** Empty: all. */
	readonly only: readonly string[];
}

export const usage = `usage: npm run bench -- [options]

  --list              names, units and targets; measures nothing
  --only <prefix,…>   only rows whose names begin so: overhead,import.ms
  --json              one object a line on standard output: {"name","value","p95","unit","target","op","ok"}
  --full              also what takes more than a minute, and whole sets where a sample is the default
  --peers             the peers must be there: installs them and fails where it cannot
  --no-peers          ours alone
  --smoke             everything tiny, no peers, no verdicts: does each benchmark run?
  --write-docs        measures nothing: makes the last results the published ones, with their table and chart

Exit code: 0, whatever falls short; 1 where a smoke run failed or \`--peers\` cannot be had; 2 for wrong arguments.`;

/** Errors: an Error that says what is wrong with the arguments. */
export function readOptions(args: readonly string[]): Options {
	const { values } = parseArgs({
		args: [...args],
		allowPositionals: false,
		allowNegative: true,
		options: {
			help: { type: "boolean", short: "h", default: false },
			list: { type: "boolean", default: false },
			json: { type: "boolean", default: false },
			full: { type: "boolean", default: false },
			smoke: { type: "boolean", default: false },
			"write-docs": { type: "boolean", default: false },
			peers: { type: "boolean" },
			only: { type: "string", multiple: true, default: [] },
		},
	});
	const { help, list, json, full, smoke, peers } = values;
	const only = values.only.flatMap((text) => text.split(",").map((part) => part.trim())).filter(Boolean);
	return { help, list, json, full, smoke, peers: smoke ? false : peers, only, writeDocs: values["write-docs"] };
}
