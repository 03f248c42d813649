import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import type { Json } from "../spec/json.ts";
import { auditSigner, exportOf, verifyLines } from "../testing/audit-scene.ts";
import { ann, bob, closeShops, held, type Refund, seen, shop } from "../testing/rehearsal-scene.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { ofType, onlyWait } from "../testing/stage.ts";

afterEach(closeShops);

describe("a row whose call is held", () => {
	/** `o2` is made only after the rehearsal that foresees it, and again where `o1` says something else than it simulates. */
	const twiceOtherwise = `const a = await tools.refund({ order: "o1", cents: 100 });
		await tools.refund({ order: "o2", cents: 200 });
		if (a.refunded !== 100) await tools.refund({ order: "o2", cents: 200 });
		return 1;`;

	test.each([
		["as it is", undefined],
		["with other arguments", { order: "o9", cents: 200 }],
	])(
		"I5: a row is worth one call, also one that was held before its row was answered, approved %s",
		async (_, args) => {
			const play = shop({ source: twiceOtherwise });
			const { run, approval } = await held(play);
			await play.scene.harness.approve(approval.approval, { by: bob });
			const done: unknown[] = [];
			const execute = (refunded: unknown) => {
				done.push(refunded);
				return { refunded: 99 };
			};
			const tools = play.scene.agent.tools.map((tool) => (tool.name === "refund" ? { ...tool, execute } : tool));
			const other = play.scene.again({ agent: { tools }, harness: { sandbox: sandboxUnderTest() } });
			onTestFinished(() => other.harness.close());
			await other.harness.resume(run);
			const [now] = await other.harness.approvals();
			if (!now) throw new Error("nothing is held");
			expect(now.rehearsal?.rows).toMatchObject([{ isSpent: true }, { isHeld: true, isSpent: false }]);
			const edit = args ? { args } : {};
			await other.harness.approve(now.approval, { by: bob, ...seen(now), ...edit, rows: "all" });
			const wait = onlyWait(await other.harness.resume(run), "approval");
			expect(wait).toMatchObject({ args: { order: "o2", cents: 200 } });
			expect(done).toEqual([{ order: "o1", cents: 100 }, args ?? { order: "o2", cents: 200 }]);
		},
	);

	/** `o2` and `o3` are foreseen before they are made, and held at once. */
	const twoAtOnce = `await tools.refund({ order: "o1", cents: 100 });
		await Promise.all([2, 3].map((n) => tools.refund({ order: "o" + n, cents: 200 })));
		return 1;`;

	test("a batch that was foreseen before it was made, and is held at once, is answered at once", async () => {
		const play = shop({ source: twoAtOnce });
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob });
		await play.scene.harness.resume(run);
		const [now] = await play.scene.harness.approvals();
		if (!now) throw new Error("nothing is held");
		expect(now.rehearsal?.totals).toEqual([{ tool: "refund", count: 2, sums: { cents: 400 } }]);
		await play.scene.harness.approve(now.approval, { by: bob, ...seen(now), rows: "all" });
		expect(await play.scene.harness.resume(run)).toMatchObject({ status: "completed" });
	});

	/** Bob answers `o3` alone; ten hours later Ann answers every row; fifteen hours later Bob's answer is too old. */
	async function answeredTwice(edit: { readonly args?: Json } = {}) {
		const play = shop({ source: twoAtOnce, harness: { audit: { key: auditSigner.secretText } } });
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob });
		await play.scene.harness.resume(run);
		const list = await play.scene.harness.approvals();
		const [o2, o3] = ["o2", "o3"].map((order) => list.find(({ args }) => (args as unknown as Refund).order === order));
		if (!o2 || !o3) throw new Error("they are not held");
		await play.scene.harness.approve(o3.approval, { by: bob, ...edit });
		play.scene.clock.advance(10 * 3_600_000);
		await play.scene.harness.approve(o2.approval, { by: ann, ...seen(o2), rows: "all" });
		play.scene.clock.advance(15 * 3_600_000);
		return { ...play, result: await play.scene.harness.resume(run) };
	}

	test("a held call whose own answer grew old rests on that to its row, and its start says so", async () => {
		const { scene, result } = await answeredTwice();
		expect(result).toMatchObject({ status: "completed" });
		const starts = ofType(await scene.events(result.run), "call.started").map(({ row }) => row);
		expect(starts).toEqual([undefined, undefined, undefined, 2]);
		expect(await verifyLines(await exportOf(scene))).toMatchObject({ ok: true, executions: 4 });
	});

	test("a held call that was edited does not: its row has the arguments of before", async () => {
		const { done, result } = await answeredTwice({ args: { order: "o9", cents: 900 } });
		expect(result).toMatchObject({ status: "waiting" });
		expect(done).toEqual(["refund o1 100", "refund o2 200"]);
	});
});
