import { describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Leaf } from "../audit/verifier/export-lines.ts";
import type { Budget } from "../spec/budget.ts";
import { HoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Policy } from "../spec/policy.ts";
import { noRun, type Store } from "../spec/store.ts";
import { auditStage, exportOf, leavesIn, pay, signedLog, verifyLines } from "../testing/audit-scene.ts";
import { ofType, type Stage } from "../testing/stage.ts";

/** Allows everything, and has the version that it is given. */
class Versioned implements Policy {
	version: string;
	refused: string | undefined;
	onDecide: () => void = () => undefined;

	constructor(version: string) {
		this.version = version;
	}

	decide() {
		this.onDecide();
		return { verdict: "allow" } as const;
	}
}

const small = { amount: 5, to: "shop" };
const budget: Budget = { name: "calls", per: "principal", window: "day", counts: "calls", max: 100 };

async function laidDown(scene: Stage): Promise<Leaf["event"][]> {
	return leavesIn(await exportOf(scene)).flatMap(({ run, n, event }) =>
		run === noRun && n === undefined ? [event] : [],
	);
}

function staged(version: string, over: { readonly store?: Store; readonly budgets?: readonly Budget[] } = {}) {
	const policy = new Versioned(version);
	const { store = memoryStore(), budgets = [] } = over;
	const scene = auditStage({ store, harness: { policy, budgets } });
	return { policy, scene, store };
}

describe("which policy decides is in the audit log", () => {
	test("once: not for each run, nor for another process that has the same; and again where it is another one", async () => {
		const { scene, store } = staged("p1");
		await Promise.all(["r1", "r2", "r3"].map((run) => pay(scene, run, small)));
		await pay(staged("p1", { store }).scene, "r4", small);
		const other = staged("p2", { store }).scene;
		await pay(other, "r5", small);
		await pay(scene, "r6", small);
		const by = expect.any(String);
		expect(await laidDown(scene)).toEqual([
			{ type: "policy.changed", version: "p1", by },
			{ type: "policy.changed", version: "p2", by },
		]);
		expect(await scene.harness.governance.standing()).toMatchObject({
			policy: { version: "p2", by, at: expect.any(Number) },
		});
		expect((await verifyLines(await exportOf(scene))).findings).toEqual([]);
	});

	test("before the first decision by it, also where it was read anew while a run went on", async () => {
		const { policy, scene } = staged("p1");
		await pay(scene, "r1", small);
		policy.onDecide = () => (policy.version = "p2");
		await pay(scene, "r2", small);
		expect(ofType(await scene.events("r2"), "call.decided")).toMatchObject([{ policy: "p2" }]);
		const leaves = leavesIn(await exportOf(scene));
		const told = leaves.findIndex(({ event }) => event["version"] === "p2");
		expect(told).toBeGreaterThan(0);
		expect(told).toBeLessThan(leaves.findIndex(({ event }) => event["policy"] === "p2"));
		expect((await verifyLines(signedLog(leaves))).findings).toEqual([]);
	});

	test("I4: as the one that decided: one that became another while it took its time is asked again, so often", async () => {
		const asked: string[] = [];
		const versions = ["p1", "p2"];
		const policy: Policy = {
			get version() {
				return versions[0] ?? "";
			},
			decide: async () => {
				const by = versions[0] ?? "";
				asked.push(by);
				await Promise.resolve();
				if (versions.length > 1) versions.shift();
				// What the first one allows the second one denies.
				return by === "p1" ? { verdict: "allow" } : { verdict: "deny", reason: `not by ${by}` };
			},
		};
		const scene = auditStage({ harness: { policy } });
		await pay(scene, "r1", small);
		expect(asked).toEqual(["p1", "p2"]);
		expect(ofType(await scene.events("r1"), "call.decided")).toMatchObject([
			{ verdict: "deny", policy: "p2", reason: "not by p2" },
		]);
		versions.splice(0, 1, "a", "b", "c", "d", "p1", "p1");
		await pay(scene, "r2", small);
		expect(asked.slice(2)).toEqual(["a", "b", "c", "d"]);
		expect(ofType(await scene.events("r2"), "call.decided")).toMatchObject([
			{ verdict: "deny", policy: "d", reason: "The policy changed each time while it decided" },
		]);
	});

	test("and a change of it that could not be used, once, with the version that went on", async () => {
		const { policy, scene, store } = staged("p1");
		await pay(scene, "r1", small);
		policy.refused = "broken";
		await pay(scene, "r2", small);
		await pay(scene, "r3", small);
		const other = staged("p1", { store });
		other.policy.refused = "broken";
		await pay(other.scene, "r4", small);
		const refused = { type: "policy.refused", version: "p1", refused: "broken", by: expect.any(String) };
		expect((await laidDown(scene)).slice(1)).toEqual([refused]);
		expect(await scene.harness.governance.standing()).toMatchObject({ policy: { version: "p1", refused: "broken" } });
	});

	test("one leaf where two processes begin with it at the same moment", async () => {
		const inner = memoryStore();
		const others = [() => pay(staged("p1", { store: inner }).scene, "r2", small)];
		const commit: Store["commit"] = async (run, epoch, writes) => {
			// The other process is faster by one commit.
			if (run === noRun) await others.pop()?.();
			return inner.commit(run, epoch, writes);
		};
		const { scene } = staged("p1", { store: { ...inner, commit } });
		await pay(scene, "r1", small);
		expect(others).toEqual([]);
		expect(await laidDown(scene)).toHaveLength(1);
	});

	test("I1: where it cannot be written, nothing runs; the next run tries again", async () => {
		const inner = memoryStore();
		let isDown = true;
		const commit: Store["commit"] = async (run, epoch, writes) => {
			if (isDown && run === noRun) throw new HoldpointError("store.failed", "the disk is full");
			return inner.commit(run, epoch, writes);
		};
		const { scene } = staged("p1", { store: { ...inner, commit } });
		await expect(pay(scene, "r1", small)).rejects.toMatchObject({ code: "store.failed" });
		expect(await inner.runs({})).toEqual([]);
		isDown = false;
		expect(await pay(scene, "r1", small)).toMatchObject({ status: "completed" });
		expect(await laidDown(scene)).toHaveLength(1);
	});

	test("a version is told, recorded and compared as far as an id may be long", async () => {
		const { scene } = staged("v".repeat(5_000));
		await pay(scene, "r1", small);
		const version = "v".repeat(fixedLimits.idCharsMax);
		expect(await laidDown(scene)).toMatchObject([{ version }]);
		expect((await verifyLines(await exportOf(scene))).findings).toEqual([]);
	});

	test("whoever only looks lays nothing down, and without an audit log nothing is written", async () => {
		const { scene, store } = staged("p1");
		await scene.harness.governance.standing();
		await scene.harness.approvals();
		expect((await store.audit.head()).size).toBe(0);
		const off = auditStage({ harness: { audit: false, policy: new Versioned("p1"), budgets: [budget] } });
		await pay(off, "r1", small);
		expect(await off.harness.governance.standing()).toEqual({ grants: [], switches: [] });
	});
});

