/** Runs the chosen benchmarks one after the other, prints what they gave as it comes, and keeps it. */
import { allBenchmarks } from "./all-benchmarks.ts";
import { type BenchContext, type Benchmark, type PeerName, peerNames, type Row, type Values } from "./benchmark.ts";
import { bundleState } from "./bundle.ts";
import { openContext } from "./context.ts";
import { machineFacts } from "./machine.ts";
import type { Options } from "./options.ts";
import { preparePeers } from "./peers.ts";
import { type Figure, jsonLine, summary, tableLine } from "./report.ts";
import { latestFile, mergeResults, readResults, writeResults } from "./results-file.ts";

/** A benchmark that is to run, and which of its rows are wanted. */
export interface Chosen {
	readonly benchmark: Benchmark;
	readonly rows: readonly Row[];
}

export function chooseBenchmarks({ only, full, smoke, list }: Options): readonly Chosen[] {
	const isWanted = ({ name }: Row) => only.length === 0 || only.some((prefix) => name.startsWith(prefix));
	return allBenchmarks
		.filter((benchmark) => full || smoke || list || !benchmark.full)
		.map((benchmark) => ({ benchmark, rows: benchmark.rows.filter(isWanted) }))
		.filter(({ rows }) => rows.length > 0);
}

/** Returns the exit code. */
export async function runBenchmarks(options: Options, say: (text: string) => void): Promise<number> {
	const chosen = chooseBenchmarks(options);
	if (chosen.length === 0) say(`nothing begins with ${options.only.join(" or ")}; \`--list\` names all`);
	const { isFresh, digest } = await bundleState();
	const bundle = isFresh ? "bundle" : "sources";
	if (!isFresh) say("note: the bundle is not of today's sources (`npm run build`), so the sources are measured");
	const wanted = peerNames.filter((peer) => chosen.some(({ benchmark }) => benchmark.peers?.includes(peer)));
	const peers = options.peers === false ? [] : preparePeers(wanted, say);
	if (options.peers === true && peers.length < wanted.length) return 1;
	const { smoke, full } = options;
	const { context, close } = openContext({ smoke, full, bundle, peers, note: say });
	const run = new BenchmarkRun({ options, context, of: `${bundle} ${digest}`, say });
	try {
		await run.measureAll(chosen);
	} finally {
		close();
	}
	return run.conclude(chosen.length);
}

interface RunParts {
	readonly options: Options;
	readonly context: BenchContext;
	/** What is measured. */
	readonly of: string;
	say(text: string): void;
}

/** Nothing is timed in a smoke run, so that several benchmarks may run at once. */
const smokeWidth = 3;

class BenchmarkRun {
	readonly #parts: RunParts;
	readonly #figures: Figure[] = [];
	#failed = 0;

	constructor(parts: RunParts) {
		this.#parts = parts;
	}

	async measureAll(chosen: readonly Chosen[]): Promise<void> {
		const { options, of, say } = this.#parts;
		const { cpus, cpu, node, load } = machineFacts();
		say(`${cpus} × ${cpu}, ${node}, load ${load}; measuring the ${of}`);
		const waiting = [...chosen];
		const lane = async (): Promise<void> => {
			for (let next = waiting.shift(); next; next = waiting.shift()) await this.#measure(next);
		};
		await Promise.all(Array.from({ length: options.smoke ? smokeWidth : 1 }, lane));
	}

	/** 0, whatever fell short: the figures say it. */
	conclude(chosen: number): number {
		const { options, say } = this.#parts;
		if (options.smoke) {
			say(`\n${chosen - this.#failed} of ${chosen} benchmarks run`);
			return this.#failed > 0 ? 1 : 0;
		}
		say(`\n${summary(this.#figures)}${this.#failed > 0 ? `; ${this.#failed} benchmarks failed` : ""}`);
		return 0;
	}

	async #measure({ benchmark, rows }: Chosen): Promise<void> {
		const { options, context, say, of } = this.#parts;
		const notes: string[] = [];
		const note = (text: string): void => {
			notes.push(text);
			say(`note: ${text}`);
		};
		const peers = context.peers.filter((peer) => benchmark.peers?.includes(peer));
		if (!options.smoke) say(`\n${benchmark.title}`);
		try {
			const figures = figuresOf(rows, await benchmark.run({ ...context, peers, note }));
			for (const figure of figures) console.log(lineOf(figure, options));
			this.#figures.push(...figures);
			if (options.smoke) return;
			const measured = { figures, machine: machineFacts(), notes: { [benchmark.title]: notes }, of };
			writeResults(latestFile, mergeResults(readResults(latestFile), measured));
		} catch (error) {
			this.#failed++;
			say(`FAILED: ${benchmark.title}: ${error instanceof Error ? error.message : String(error)}`);
		}
	}
}

/** A smoke run judges nothing: its figures are of one repetition. */
function lineOf(figure: Figure, { json, smoke }: Options): string {
	if (json) return jsonLine(figure);
	return smoke ? `${figure.row.name} runs` : tableLine(figure);
}

/** Errors: an Error that names rows which are neither measured nor said to be left out. */
function figuresOf(rows: readonly Row[], values: Values): readonly Figure[] {
	const forgotten = rows.filter(({ name }) => !isOfPeer(name) && !(name in values));
	if (forgotten.length > 0) throw new Error(`no value of ${forgotten.map(({ name }) => name).join(", ")}`);
	return rows.flatMap((row) => {
		const value = values[row.name];
		if (value === undefined) return [];
		return typeof value === "number" ? { row, value } : { row, ...value };
	});
}

function isOfPeer(name: string): boolean {
	return peerNames.some((peer: PeerName) => name.endsWith(`.${peer}`) || name.endsWith(`.ratio_${peer}`));
}
