import { describe, expect, test } from "vitest";
import { type Lane, Laps, race } from "./race.ts";
import type { Ask, Reply } from "./subject.ts";

const pace = { rounds: 2, slices: 3, warmup: { ms: 5, min: 1 }, slice: { ms: 10, min: 2 } };

function lane(key: string, more: Partial<Lane> = {}): Lane {
	return { key, subject: key, row: "calls", whose: "ours", ...more };
}

/** Subjects that answer at once, and what they were asked, in order. */
function fakes(answer: (subject: string, ask: Ask) => Reply) {
	const asked: string[] = [];
	const notes: string[] = [];
	let opened = 0;
	let closed = 0;
	const open = ({ subject }: Lane) => {
		opened++;
		return {
			async ask(ask: Ask): Promise<Reply> {
				asked.push(`${subject}.${ask.row}${ask.warmup.min > 0 ? " warm" : ""}`);
				return answer(subject, ask);
			},
			async close() {
				closed++;
			},
		};
	};
	const ports = { pace, open, note: (text: string) => void notes.push(text) };
	return { asked, notes, ports, counts: () => ({ opened, closed }) };
}

describe("race", () => {
	test("lanes of a group take turns, and warm up once in each process", async () => {
		const { asked, ports, counts } = fakes(() => ({ numbers: { p50: 1 } }));
		await race([[lane("a"), lane("b")]], { ...ports, pace: { ...pace, rounds: 1 } });
		expect(asked).toEqual(["a.calls warm", "b.calls warm", "a.calls", "b.calls", "a.calls", "b.calls"]);
		expect(counts()).toEqual({ opened: 2, closed: 2 });
	});

	test("each round has fresh processes, one for each subject", async () => {
		const { ports, counts } = fakes(() => ({ numbers: { p50: 1 } }));
		await race([[lane("a"), lane("b", { subject: "a" })], [lane("c")]], ports);
		expect(counts()).toEqual({ opened: 4, closed: 4 });
	});

	test("a peer that fails is left out from then on, and said so once", async () => {
		const peer = lane("b", { whose: "peer" });
		const { asked, notes, ports } = fakes((subject) => {
			return subject === "b" ? { error: "it broke" } : { numbers: { p50: 4 } };
		});
		const laps = await race([[lane("a"), peer]], ports);
		expect(asked.filter((each) => each.startsWith("b")).length).toBe(1);
		expect(notes).toEqual(["b was not measured: it broke"]);
		expect([laps.value("a"), laps.value("b"), laps.ratios("a", "b")]).toEqual([4, undefined, []]);
	});

	test("a failure of ours is a failure, and nothing is left running", async () => {
		const { ports, counts } = fakes(() => ({ missing: true }));
		await expect(race([[lane("a")]], ports)).rejects.toThrow("a: it does not have the row calls");
		expect(counts()).toEqual({ opened: 1, closed: 1 });
	});
});

describe("laps", () => {
	test("a ratio is of slices that lie beside each other, so that a machine that slows down does not change it", () => {
		const laps = new Laps();
		for (const speed of [1, 2, 10, 100, 1_000]) {
			laps.add("ours", { p50: 3 * speed });
			laps.add("theirs", { p50: 6 * speed });
		}
		expect(laps.ratios("ours", "theirs")).toEqual([0.5, 0.5, 0.5, 0.5, 0.5]);
		expect(laps.value("ours")).toBe(30);
	});

	test("a slice that one of the two lacks is left out of the ratio", () => {
		const laps = new Laps();
		laps.add("ours", { p50: 1 });
		laps.add("theirs", undefined);
		laps.add("ours", { p50: 8 });
		laps.add("theirs", { p50: 2 });
		expect(laps.ratios("ours", "theirs")).toEqual([4]);
		expect(laps.ratios("ours", "nobody")).toEqual([]);
	});
});
