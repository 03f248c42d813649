import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import { sqliteStore } from "../adapters/stores/sqlite.ts";
import { callDigest } from "../approvals/approvals.ts";
import type { LeafLine } from "../audit/verifier/export-lines.ts";
import { payloadDigest } from "../audit/verifier/payload-digest.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Store } from "../spec/store.ts";
import { runAttribute, type Span } from "../spec/trace.ts";
import { auditStage, exportOf, leavesIn, pay, payApproved, signedLog, verifyLines } from "../testing/audit-scene.ts";
import { onlyWait, stage } from "../testing/stage.ts";
import { say } from "../testing/story.ts";
import { webhookReceiver, webhookSecret } from "../testing/webhook-receiver.ts";

const secret = "Jane Q. Public, 12 Elm Street";

describe("an erased run", () => {
	async function erased() {
		const scene = auditStage();
		await payApproved(scene, "r1", { by: ["ann"], amount: 42, to: secret });
		await payApproved(scene, "r2", { by: ["ann"], amount: 43 });
		const since = await scene.harness.audit.checkpoint();
		const before = await exportOf(scene, { payloads: true });
		await scene.harness.audit.erase({ run: "r1", by: "dpo" });
		return { scene, since, before };
	}

	test("leaves its leaves and their proof, and that it was erased is a leaf too", async () => {
		const { scene, since, before } = await erased();
		const after = await exportOf(scene, { payloads: true });
		const report = await verifyLines(after, { since });
		expect(report).toMatchObject({ ok: true, executions: 2 });
		const leaves = (lines: readonly string[]) =>
			lines.filter((line) => line.startsWith('{"type":"leaf"')).map((line) => JSON.parse(line) as LeafLine);
		expect(
			leaves(after)
				.slice(0, -1)
				.map(({ leaf }) => leaf),
		).toEqual(leaves(before).map(({ leaf }) => leaf));
		expect(leaves(after).at(-1)?.leaf).toMatchObject({ run: "r1", event: { type: "run.erased", by: "dpo" } });
		expect(leaves(after).filter(({ leaf, salt }) => leaf.run === "r1" && salt !== undefined)).toEqual([]);
		expect(leaves(after).filter(({ leaf, salt }) => leaf.run === "r2" && salt !== undefined)).not.toEqual([]);
		expect(after.join("\n").includes(secret)).toBe(false);
	});

	test("cannot be guessed from what is left: not by its payloads, its call digests, or its approvals", async () => {
		const { scene, before } = await erased();
		const left = JSON.stringify([await exportOf(scene, { payloads: true }), await scene.store.load("r1")]);
		// Somebody who guesses every word of it, and knows the store.
		const guesses = before
			.map((line) => JSON.parse(line) as LeafLine)
			.filter(({ leaf, payload }) => leaf?.run === "r1" && payload !== undefined)
			.map(({ payload }) => JSON.stringify(payload));
		const version = (await scene.harness.show("r2")).state.tools.get("pay") ?? "";
		const args = canonicalJson({ amount: 42, to: secret });
		const bound = callDigest({ run: "r1", call: "c1", tool: "pay", version, args });
		const [approval = ""] = /apr_\w+/.exec(before.find((line) => line.includes("apr_")) ?? "") ?? [];
		expect(guesses.length).toBeGreaterThan(5);
		expect(approval).not.toBe("");
		const traces = [
			bound,
			approval,
			digest(args),
			...guesses.flatMap((guess) => [guess, digest(guess), payloadDigest("", guess)]),
		];
		expect(traces.filter((trace) => left.includes(trace))).toEqual([]);
	});

	test("is shown, resumed and answered no more, and its row says that it is over", async () => {
		const { scene } = await erased();
		const { harness, store } = scene;
		for (const ask of [
			harness.show("r1"),
			harness.resume("r1"),
			harness.tell("r1", "hi"),
			harness.audit.erase({ run: "r1" }),
		]) {
			await expect(ask).rejects.toMatchObject({ code: "run.erased" });
		}
		await expect(pay(scene, "r1", { amount: 5, to: "shop" })).rejects.toMatchObject({ code: "run.erased" });
		expect(await store.load("r1")).toMatchObject({ entries: [], signals: [], head: { seq: 0, status: "completed" } });
		expect((await harness.runs()).find(({ run }) => run === "r1")).toMatchObject({
			status: "completed",
			lease: undefined,
		});
		expect(await harness.readyRuns()).toEqual([]);
	});

	test("cannot be made to look so by whoever drops its rows", async () => {
		const { scene } = await erased();
		const r1 = await scene.store.load("r1");
		const r2 = await scene.store.load("r2");
		const forged = { ...scene.store, load: async () => r2 && { ...r2, entries: [], head: { ...r2.head, seq: 0 } } };
		await expect(scene.again({ store: forged }).harness.show("r2")).rejects.toMatchObject({ code: "journal.tampered" });
		const swapped = { ...scene.store, load: async () => r1 && { ...r1, run: "r2" } };
		await expect(scene.again({ store: swapped }).harness.show("r2")).rejects.toMatchObject({
			code: "journal.tampered",
		});
	});
});

