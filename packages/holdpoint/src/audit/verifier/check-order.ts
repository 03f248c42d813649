/**
 * Where a leaf is missing, is too many, or is not at its place, as far as the numbers in the leaves and lines tell: the
 * index of each line, and the number of each event in its run. The tree says whether anything is wrong at all; this says
 * what, between two checkpoints.
 */
import type { LeafLine } from "./export-lines.ts";
import type { Finding } from "./findings.ts";

const gapsMax = 1_000;

interface Place {
	readonly line: number;
	readonly index: number;
}

/** Numbers from `start` to before `end` that did not come. */
interface Gap {
	start: number;
	end: number;
}

/** A sequence of numbers that should be 0, 1, 2, … (or any other beginning). */
class Sequence {
	next: number;
	readonly gaps: Gap[] = [];

	constructor(next: number) {
		this.next = next;
	}

	/** What the number is to those before it. */
	take(number: number): "right" | "gap" | "late" | "twice" {
		if (number === this.next) {
			this.next++;
			return "right";
		}
		if (number > this.next) {
			if (this.gaps.length < gapsMax) this.gaps.push({ start: this.next, end: number });
			this.next = number + 1;
			return "gap";
		}
		const gap = this.gaps.find(({ start, end }) => number >= start && number < end);
		if (!gap) return "twice";
		if (number + 1 < gap.end) this.gaps.push({ start: number + 1, end: gap.end });
		gap.end = number;
		return "late";
	}

	get missing(): readonly Gap[] {
		return this.gaps.filter(({ start, end }) => start < end);
	}
}

export class OrderChecks {
	private indexes = new Sequence(0);
	/** Open runs alone: a run that finished is forgotten. */
	private readonly runs = new Map<string, Sequence>();
	/** The next index, if the lines were numbered anew after something was dropped or put in. */
	private shifted: number | undefined;
	/** Lines that could not be read: any event may have stood there. */
	private unread = 0;
	private byIndex: Finding[] = [];
	private byEvent: Finding[] = [];
	/** Runs of which something was seen to be missing. */
	private readonly holed = new Set<string>();

	take({ i, leaf }: LeafLine, line: number): void {
		const place = { line, index: i };
		if (this.shifted !== undefined && i === this.shifted) this.indexes = new Sequence(i);
		this.shifted = undefined;
		const was = this.indexes.take(i);
		if (was === "late")
			this.note(this.byIndex, { kind: "reordered", ...place, message: `Leaf ${i} is not at its place` });
		if (was === "twice")
			this.note(this.byIndex, { kind: "inserted", ...place, message: `Leaf ${i} is there twice, or was put in` });
		if (leaf.n !== undefined) this.takeEvent(leaf.run, leaf.n, place);
		if (leaf.event.type === "run.finished") this.runs.delete(leaf.run);
	}

	/** A line that could not be read stands for a leaf. */
	skip(): void {
		this.indexes.next++;
		this.unread++;
	}

	private takeEvent(run: string, event: number, place: Place): void {
		const known = this.runs.get(run);
		const events = known ?? new Sequence(1);
		if (!known) this.runs.set(run, events);
		const common = { ...place, run, event };
		const was = events.take(event);
		if (was === "gap") this.holed.add(run);
		if (was === "late")
			this.note(this.byEvent, { kind: "reordered", ...common, message: `Event ${event} of run ${run} comes too late` });
		if (was === "twice")
			this.note(this.byEvent, { kind: "inserted", ...common, message: `Event ${event} of run ${run} is there twice` });
	}

	private note(list: Finding[], finding: Finding): void {
		if (list.length < gapsMax) list.push(finding);
	}

	/**
	 * At a checkpoint of so many leaves: what the numbers tell of the leaves since the one before. An index is the better
	 * witness; where somebody numbered the lines anew, the runs' own numbers speak.
	 */
	settle(size: number): readonly Finding[] {
		const { next } = this.indexes;
		if (next < size) this.indexes.gaps.push({ start: this.indexes.next, end: size });
		const gone = this.indexes.missing.map(({ start, end }): Finding => {
			const what = end - start === 1 ? `Leaf ${start} is missing` : `Leaves ${start} to ${end - 1} are missing`;
			return { kind: "dropped", index: start, ...(end - start === 1 ? {} : { until: end }), message: what };
		});
		const found = [...this.byIndex, ...gone];
		const told = found.length > 0 || this.unread > 0 ? found : [...this.byEvent, ...this.goneEvents()];
		this.indexes = new Sequence(size);
		this.shifted = next;
		this.unread = 0;
		this.byIndex = [];
		this.byEvent = [];
		this.holed.clear();
		return told;
	}

	private goneEvents(): Finding[] {
		return [...this.holed].flatMap((run) =>
			(this.runs.get(run)?.missing ?? []).map(({ start, end }): Finding => {
				const what = end - start === 1 ? `Event ${start}` : `Events ${start} to ${end - 1}`;
				return {
					kind: "dropped",
					run,
					event: start,
					message: `${what} of run ${run} ${end - start === 1 ? "is" : "are"} missing`,
				};
			}),
		);
	}

	/** The leaves that were checked are not to be believed: what is known of the runs is forgotten, and each begins anew. */
	forget(): void {
		this.runs.clear();
	}
}
