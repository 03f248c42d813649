import { join } from "node:path";
import type { Benchmark, Row } from "../benchmark.ts";
import { root } from "../bundle.ts";
import { median } from "../statistics.ts";

const times = 15;
const start: Row = {
	name: "cli.start",
	unit: "ms",
	op: "<=",
	target: 150,
	says: "`holdpoint --version`, from its start to its end",
};
const help: Row = { name: "cli.help", unit: "ms", says: "`holdpoint --help`" };
const node: Row = { name: "cli.bare_node", unit: "ms", says: "the reference: a Node that does nothing" };

export const cli: readonly Benchmark[] = [
	{
		title: "Command line",
		rows: [start, help, node],
		async run(context) {
			const isBuilt = context.bundle === "bundle";
			if (!isBuilt) context.note("cli: measured from its sources");
			const file = join(root, isBuilt ? "packages/holdpoint/dist/cli.js" : "packages/holdpoint/src/cli/main.ts");
			const commands = [
				{ row: start, args: [file, "--version"] },
				{ row: help, args: [file, "--help"] },
				{ row: node, args: ["--eval", "0"] },
			];
			const samples = commands.map((): number[] => []);
			for (let i = 0; i < context.count(times); i++) {
				for (const [at, { args }] of commands.entries()) samples[at]?.push((await context.node(args)).ms);
			}
			return Object.fromEntries(commands.map(({ row }, at) => [row.name, median(samples[at] ?? [])]));
		},
	},
];
