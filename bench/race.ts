/**
 * Measures several things in turns: a slice of A, a slice of B, A again, B again, in processes of their own that live
 * side by side. The machine's speed drifts within seconds, so only slices that lie beside each other can be compared.
 *
 * A group's lanes take turns with each other; groups follow one another; a round does it all again in fresh processes.
 */
import type { Pace } from "./pace.ts";
import { median, type Numbers } from "./statistics.ts";
import type { Ask, Reply } from "./subject.ts";

/** One contestant doing one thing. */
export interface Lane {
	readonly key: string;
	/** A file of `subjects/`, or a peer's. */
	readonly subject: string;
	readonly row: string;
	readonly args?: Numbers;
	/**
	 * A failure of ours is a failure of the benchmark; a peer that fails is left out, and a note says so. A workload
	 * belongs to the sources, so that it runs with them.
	 */
	readonly whose: "ours" | "workload" | "peer";
}

export const defaultPace: Pace = { rounds: 3, slices: 5, warmup: { ms: 500, min: 3 }, slice: { ms: 150, min: 2 } };
export const smokePace: Pace = { rounds: 1, slices: 1, warmup: { ms: 0, min: 0 }, slice: { ms: 0, min: 1 } };

/** What each lane gave, slice after slice. Lanes of one group have slices of the same number side by side. */
export class Laps {
	readonly #laps = new Map<string, (Numbers | undefined)[]>();

	add(key: string, numbers: Numbers | undefined): void {
		const laps = this.#laps.get(key) ?? [];
		laps.push(numbers);
		this.#laps.set(key, laps);
	}

	/** The median over all slices, or undefined where there is none. */
	value(key: string, number = "p50"): number | undefined {
		const values = this.each(key, number);
		return values.length > 0 ? median(values) : undefined;
	}

	/** Of every slice that has it. */
	each(key: string, number = "p50"): readonly number[] {
		return (this.#laps.get(key) ?? []).flatMap((lap) => lap?.[number] ?? []);
	}

	/** One lane's slices divided by those beside them. */
	ratios(key: string, other: string, number = "p50"): readonly number[] {
		const others = this.#laps.get(other) ?? [];
		return (this.#laps.get(key) ?? []).flatMap((lap, at) => {
			const above = lap?.[number];
			const below = others[at]?.[number];
			return above === undefined || below === undefined ? [] : above / below;
		});
	}
}

/** A process that answers (`subject-process.ts`). */
export interface Subject {
	ask(ask: Ask): Promise<Reply>;
	close(): Promise<void>;
}

export interface RacePorts {
	readonly pace: Pace;
	open(lane: Lane): Subject;
	note(text: string): void;
}

export async function race(groups: readonly (readonly Lane[])[], ports: RacePorts): Promise<Laps> {
	const laps = new Laps();
	const out = new Set<string>();
	for (let round = 0; round < ports.pace.rounds; round++) await raceOnce(groups, ports, { laps, out });
	return laps;
}

interface Standing {
	readonly laps: Laps;
	/** Peers that failed. */
	readonly out: Set<string>;
}

async function raceOnce(groups: readonly (readonly Lane[])[], ports: RacePorts, standing: Standing): Promise<void> {
	const processes = new Map<string, Subject>();
	const processOf = (lane: Lane): Subject => {
		const process = processes.get(lane.subject) ?? ports.open(lane);
		processes.set(lane.subject, process);
		return process;
	};
	try {
		for (const { lane, slice } of turnsOf(groups, ports.pace.slices)) {
			const turn = { lane, isFirst: slice === 0, process: processOf(lane) };
			standing.laps.add(lane.key, await takeTurn(turn, ports, standing.out));
		}
	} finally {
		await Promise.all([...processes.values()].map((process) => process.close()));
	}
}

function* turnsOf(
	groups: readonly (readonly Lane[])[],
	slices: number,
): Generator<{ readonly lane: Lane; readonly slice: number }> {
	for (const lanes of groups) {
		for (let slice = 0; slice < slices; slice++) for (const lane of lanes) yield { lane, slice };
	}
}

interface Turn {
	readonly lane: Lane;
	readonly isFirst: boolean;
	readonly process: Subject;
}

async function takeTurn(
	{ lane, isFirst, process }: Turn,
	ports: RacePorts,
	out: Set<string>,
): Promise<Numbers | undefined> {
	if (out.has(lane.key)) return undefined;
	const { slice, warmup } = ports.pace;
	const { row, args = {} } = lane;
	const reply = await process.ask({ row, args, slice, warmup: isFirst ? warmup : { ms: 0, min: 0 } });
	if ("numbers" in reply) return reply.numbers;
	const why = "error" in reply ? reply.error : `it does not have the row ${row}`;
	if (lane.whose !== "peer") throw new Error(`${lane.key}: ${why}`);
	out.add(lane.key);
	ports.note(`${lane.key} was not measured: ${why.slice(0, 500)}`);
	return undefined;
}
