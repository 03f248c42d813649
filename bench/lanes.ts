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

/** A file of `subjects/`. */
export function subjectFile(name: string): string {
	return join(import.meta.dirname, "subjects", `${name}.ts`);
}

/** Our lane of a row, under the row's name, and that of each peer, under `<name>.<peer>`. */
export function lanesOf(row: Row, asked: Asked, whose: { readonly subject: string; readonly peers?: readonly PeerName[] }): Lane[] {
	const own = { ...asked, key: row.name, subject: subjectFile(whose.subject), isOurs: true };
	const others = (whose.peers ?? []).map((peer) => {
		return { ...asked, key: `${row.name}.${peer}`, subject: peerFile(peer), isOurs: false };
	});
	return [own, ...others];
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
