import { join } from "node:path";
import type { PeerName, Row, Unit, Values } from "./benchmark.ts";
import { peerFile } from "./peers.ts";
import type { Lane, Laps } from "./race.ts";
import type { Numbers } from "./statistics.ts";

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

/** Our lane of a row, under the row's name, and that of each peer, under `<name>.<peer>`. */
export function lanesOf(row: Row, asked: Asked, { subject, peers = [] }: Contestants): readonly Lane[] {
	const others = peers.map((peer): Lane => {
		return { ...asked, key: `${row.name}.${peer}`, subject: peerFile(peer), whose: "peer" };
	});
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
	const values: Record<string, number | undefined> = {};
	for (const { name, unit } of rows) {
		const [, above = "", peer] = /^(.*)\.ratio_([\w-]+)$/.exec(name) ?? [];
		const value = laps.value(name, number);
		if (peer !== undefined) values[name] = laps.ratio(above, `${above}.${peer}`, number);
		else values[name] = value === undefined ? undefined : value * (perUnit[unit] ?? 1);
	}
	return values;
}

/** The values of rows that are all numbers of one lane. */
export function numbersOf(rows: { readonly [number: string]: Row }, laps: Laps, key: string): Values {
	const entries = Object.entries(rows).map(([number, row]) => {
		const value = laps.value(key, number);
		return [row.name, value === undefined ? undefined : value * (perUnit[row.unit] ?? 1)];
	});
	return Object.fromEntries(entries) as Values;
}