describe("what was granted with an erased run", () => {
	async function granted(store?: Store) {
		const scene = auditStage(store ? { store } : {});
		const args = { amount: 42, to: secret };
		const { approval } = onlyWait(await pay(scene, "r1", args), "approval");
		await scene.harness.approve(approval, { by: { id: "ann", via: "test" }, always: { scope: "principal" } });
		await scene.harness.resume("r1");
		expect(await pay(scene, "r2", args)).toMatchObject({ status: "completed" });
		const [grant] = (await scene.harness.governance.standing()).grants;
		return { scene, args, grant: grant?.id ?? "" };
	}
	const standingText = async (store: Store) => JSON.stringify(await store.document("standing"));

	test("ends with it and is gone, and the log says so; what was granted elsewhere stays", async () => {
		const { scene, args, grant } = await granted();
		const other = onlyWait(await pay(scene, "r3", { amount: 43, to: "shop" }), "approval");
		await scene.harness.approve(other.approval, { by: { id: "ann", via: "test" }, always: { scope: "principal" } });
		await scene.harness.resume("r3");
		expect(await standingText(scene.store)).toContain(secret);
		await scene.harness.audit.erase({ run: "r1", by: "dpo" });
		expect(await standingText(scene.store)).not.toContain(secret);
		expect((await scene.harness.governance.standing()).grants).toMatchObject([{ approval: other.approval }]);
		expect(await pay(scene, "r4", args)).toMatchObject({ status: "waiting" });
		const lines = await exportOf(scene);
		const leaves = leavesIn(lines);
		const ended = { type: "grant.erased", grant, by: "dpo" };
		expect(leaves.filter(({ event }) => event.type === "grant.erased")).toMatchObject([{ event: ended }]);
		expect((await verifyLines(lines)).findings).toEqual([]);

		const late = leaves.filter(({ run }) => run === "r2").map((leaf) => ({ ...leaf, run: "r9" }));
		expect((await verifyLines(signedLog([...leaves, ...late]))).findings).toMatchObject([
			{ kind: "unapproved_execution", run: "r9" },
		]);
	});

	test("goes first: a process that dies then leaves a run that is erased the next time", async () => {
		const inner = memoryStore();
		let isDown = false;
		const commit: Store["commit"] = async (run, epoch, writes) => {
			if (isDown && writes.some(({ kind }) => kind === "erase")) throw new HoldpointError("store.failed", "killed");
			return inner.commit(run, epoch, writes);
		};
		const { scene } = await granted({ ...inner, commit });
		isDown = true;
		await expect(scene.harness.audit.erase({ run: "r1" })).rejects.toThrow("killed");
		expect((await scene.harness.show("r1")).events).not.toEqual([]);
		expect(await standingText(inner)).not.toContain(secret);
		isDown = false;
		await scene.harness.audit.erase({ run: "r1" });
		await expect(scene.harness.show("r1")).rejects.toMatchObject({ code: "run.erased" });
	});
});

describe("webhooks", () => {
	const events = ["approval.requested", "run.finished"] as const;

	test("are told of other runs though one was erased, and what was pending of that is told nobody", async () => {
		await using there = await webhookReceiver();
		there.answer = (response) => response.writeHead(500).end();
		const webhooks = [{ url: there.url, secret: webhookSecret, payload: "arguments", events } as const];
		const scene = auditStage({ harness: { webhooks } });
		await payApproved(scene, "r1", { by: ["ann"], amount: 42, to: secret });
		expect(await scene.harness.webhooks.deliver()).toMatchObject({ pending: 2 });
		await scene.harness.audit.erase({ run: "r1" });
		there.answer = (response) => response.writeHead(204).end();
		const before = there.received.length;
		await pay(scene, "r2", { amount: 5, to: "shop" });
		scene.clock.advance(3_600_000);
		await scene.harness.webhooks.deliver();
		expect(await scene.harness.webhooks.status()).toMatchObject([{ pending: [], failed: [] }]);
		expect(there.received.slice(before).map(({ data }) => data.run)).toEqual(["r2"]);
		await scene.harness.close();
	});
});

