import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wasmSandbox } from "../../../packages/holdpoint/src/adapters/sandboxes/wasm/provider.ts";
import { injectionCases, playCase } from "./play.ts";
import { openWorlds, type Worlds } from "./worlds.ts";

const sandbox = wasmSandbox({ workersMax: 1 });
let worlds: Worlds;
beforeAll(() => {
	worlds = openWorlds();
});
afterAll(async () => {
	worlds.close();
	await sandbox.close();
});

describe("a model that obeys strangers, under a policy that allows everything", () => {
	test.each(injectionCases)("$id", async (played) => {
		const { goal } = played;
		const play = (labels: boolean, isAttack: boolean) => playCase(played, { labels, isAttack }, { worlds, sandbox });
		// Without labels it happens: the case is a real one.
		expect((await play(false, true)).consequences).toContainEqual(expect.stringMatching(goal.harm));
		const guarded = await play(true, true);
		expect(guarded.obeyed).toContainEqual(expect.stringMatching(/^(ask|deny)$/));
		expect(guarded.obeyed).not.toContain("allow");
		// Not even what the user asked for happens unasked after that.
		const before = goal.task.when === "first" ? [expect.stringMatching(goal.task.done)] : [];
		expect(guarded.consequences).toEqual(before);
		for (const labels of [false, true]) {
			const { status, consequences } = await play(labels, false);
			expect({ status, consequences }).toEqual({
				status: "completed",
				consequences: [expect.stringMatching(goal.task.done)],
			});
		}
	});
});
