import type { Benchmark, Row } from "../benchmark.ts";
import { numbersOf, ownLane, spreadOf } from "../lanes.ts";

const rehearse: Row = {
	name: "rehearsal.40_refunds.rehearse",
	unit: "ms",
	op: "<=",
	target: 40,
	says: "from the first held call to the list: suspend the program, fork it, simulate its 40 calls",
};
const calls: Row = {
	name: "rehearsal.40_refunds.calls",
	unit: "calls",
	op: ">=",
	target: 40,
	says: "calls on that list",
};
const answer: Row = {
	name: "rehearsal.40_refunds.answer",
	unit: "ms",
	op: "<=",
	target: 5,
	says: "leave the one answer to all of its rows",
};
const finish: Row = {
	name: "rehearsal.40_refunds.finish",
	unit: "ms",
	op: "<=",
	target: 60,
	says: "go on with the program and finish: 40 refunds, each decided again and matched with its row",
};
const whole: Row = {
	name: "rehearsal.40_refunds",
	unit: "ms",
	says: "all of it, from the message to the end",
};
const answers: Row = {
	name: "rehearsal.40_refunds.answers",
	unit: "answers",
	op: "<=",
	target: 1,
	says: "answers of a person",
};
const single: Row = {
	name: "rehearsal.40_interruptions",
	unit: "ms",
	says: "the same program, held 40 times and answered each time",
};
const singleAnswers: Row = {
	name: "rehearsal.40_interruptions.answers",
	unit: "answers",
	says: "answers of a person",
};
const ratio: Row = {
	name: "rehearsal.40_refunds.ratio_interruptions",
	unit: "×",
	op: "<=",
	target: 0.5,
	says: "with one answer, divided by that with forty",
};

/** What it costs to find out first, and what it saves. */
export const rehearsal: readonly Benchmark[] = [
	{
		title: "A program with 40 held refunds (wasm sandbox, store in memory)",
		rows: [whole, rehearse, calls, answer, finish, answers, single, singleAnswers, ratio],
		async run(context) {
			const lanes = [
				ownLane(whole.name, "rehearsals", { row: "rehearsed" }),
				ownLane(single.name, "rehearsals", { row: "interrupted" }),
			];
			const laps = await context.race([lanes], { slices: 3, warmup: { ms: 500, min: 1 }, slice: { ms: 700, min: 2 } });
			return {
				...numbersOf({ whole, rehearse, calls, answer, finish, answers }, laps, whole.name),
				...numbersOf({ whole: single, answers: singleAnswers }, laps, single.name),
				[ratio.name]: spreadOf(ratio, laps.ratios(whole.name, single.name, "whole")),
			};
		},
	},
];
