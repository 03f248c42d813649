import { expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { runSeal } from "../journal/journal.ts";
import { keyRing } from "../kit/seal.ts";
import type { Store, Write } from "../spec/store.ts";
import { onlyWait, stage, stageKeys } from "../testing/stage.ts";
import { call, type Story, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { runAfter } from "./next-run.ts";

const pay = defineTool({ name: "pay", description: "Pays.", input: z.object({}), execute: () => "paid" });

function talk(story: Story, store: Store = memoryStore()) {
	const scene = stage({ story, store, tools: [pay] });
	return { scene, session: scene.harness.session("chat", scene.agent) };
}

const lastPrompt = ({ prompts }: ReturnType<typeof stage>) => JSON.stringify(prompts.at(-1));

/** As stores were written when the index knew a tenant's session by its name alone. */
function olderStore(name: string): Store {
	const store = memoryStore();
	const older = async (run: string, write: Write, mac: string): Promise<Write> => {
		if (write.kind !== "head") return write;
		const { mac: _, seq, ...head } = write.head;
		const seal = runSeal(keyRing(stageKeys), await store.id(), run);
		return { kind: "head", head: seal.head(mac, { ...head, seq, session: name }) };
	};
	return {
		...store,
		commit: async (run, epoch, writes) => {
			const mac = writes.reduce((last, write) => (write.kind === "entry" ? write.mac : last), "");
			return store.commit(run, epoch, await Promise.all(writes.map((write) => older(run, write, mac))));
		},
	};
}

test("what two tenants say in a session of one name are two conversations", async () => {
	const { scene, session } = talk([say("one"), say("two"), say("three"), say("four")]);
	const first = await session.send("the secret of a", { tenant: "a" });
	await session.send("hello", { tenant: "b" });
	expect(lastPrompt(scene)).not.toContain("the secret of a");
	await session.send("hello");
	expect(lastPrompt(scene)).not.toContain("the secret of a");
	await session.send("go on", { tenant: "a" });
	expect(lastPrompt(scene)).toContain("the secret of a");
	expect(lastPrompt(scene)).not.toContain("hello");

	const ofA = await scene.harness.runs({ session: "chat", tenant: "a" });
	expect(ofA.map(({ session: name }) => name)).toEqual(["chat", "chat"]);
	expect(ofA.map(({ run }) => run)).toContain(first.run);
	expect(await scene.harness.runs({ session: "chat" })).toHaveLength(1);
});

test("a message of another tenant, or of none, reaches no run that waits", async () => {
	const { scene, session } = talk(({ lastUser }, n) => (lastUser === "pay it" && n === 0 ? call("pay") : say("done")));
	const held = await session.send("pay it", { tenant: "a" });
	for (const whenWaiting of ["turn", "cancel"] as const) {
		const options = whenWaiting === "turn" ? { tenant: "b", whenWaiting } : { whenWaiting };
		expect((await session.send("hello", options)).status).toBe("completed");
	}
	await scene.harness.approve(onlyWait(held, "approval").approval);
	expect((await session.send("and?", { tenant: "a" })).run).toBe(held.run);
});

test("what came too late for a tenant's run goes into its session's next one", async () => {
	const { scene, session } = talk([say("one"), say("two")]);
	const { run } = await session.send("first", { tenant: "a" });
	await scene.harness.tell(run, "late");
	const next = await session.send("second", { tenant: "a" });
	expect(next.run).not.toBe(run);
	expect(lastPrompt(scene)).toContain("late");
	expect(await scene.harness.runs({ session: "chat", tenant: "a" })).toHaveLength(2);
});

test("a session without a tenant keeps the ids of its runs", async () => {
	const { session } = talk([say("one"), say("two")]);
	const { run } = await session.send("first");
	expect(run).toBe("run_xofh0av39wlhqknp6jsqo9saoa");
	expect((await session.send("second")).run).toBe(runAfter("chat", run));
});

test("a tenant's session in an older store goes on, and is nobody else's", async () => {
	const store = olderStore("chat");
	const old = talk([call("pay"), say("one"), say("two")], store);
	const held = await old.session.send("the secret of a", { tenant: "a" });
	const { scene, session } = talk([say("paid"), say("more"), say("two")], store);
	await expect(session.send("hello")).resolves.toMatchObject({ status: "completed" });
	expect(lastPrompt(scene)).not.toContain("the secret of a");
	await scene.harness.approve(onlyWait(held, "approval").approval);
	expect((await session.send("and?", { tenant: "a" })).run).toBe(held.run);
});
