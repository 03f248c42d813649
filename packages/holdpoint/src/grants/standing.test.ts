import { describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import { keyRing } from "../kit/seal.ts";
import type { Grant, StandingEvent } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Store, Write } from "../spec/store.ts";
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

describe("a change that changes nothing", () => {
	async function audited() {
		const store = memoryStore();
		const leaves: StandingEvent[] = [];
		const audit = {
			standingLeaf: (event: StandingEvent): Write => {
				leaves.push(event);
				return { kind: "audit", body: JSON.stringify(event) };
			},
			wrote: () => undefined,
		};
		let now = 1_000;
		const place = { storeId: await store.id(), ring: keyRing(stageKeys), now: () => now, audit, store };
		return { standing: new StandingDocument(place), leaves, later: (ms: number) => (now += ms) };
	}
	const given: StandingEvent = { type: "grant.given", grant: { id: "g1", expiresAt: 2_000 } as Grant };
	const by = { by: "ann", at: 1 };

	test.each<StandingEvent>([
		{ type: "switch.released", of: "tool", name: "none", ...by },
		{ type: "grant.revoked", grant: "none", ...by },
		{ type: "grant.erased", grant: "none", ...by },
		{ type: "policy.changed", version: "p1", ...by },
		{ type: "policy.refused", version: "p1", refused: "broken", ...by },
		{ type: "budgets.changed", budgets: [], ...by },
	])("leaves no leaf, whatever else has ended meanwhile: $type", async (event) => {
		const { standing, leaves, later } = await audited();
		await standing.change({ type: "policy.changed", version: "p1", ...by });
		await standing.change({ type: "policy.refused", version: "p1", refused: "broken", ...by });
		await standing.change(given);
		later(fixedLimits.standingGraceMs + 1_000);
		await standing.change(event);
		expect(leaves.map(({ type }) => type)).toEqual(["policy.changed", "policy.refused", "grant.given"]);
	});

	test("a grant is revoked once, by whoever was first", async () => {
		const { standing, leaves } = await audited();
		await standing.change(given);
		for (const who of ["ann", "bob"]) await standing.change({ type: "grant.revoked", grant: "g1", by: who, at: 1 });
		expect(leaves.map(({ type }) => type)).toEqual(["grant.given", "grant.revoked"]);
		expect(standing.standing.grants).toMatchObject([{ revoked: { by: "ann" } }]);
	});
});