describe("which budgets bound it is in the audit log", () => {
	test("whenever their definitions change, and not otherwise", async () => {
		const { scene, store } = staged("p1", { budgets: [budget] });
		await pay(scene, "r1", small);
		await pay(staged("p1", { store, budgets: [{ ...budget }] }).scene, "r2", small);
		const over = { roles: ["10", "9"], counts: { "10": 2, "9": 1 } };
		const asking: Budget = { ...budget, max: 7, tools: ["pay"], over };
		await pay(staged("p1", { store, budgets: [asking] }).scene, "r3", small);
		await pay(staged("p1", { store }).scene, "r4", small);
		const by = expect.any(String);
		const counts = [
			["10", 2],
			["9", 1],
		];
		expect((await laidDown(scene)).slice(1)).toEqual([
			{ type: "budgets.changed", budgets: [{ ...budget, per: ["principal"] }], by },
			{ type: "budgets.changed", budgets: [{ ...asking, per: ["principal"], over: { ...over, counts } }], by },
			{ type: "budgets.changed", budgets: [], by },
		]);
		expect((await verifyLines(await exportOf(scene))).findings).toEqual([]);
	});

	test("a process that died between the two tells of the other one when it begins again", async () => {
		const inner = memoryStore();
		let isDown = true;
		const commit: Store["commit"] = async (run, epoch, writes) => {
			const isOfBudgets = writes.some((write) => write.kind === "audit" && write.body.includes("budgets.changed"));
			if (isDown && isOfBudgets) throw new HoldpointError("store.failed", "killed");
			return inner.commit(run, epoch, writes);
		};
		const store = { ...inner, commit };
		await expect(pay(staged("p1", { store, budgets: [budget] }).scene, "r1", small)).rejects.toThrow("killed");
		isDown = false;
		const { scene } = staged("p1", { store, budgets: [budget] });
		await pay(scene, "r2", small);
		expect((await laidDown(scene)).map(({ type }) => type)).toEqual(["policy.changed", "budgets.changed"]);
	});

	test("I8: definitions without a bound are refused", () => {
		const tools = Array.from({ length: 1_000 }, (_, n) => `tool-${n}-${"x".repeat(100)}`);
		const create = () => auditStage({ harness: { budgets: [{ ...budget, tools }] } });
		expect(create).toThrow(expect.objectContaining({ code: "config.invalid" }));
	});
});

describe("a verifier", () => {
	async function twoPolicies(): Promise<Leaf[]> {
		const { scene, store } = staged("p1");
		await pay(scene, "r1", small);
		await pay(staged("p2", { store }).scene, "r2", small);
		return leavesIn(await exportOf(scene));
	}
	const isOf = (version: string) => (leaf: Leaf) =>
		leaf.event.type === "policy.changed" && leaf.event["version"] === version;

	test("finds a call that was started by a policy that nobody laid down, in a log that its own key signed", async () => {
		const leaves = await twoPolicies();
		expect((await verifyLines(signedLog(leaves))).findings).toEqual([]);
		const wrong = [{ kind: "unapproved_execution", run: "r2", call: "c1", message: expect.stringContaining("p2") }];
		const told = leaves.findIndex(isOf("p2"));
		expect((await verifyLines(signedLog(leaves.toSpliced(told, 1)))).findings).toMatchObject(wrong);
		const late = [...leaves.toSpliced(told, 1), leaves[told] as Leaf];
		expect((await verifyLines(signedLog(late))).findings).toMatchObject(wrong);
	});

	test("judges no decision from before policies were told", async () => {
		const leaves = await twoPolicies();
		const untold = leaves.filter(({ event }) => event.type !== "policy.changed");
		expect((await verifyLines(signedLog(untold))).findings).toEqual([]);
		// A run that began before there was a log is in it behind the first policy.
		const older = leaves
			.filter((leaf) => !isOf("p2")(leaf))
			.map((leaf) => (leaf.run === "r2" ? { ...leaf, at: 1 } : leaf));
		expect((await verifyLines(signedLog(older))).findings).toEqual([]);
	});
});
