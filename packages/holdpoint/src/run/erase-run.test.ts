import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sqliteStore } from "../adapters/stores/sqlite.ts";
import { callDigest } from "../approvals/approvals.ts";
import type { LeafLine } from "../audit/verifier/export-lines.ts";
import { payloadDigest } from "../audit/verifier/payload-digest.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { auditStage, exportOf, pay, payApproved, verifyLines } from "../testing/audit-scene.ts";
import { stage } from "../testing/stage.ts";
import { say } from "../testing/story.ts";

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
