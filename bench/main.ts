/**
 * `npm run bench`: reads its arguments and does what they say. What is measured is in `suites/`, how in `race.ts`, who is
 * measured in `subjects/` and `peers/`.
 */
import { allBenchmarks } from "./all-benchmarks.ts";
import { type Options, readOptions, usage } from "./options.ts";
import { listJsonLine, listLine } from "./report.ts";
import { latestFile, publishedFile, readResults, writeResults } from "./results-file.ts";
import { chooseBenchmarks, runBenchmarks } from "./run-benchmarks.ts";
import { writeDocs } from "./write-docs.ts";

/** Beside the figures, which alone go to standard output. */
const say = (text: string): void => console.error(text);

async function main(args: readonly string[]): Promise<number> {
	let options: Options;
	try {
		options = readOptions(args);
	} catch (error) {
		say(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
		return 2;
	}
	if (options.help) return print(usage);
	if (options.list)
		return print(
			chooseBenchmarks(options)
				.flatMap(({ rows }) => rows.map(options.json ? listJsonLine : listLine))
				.join("\n"),
		);
	return options.writeDocs ? publish() : runBenchmarks(options, say);
}

function print(text: string): number {
	console.log(text);
	return 0;
}

function publish(): number {
	const results = readResults(latestFile);
	if (!results) {
		say("nothing was measured yet: run `npm run bench` first");
		return 1;
	}
	writeResults(publishedFile, results);
	for (const file of writeDocs(allBenchmarks, results)) say(`wrote ${file}`);
	return 0;
}

process.exitCode = await main(process.argv.slice(2));
