import { join } from "node:path";
import type { PeerName, Row, Spread, Unit, Values } from "./benchmark.ts";
import { peerFile } from "./peers.ts";
import type { Lane, Laps } from "./race.ts";
import { median, type Numbers, quantile } from "./statistics.ts";

/** What is asked of a subject. */
export interface Asked {
	readonly row: string;
	readonly args?: Numbers;
}

/** A lane of a file of `subjects/`. */
export function ownLane(key: string, subject: string, asked: Asked): Lane {
	return { ...asked, key, subject: join(import.meta.dirname, "subjects", `${subject}.ts`), whose: "ours" };
}

/** The same for a file that works with `workloads/`. */
export function workloadLane(key: string, subject: string, asked: Asked): Lane {
	return { ...ownLane(key, subject, asked), whose: "workload" };
}

/** The same for a peer's file. */
export function peerLane(key: string, peer: PeerName, asked: Asked): Lane {
	return { ...asked, key, subject: peerFile(peer), whose: "peer" };
}

/** Our lane of a row, under the row's name, and that of each peer, under `<name>.<peer>`. */
export function lanesOf(row: Row, asked: Asked, { subject, peers = [] }: Contestants): readonly Lane[] {
	const others = peers.map((peer) => peerLane(`${row.name}.${peer}`, peer, asked));
	return [ownLane(row.name, subject, asked), ...others];
}

export interface Contestants {
	readonly subject: string;
	readonly peers?: readonly PeerName[];
}

/** Subjects count in milliseconds and bytes. */
const perUnit: { readonly [unit in Unit]?: number } = { µs: 1_000, MB: 1e-6 };

/** The value of each row from the lane of its name; a row named `<name>.ratio_<peer>` is the ratio of two lanes. */
export function valuesOf(rows: readonly Row[], laps: Laps, number = "p50"): Values {
	const entries = rows.map((row) => {
		const [, above = "", peer] = /^(.*)\.ratio_([\w-]+)$/.exec(row.name) ?? [];
		if (peer !== undefined) return [row.name, spreadOf(row, laps.ratios(above, `${above}.${peer}`, number))] as const;
		const own = number === "p50" ? laps.value(row.name, "p95") : undefined;
		return [row.name, spreadOf(row, laps.each(row.name, number), own)] as const;
	});
	return Object.fromEntries(entries);
}

/** The values of rows that are all numbers of one lane. */
export function numbersOf(rows: { readonly [number: string]: Row }, laps: Laps, key: string): Values {
	const entries = Object.entries(rows).map(
		([number, row]) => [row.name, spreadOf(row, laps.each(key, number))] as const,
	);
	return Object.fromEntries(entries);
}

/** What slices gave, in the row's unit. `p95` is that of the repetitions in them, where they have it; else of the slices. */
export function spreadOf(row: Row, slices: readonly number[], p95?: number): Spread | undefined {
	if (slices.length === 0) return undefined;
	const scale = perUnit[row.unit] ?? 1;
	const value = median(slices) * scale;
	if (p95 !== undefined) return { value, p95: p95 * scale };
	// Of a rate the low end is the bad one.
	return slices.length === 1 ? { value } : { value, p95: quantile(slices, row.op === ">=" ? 0.05 : 0.95) * scale };
}
