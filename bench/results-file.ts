/**
 * What was measured, kept. `latest.json` is of this machine and is not committed: each run writes over the rows that it
 * measured and leaves the others. `published.json` is what the documents show.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Machine } from "./machine.ts";
import { type Figure, rounded } from "./report.ts";

export interface Result {
	readonly value: number;
	readonly p95?: number;
	readonly unit: string;
	readonly target: number | null;
	readonly op: string | null;
	/** When it was measured. Shape: `YYYY-MM-DD`. */
	readonly at: string;
	/** What was measured: `bundle <digest>` or `sources <digest>`. */
	readonly of: string;
	readonly load: number;
}

export interface Results {
	readonly machine: Machine;
	/** By the title of the benchmark that made them. */
	readonly notes: { readonly [title: string]: readonly string[] };
	readonly rows: { readonly [name: string]: Result };
}

const folder = join(import.meta.dirname, "results");
export const latestFile: string = join(folder, "latest.json");
export const publishedFile: string = join(folder, "published.json");

export function readResults(file: string): Results | undefined {
	return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : undefined;
}

export function writeResults(file: string, results: Results): void {
	mkdirSync(dirname(file), { recursive: true });
	// In one step: a run that is ended meanwhile leaves the old ones.
	writeFileSync(`${file}.new`, `${JSON.stringify(results, undefined, "\t")}\n`);
	renameSync(`${file}.new`, file);
}

export interface Measured {
	readonly figures: readonly Figure[];
	readonly machine: Machine;
	readonly notes: Results["notes"];
	readonly of: string;
}

/** The earlier results with those of this run over them. */
export function mergeResults(earlier: Results | undefined, { figures, machine, notes, of }: Measured): Results {
	const at = new Date().toISOString().slice(0, 10);
	const rows: Record<string, Result> = { ...earlier?.rows };
	for (const { row, value, p95 } of figures) {
		const { unit, target = null, op = null } = row;
		const tail = p95 === undefined ? {} : { p95: rounded(p95) };
		rows[row.name] = { value: rounded(value), ...tail, unit, target, op, at, of, load: machine.load };
	}
	return { machine, notes: { ...earlier?.notes, ...notes }, rows };
}
