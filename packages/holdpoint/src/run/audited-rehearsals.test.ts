import { afterEach, describe, expect, test } from "vitest";
import type { Leaf } from "../audit/verifier/export-lines.ts";
import { auditSigner, exportOf, leavesIn, signedLog, verifyLines } from "../testing/audit-scene.ts";
import { bob, closeShops, held, seen, shop } from "../testing/rehearsal-scene.ts";

afterEach(closeShops);

const three = `for (const n of [1, 2, 3]) await tools.refund({ order: "o" + n, cents: n * 100 });
	return 1;`;

/** The leaves of a program whose three refunds were approved with the first one. */
async function rehearsedLeaves({ inOrder }: { readonly inOrder?: true } = {}): Promise<Leaf[]> {
	const play = shop({ source: three, harness: { audit: { key: auditSigner.secretText } } });
	const { run, approval } = await held(play);
	const order = inOrder ? { inOrder } : {};
	await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), ...order, rows: "all" });
	expect(await play.scene.harness.resume(run)).toMatchObject({ status: "completed" });
	return leavesIn(await exportOf(play.scene));
}

type Change = (leaves: readonly Leaf[]) => Leaf[];

const findingsOf = async (leaves: readonly Leaf[]) => (await verifyLines(signedLog(leaves))).findings;

/** Changes what is said of one call in one type of event. */
const said =
	(type: string, call: string, facts: object): Change =>
	(leaves) =>
		leaves.map((leaf) =>
			leaf.event.type === type && leaf.event["call"] === call ? { ...leaf, event: { ...leaf.event, ...facts } } : leaf,
		);

describe("an execution that rests on the row of a rehearsal", () => {
	test("is right where the row is that call", async () => {
		const leaves = await rehearsedLeaves();
		const decisions = leaves.filter(({ event }) => event.type === "call.decided" && event["tool"] === "refund");
		expect(decisions.map(({ event }) => [event["call"], event["content"]])).toEqual([
			["c1.1", undefined],
			["c1.1", 1],
			["c1.2", 2],
			["c1.3", 3],
		]);
		expect(await findingsOf(leaves)).toEqual([]);
		expect(await findingsOf(await rehearsedLeaves({ inOrder: true }))).toEqual([]);
	});

	test.each<[string, string, Change]>([
		["is another call", "c1.2", said("call.decided", "c1.2", { content: 3 })],
		["is another call", "c1.3", said("call.decided", "c1.3", { content: 0 })],
		[
			"was not the next one",
			"c1.2",
			(leaves) => said("call.started", "c1.2", { row: 2 })(said("call.decided", "c1.2", { content: 3 })(leaves)),
		],
		["is not there, or was spent by another call", "c1.3", said("call.started", "c1.3", { row: 1 })],
	])("is found where the row %s", async (why, call, change) => {
		const leaves = change(await rehearsedLeaves({ inOrder: true }));
		const found = await findingsOf(leaves);
		expect(found).toContainEqual(
			expect.objectContaining({ kind: "unapproved_execution", call, message: expect.stringContaining(why) }),
		);
	});

	test("is found where the row was that of a call before it, which was held and answered alone", async () => {
		const taken = said("call.decided", "c1.2", { content: 3, verdict: "allow" });
		const unnamed = said("call.started", "c1.2", { row: undefined });
		expect(await findingsOf(unnamed(taken(await rehearsedLeaves())))).toMatchObject([
			{ call: "c1.3", message: expect.stringContaining("was spent by another call") },
		]);
	});

	test("is judged less where the log is of before decisions said which call they are about", async () => {
		const old = (await rehearsedLeaves({ inOrder: true })).map((leaf): Leaf => {
			const { content: _, ...event } = leaf.event;
			return { ...leaf, event };
		});
		expect(await findingsOf(old)).toEqual([]);
	});
});