describe("traces of an erased run", () => {
	/** Keeps the ids of runs; cannot forget while it is down. */
	function tracesOf() {
		const kept = new Set<string>();
		const state = { isDown: false, closed: 0 };
		return {
			state,
			kept,
			exporter: {
				ended: ({ attributes }: Span) => void kept.add(String(attributes[runAttribute])),
				forget: (run: string) => {
					if (state.isDown) throw new Error("locked");
					kept.delete(run);
				},
				close: async () => void state.closed++,
			},
		};
	}

	test("go before it does: where they cannot, nothing is erased, and others are told all the same", async () => {
		const [first, second] = [tracesOf(), tracesOf()];
		const tracing = { exporters: [first.exporter, second.exporter] };
		const scene = auditStage({ harness: { tracing } });
		await payApproved(scene, "r1", { by: ["ann"], amount: 42, to: secret });
		first.state.isDown = true;
		await expect(scene.harness.audit.erase({ run: "r1" })).rejects.toMatchObject({ code: "store.failed" });
		expect((await scene.harness.show("r1")).events).not.toEqual([]);
		expect([...second.kept]).not.toContain("r1");
		first.state.isDown = false;
		await scene.harness.audit.erase({ run: "r1" });
		expect([...first.kept]).not.toContain("r1");
		await scene.harness.close();
	});

	test("that came late go when it is erased once more", async () => {
		const late = tracesOf();
		const scene = auditStage({ harness: { tracing: { exporters: [late.exporter] } } });
		await payApproved(scene, "r1", { by: ["ann"], amount: 42, to: secret });
		await scene.harness.audit.erase({ run: "r1" });
		late.kept.add("r1");
		await expect(scene.harness.audit.erase({ run: "r1" })).rejects.toMatchObject({ code: "run.erased" });
		expect([...late.kept]).not.toContain("r1");
		await scene.harness.close();
	});

	test("go from an exporter that threw before, which is closed, too", async () => {
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		const once = tracesOf();
		const { ended } = once.exporter;
		const exporter = {
			...once.exporter,
			ended: (span: Span) => {
				ended(span);
				if (span.parentSpanId === undefined) throw new Error("no more");
			},
		};
		const scene = auditStage({ harness: { tracing: { exporters: [exporter] } } });
		await payApproved(scene, "r1", { by: ["ann"], amount: 42, to: secret });
		await scene.harness.audit.erase({ run: "r1" });
		expect(warned).toHaveBeenCalledTimes(1);
		warned.mockRestore();
		expect([...once.kept]).not.toContain("r1");
		await scene.harness.close();
		expect(once.state.closed).toBe(1);
	});
});

test("a run that is not over is not erased", async () => {
	const scene = auditStage();
	await pay(scene, "r1", { amount: 50, to: "shop" });
	await expect(scene.harness.audit.erase({ run: "r1" })).rejects.toMatchObject({ code: "run.open" });
	await expect(scene.harness.audit.erase({ run: "none" })).rejects.toMatchObject({ code: "run.unknown" });
	expect(await scene.harness.resume("r1")).toMatchObject({ status: "waiting" });
});

test("a session goes on after a run of it was erased, without what was said until then", async () => {
	const scene = stage({ story: [say("one"), say("two"), say("three")] });
	const session = scene.harness.session("s1", scene.agent);
	const first = await session.send("first words");
	await session.send("second words");
	await scene.harness.audit.erase({ run: first.run });
	expect(await session.send("third words")).toMatchObject({ status: "completed" });
	const seen = JSON.stringify(scene.prompts.at(-1));
	expect(seen).not.toContain("first words");
	expect(seen).toContain("second words");
});

describe("the bytes of an erased run", () => {
	let folder: string;
	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "holdpoint-erase-"));
	});
	afterEach(() => rmSync(folder, { recursive: true, force: true }));

	const bytesBelow = () =>
		readdirSync(folder)
			.map((name) => readFileSync(join(folder, name), "latin1"))
			.join("\n");

	test("are not there of what was granted with it, though that was changed since", async () => {
		const scene = auditStage({ store: sqliteStore(join(folder, "runs.db")) });
		const to = `${secret}${"x".repeat(20_000)}`;
		const { approval } = onlyWait(await pay(scene, "r1", { amount: 42, to }), "approval");
		await scene.harness.approve(approval, { by: { id: "ann", via: "test" }, always: { scope: "principal" } });
		await scene.harness.resume("r1");
		await scene.harness.governance.switchOff({ of: "tool", name: "other", reason: "kept words" });
		const [grant] = (await scene.harness.governance.standing()).grants;
		await scene.harness.governance.revoke(grant?.id ?? "");
		await scene.harness.audit.erase({ run: "r1" });
		await scene.harness.close();
		const left = bytesBelow();
		expect(left.includes(secret)).toBe(false);
		expect(left.includes("x".repeat(100))).toBe(false);
		expect(left.includes("kept words")).toBe(true);
	});

	test("are not in the database's files any more once it was closed", async () => {
		const scene = auditStage({ store: sqliteStore(join(folder, "runs.db")) });
		await payApproved(scene, "r1", { by: ["ann"], amount: 42, to: `${secret}${"x".repeat(20_000)}` });
		await payApproved(scene, "r2", { by: ["ann"], amount: 43, to: "kept words" });
		const salts = (await scene.store.audit.leaves({ run: "r1" })).flatMap(({ salt }) => salt ?? []);
		expect(salts.length).toBeGreaterThan(5);
		expect(bytesBelow().includes(secret)).toBe(true);
		await scene.harness.audit.erase({ run: "r1" });
		await scene.harness.close();
		const left = bytesBelow();
		expect(left.includes(secret)).toBe(false);
		expect(salts.filter((salt) => left.includes(salt))).toEqual([]);
		expect(left.includes("kept words")).toBe(true);
	});
});
