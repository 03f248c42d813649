import { describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import { keyRing } from "../kit/seal.ts";
import type { Grant, StandingEvent } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Store } from "../spec/store.ts";
import { gate, stageKeys } from "../testing/stage.ts";
import { StandingDocument } from "./standing.ts";

const off: StandingEvent = { type: "switch.thrown", of: "all", name: "all", reason: "stop", by: "ann", at: 1 };

async function twoProcesses(around: (store: Store) => Store = (store) => store) {
	const inner = memoryStore();
	const place = { storeId: await inner.id(), ring: keyRing(stageKeys), now: () => 1_000 };
	const theirs = new StandingDocument({ ...place, store: inner });
	const mine = new StandingDocument({ ...place, store: around(inner) });
	await mine.refresh();
	mine.hear(0);
	await mine.refresh();
	return { mine, theirs };
}

describe("a kill switch that another process threw", () => {
	test("is waited for by every run that heard of it, also while another one reads it", async () => {
		const reading = gate();
		let isSlow = false;
		const { mine, theirs } = await twoProcesses((store) => ({
			...store,
			document: async (name, known) => {
				if (isSlow) await reading.promise;
				return store.document(name, known);
			},
		}));
		await theirs.change(off);
		mine.hear(1);
		isSlow = true;
		const first = mine.refreshIfStale();
		const second = mine.refreshIfStale();
		reading.resolve();
		expect((await second)?.switches).toHaveLength(1);
		expect((await first)?.switches).toHaveLength(1);
		expect(mine.refreshIfStale()).toBeUndefined();
	});

	test("is read anew where reading it failed", async () => {
		let fails = false;
		const { mine, theirs } = await twoProcesses((store) => ({
			...store,
			document: (name, known) => (fails ? Promise.reject(new Error("locked")) : store.document(name, known)),
		}));
		await theirs.change(off);
		mine.hear(1);
		fails = true;
		await expect(mine.refreshIfStale()).rejects.toThrow("locked");
		fails = false;
		mine.hear(1);
		expect((await mine.refreshIfStale())?.switches).toHaveLength(1);
	});

	test("and that came while it was read is read once more", async () => {
		const reading = gate();
		let isSlow = false;
		const { mine, theirs } = await twoProcesses((store) => ({
			...store,
			document: async (name, known) => {
				const found = await store.document(name, known);
				if (isSlow) await reading.promise;
				return found;
			},
		}));
		mine.hear(1);
		isSlow = true;
		const first = mine.refreshIfStale();
		await theirs.change(off);
		mine.hear(2);
		reading.resolve();
		expect((await first)?.switches).toEqual([]);
		expect((await mine.refreshIfStale())?.switches).toHaveLength(1);
	});
});

describe("I8: so many grants, and so many kill switches", () => {
	test("no number of grants keeps anybody from switching off, revoking, or switching on again", async () => {
		const { mine } = await twoProcesses();
		const given = (n: number): StandingEvent => ({
			type: "grant.given",
			grant: { id: `g${n}`, expiresAt: 2_000 } as Grant,
		});
		for (let n = 1; n <= fixedLimits.standingMax; n++) {
			expect(mine.isFull).toBe(false);
			await mine.change(given(n));
		}
		expect(mine.isFull).toBe(true);
		await expect(mine.change(given(fixedLimits.standingMax + 1))).rejects.toMatchObject({ code: "grant.invalid" });
		expect((await mine.change(off)).switches).toHaveLength(1);
		await mine.change({ type: "grant.revoked", grant: "g1", by: "ann", at: 1 });
		expect((await mine.change({ type: "switch.released", of: "all", name: "all", by: "ann", at: 2 })).switches).toEqual(
			[],
		);
	});

	test("the last kill switch is taken, and not one more", async () => {
		const { mine } = await twoProcesses();
		const tool = (n: number): StandingEvent => ({ ...off, of: "tool", name: `t${n}` });
		for (let n = 1; n <= fixedLimits.standingMax; n++) await mine.change(tool(n));
		await expect(mine.change(tool(0))).rejects.toMatchObject({ code: "grant.invalid" });
		expect((await mine.change(tool(1))).switches).toHaveLength(fixedLimits.standingMax);
	});
});
