/**
 * `npm run bench`: measures, prints, keeps. Owns which benchmarks run and in which order; what each of them measures is
 * in `suites/`, how in `race.ts`.
 */
import { allBenchmarks } from "./all-benchmarks.ts";
import { type BenchContext, type Benchmark, type PeerName, peerNames, type Row } from "./benchmark.ts";
import { bundleState } from "./bundle.ts";
import { openContext } from "./context.ts";
import { machineFacts } from "./machine.ts";
import { type Options, readOptions, usage } from "./options.ts";
import { preparePeers } from "./peers.ts";
import { type Figure, jsonLine, listLine, summary, tableLine } from "./report.ts";
import { latestFile, mergeResults, publishedFile, readResults, writeResults } from "./results-file.ts";
import { writeDocs } from "./write-docs.ts";

const say = (text: string): void => console.error(text);

/** What is to run, and which of its rows are wanted. */
interface Chosen {
	readonly benchmark: Benchmark;
	readonly rows: readonly Row[];
}

function choose({ only, full, smoke }: Options): readonly Chosen[] {
	const isWanted = ({ name }: Row) => only.length === 0 || only.some((prefix) => name.startsWith(prefix));
	return allBenchmarks
		.filter((benchmark) => full || smoke || !benchmark.full)
		.map((benchmark) => ({ benchmark, rows: benchmark.rows.filter(isWanted) }))
		.filter(({ rows }) => rows.length > 0);
}

function peersFor(options: Options, chosen: readonly Chosen[]): readonly PeerName[] {
	if (options.peers === false) return [];
	const asked = new Set(chosen.flatMap(({ benchmark }) => benchmark.peers ?? []));
	return preparePeers(
		peerNames.filter((peer) => asked.has(peer)),
		say,
	);
}

interface Outcome {
	readonly figures: readonly Figure[];
	readonly failed: number;
}

const isOfPeer = (name: string) =>
	peerNames.some((peer) => name.endsWith(`.${peer}`) || name.endsWith(`.ratio_${peer}`));

/** A smoke run judges nothing: its figures are of one repetition. */
function lineOf(figure: Figure, { json, smoke }: Options): string {
	if (json) return jsonLine(figure);
	return smoke ? `${figure.row.name} runs` : tableLine(figure);
}

async function measureAll(chosen: readonly Chosen[], context: BenchContext, options: Options): Promise<Outcome> {
	const figures: Figure[] = [];
	let failed = 0;
	for (const { benchmark, rows } of chosen) {
		say(`\n${benchmark.title}`);
		const peers = context.peers.filter((peer) => benchmark.peers?.includes(peer));
		try {
			const values = await benchmark.run({ ...context, peers });
			const forgotten = rows.filter(({ name }) => !isOfPeer(name) && !(name in values));
			if (forgotten.length > 0) throw new Error(`no value of ${forgotten.map(({ name }) => name).join(", ")}`);
			for (const row of rows) {
				const value = values[row.name];
				if (value === undefined) continue;
				figures.push({ row, value });
				console.log(lineOf({ row, value }, options));
			}
		} catch (error) {
			failed++;
			say(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
		}
	}
	return { figures, failed };
}

async function run(options: Options): Promise<number> {
	const chosen = choose(options);
	if (chosen.length === 0) say(`nothing begins with ${options.only.join(" or ")}; \`--list\` names all`);
	const { isFresh, digest } = await bundleState();
	const bundle = isFresh ? "bundle" : "sources";
	if (!isFresh) say("note: the bundle is not of today's sources (`npm run build`), so the sources are measured");
	const peers = peersFor(options, chosen);
	if (options.peers === true) {
		const absent = peerNames.filter(
			(peer) => !peers.includes(peer) && chosen.some((one) => one.benchmark.peers?.includes(peer)),
		);
		if (absent.length > 0) return 1;
	}
	const machine = machineFacts();
	say(`${machine.cpus} × ${machine.cpu}, ${machine.node}, load ${machine.load}; measuring the ${bundle} ${digest}`);
	const notes: string[] = [];
	const note = (text: string): void => {
		notes.push(text);
		say(`note: ${text}`);
	};
	const { context, close } = openContext({ smoke: options.smoke, full: options.full, bundle, peers, note });
	try {
		const { figures, failed } = await measureAll(chosen, context, options);
		if (options.smoke) {
			say(`\n${chosen.length - failed} of ${chosen.length} benchmarks run`);
			return failed > 0 ? 1 : 0;
		}
		say(`\n${summary(figures)}${failed > 0 ? `; ${failed} benchmarks failed` : ""}`);
		const measured = { figures, machine, notes, of: `${bundle} ${digest}` };
		if (figures.length > 0) writeResults(latestFile, mergeResults(readResults(latestFile), measured));
		return 0;
	} finally {
		close();
	}
}

async function main(): Promise<number> {
	let options: Options;
	try {
		options = readOptions(process.argv.slice(2));
	} catch (error) {
		say(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
		return 2;
	}
	if (options.list) {
		for (const { rows } of choose({ ...options, full: true })) for (const row of rows) console.log(listLine(row));
		return 0;
	}
	if (options.writeDocs) return publish();
	return run(options);
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

process.exitCode = await main();
