import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Store } from "../spec/store.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { gate, ofType, onlyWait, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { call, calls, type Story, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { mainThread } from "./run-state.ts";

const by = { id: "ann", via: "test" };
const scenes: Stage[] = [];

/** Whatever a test does, no provider may ever see an illegal prompt. */
afterEach(() => {
	expect(scenes.splice(0).flatMap((scene) => scene.prompts.flatMap(promptProblems))).toEqual([]);
});

function talk(story: Story, options: Partial<StageOptions> = {}) {
	const paid: number[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int() }),
		execute: ({ amount }) => {
			paid.push(amount);
			return `paid ${amount}`;
		},
	});
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({}),
		effect: "read",
		execute: () => "seen",
	});
	const scene = stage({ story, tools: [pay, look], ...options });
	scenes.push(scene);
	return { scene, session: scene.harness.session("chat", scene.agent), paid };
}

/** The last prompt as the model read it: role and text of each message. */
function lastPrompt(scene: Stage): string[] {
	return (scene.prompts.at(-1) ?? []).slice(1).flatMap((message) => {
		if (message.role === "system") return [];
		return message.content.map((part) => {
			if (part.type === "text") return `${message.role}: ${part.text}`;
			if (part.type === "tool-call") return `call: ${part.toolName}`;
			if (part.type === "tool-result" && "value" in part.output)
				return `result: ${JSON.stringify(part.output.value).slice(0, 60)}`;
			return part.type;
		});
	});
}

describe("a session", () => {
	test("is a chain of runs: the model sees what was said before", async () => {
		const { scene, session } = talk([say("one"), call("look"), say("two"), say("three")]);
		for (const text of ["first", "second", "third"]) await session.send(text);
		expect(lastPrompt(scene)).toEqual([
			"user: first",
			"assistant: one",
			"user: second",
			"call: look",
			'result: "seen"',
			"assistant: two",
			"user: third",
		]);
		expect(await scene.harness.runs({ session: "chat" })).toHaveLength(3);
	});

	test("goes on in another process", async () => {
		const { scene, session } = talk([say("one"), say("two")]);
		await session.send("first");
		const other = scene.again();
		await other.harness.session("chat", other.agent).send("second");
		expect(lastPrompt(other)).toEqual(["user: first", "assistant: one", "user: second"]);
	});

	test("two sessions know nothing of each other", async () => {
		const { scene, session } = talk([say("one")]);
		await session.send("mine");
		await scene.harness.session("other", scene.agent).send("yours");
		expect(lastPrompt(scene)).toEqual(["user: yours"]);
	});

	test("call ids are unique in a conversation, also when the model numbers the calls of each run anew", async () => {
		const { scene, session } = talk([
			call("look", {}, { id: "call_0" }),
			say("one"),
			call("look", {}, { id: "call_0" }),
			say("two"),
		]);
		await session.send("first");
		await session.send("second");
		expect(lastPrompt(scene).filter((line) => line.startsWith("result"))).toHaveLength(2);
	});
});

test.each(["", "a\nb", "a\0b", "\ud800", "x".repeat(201), undefined, 5])("%j is no id of a session", (id) => {
	const { scene } = talk([say("one")]);
	expect(() => scene.harness.session(id as string, scene.agent)).toThrow("is no session id");
});

test("a session's id may be any text that people use", async () => {
	const { scene } = talk([say("one")]);
	expect(await scene.harness.session("Größe: 1/2 (ж) 🙂", scene.agent).send("hi")).toMatchObject({
		status: "completed",
	});
});

describe("a message to a session whose run waits", () => {
	const story = [call("pay", { amount: 5 }), say("it is pending"), say("it is paid")];

	test("`turn`: it is answered now, the held call reads as pending, and its result comes as a note", async () => {
		const { scene, session, paid } = talk(story);
		await session.send("pay 5");
		const second = await session.send("how far are you?");
		const wait = onlyWait(second, "approval");
		expect(second.text).toBe("it is pending");
		expect(lastPrompt(scene)).toEqual([
			"user: pay 5",
			"call: pay",
			expect.stringContaining("Pending: not executed yet"),
			"user: how far are you?",
		]);
		await scene.harness.approve(wait.approval, { by });
		expect(await scene.harness.resume(second.run)).toMatchObject({ status: "completed", text: "it is paid" });
		expect(paid).toEqual([5]);
		expect(lastPrompt(scene).at(-1)).toMatch(/^user: \[Result of the pending call pay \(.*\): "paid 5"\]$/);
	});

	test("`turn`: a denial comes as a note too", async () => {
		const { scene, session, paid } = talk(story);
		await session.send("pay 5");
		const second = await session.send("how far are you?");
		await scene.harness.deny(onlyWait(second, "approval").approval, { by, reason: "no" });
		await scene.harness.resume(second.run);
		expect(lastPrompt(scene).at(-1)).toContain("Denied by ann, not executed: no");
		expect(paid).toEqual([]);
	});

	test("`queue`: it is read after the held call", async () => {
		const { scene, session, paid } = talk([call("pay", { amount: 5 }), say("both done")]);
		const first = await session.send("pay 5");
		const second = await session.send("and then?", { whenWaiting: "queue" });
		const wait = onlyWait(second, "approval");
		expect(scene.prompts).toHaveLength(1);
		await scene.harness.approve(wait.approval, { by });
		expect(await scene.harness.resume(first.run)).toMatchObject({ status: "completed" });
		expect(lastPrompt(scene)).toEqual(["user: pay 5", "call: pay", 'result: "paid 5"', "user: and then?"]);
		expect(paid).toEqual([5]);
	});

	test("`queue`: also when the call reads as pending already; it is read after its result", async () => {
		const { scene, session } = talk([call("pay", { amount: 5 }), say("it is pending"), say("all done")]);
		await session.send("pay 5");
		const waiting = await session.send("how far are you?");
		expect(await session.send("and then?", { whenWaiting: "queue" })).toMatchObject({ text: "it is pending" });
		expect(scene.prompts).toHaveLength(2);
		await scene.harness.approve(onlyWait(waiting, "approval").approval, { by });
		expect(await scene.harness.resume(waiting.run)).toMatchObject({ status: "completed", text: "all done" });
		expect(lastPrompt(scene).slice(-2)).toEqual([expect.stringContaining('"paid 5"'), "user: and then?"]);
	});

	test("`queue`: what was queued for a run that was cancelled is still in the conversation", async () => {
		const { scene, session } = talk([call("pay", { amount: 5 }), say("as you like")]);
		await session.send("pay 5");
		await session.send("and then?", { whenWaiting: "queue" });
		await session.send("forget it", { whenWaiting: "cancel" });
		expect(lastPrompt(scene).slice(-2)).toEqual(["user: and then?", "user: forget it"]);
	});

	test("`cancel`: the waiting run ends, nothing of it runs, and a new one answers", async () => {
		const { scene, session, paid } = talk([call("pay", { amount: 5 }), say("as you like")]);
		const first = await session.send("pay 5");
		const second = await session.send("forget it", { whenWaiting: "cancel" });
		expect(second).toMatchObject({ status: "completed", text: "as you like" });
		expect(second.run).not.toBe(first.run);
		expect(lastPrompt(scene)).toEqual([
			"user: pay 5",
			"call: pay",
			expect.stringContaining("Cancelled, not executed"),
			"user: forget it",
		]);
		expect(await scene.harness.approvals()).toEqual([]);
		await expect(scene.harness.approve(onlyWait(first, "approval").approval, { by })).rejects.toMatchObject({
			code: "approval.unknown",
		});
		expect(paid).toEqual([]);
	});

	test("several messages and several held calls: every result comes once, in an order that providers take", async () => {
		const { scene, session, paid } = talk([
			calls([1, 2].map((amount) => ({ tool: "pay", args: { amount } }))),
			say("two are pending"),
			say("still pending"),
			call("look"),
			say("one is paid"),
			say("all is paid"),
		]);
		await session.send("pay both");
		await session.send("and?");
		const waiting = await session.send("and now?");
		const [first, second] = waiting.status === "waiting" ? waiting.waits : [];
		if (first?.kind !== "approval" || second?.kind !== "approval") throw new Error("two are held");
		await scene.harness.approve(second.approval, { by });
		expect(await scene.harness.resume(waiting.run)).toMatchObject({ status: "waiting", text: "one is paid" });
		await scene.harness.approve(first.approval, { by });
		expect(await scene.harness.resume(waiting.run)).toMatchObject({ status: "completed", text: "all is paid" });
		expect(paid).toEqual([2, 1]);
		const notes = lastPrompt(scene).filter((line) => line.includes("Result of the pending call"));
		expect(notes.map((line) => /"paid \d"/.exec(line)?.[0])).toEqual(['"paid 2"', '"paid 1"']);
	});

	test("a note that comes in the middle of a turn waits for the turn's results", async () => {
		const begun = gate<void>();
		const seen = gate<void>();
		const slow = defineTool({
			name: "slow",
			description: "Looks slowly.",
			input: z.object({}),
			effect: "read",
			execute: async () => {
				begun.resolve();
				await seen.promise;
				return "seen";
			},
		});
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: z.object({ amount: z.int() }),
			execute: () => "paid",
		});
		const story = [call("pay", { amount: 5 }), call("slow"), say("done")];
		const { scene, session } = talk(story, { tools: [pay, slow] });
		const first = await session.send("pay 5");
		const wait = onlyWait(first, "approval");
		const paidBy = gate<void>();
		const running = session.send("look meanwhile", {
			onEvent: (event) => event.type === "call.finished" && event.call === "c1" && paidBy.resolve(),
		});
		await begun.promise;
		await scene.harness.approve(wait.approval, { by });
		await paidBy.promise;
		seen.resolve();
		expect(await running).toMatchObject({ status: "completed" });
		expect(lastPrompt(scene).slice(-2)).toEqual(['result: "seen"', expect.stringContaining('"paid"')]);
	});
});

describe("what comes while the model is answering", () => {
	/** The model's answer of this number waits for the test. */
	function slowModel(slowAnswer: number) {
		const asked = gate<void>();
		const answer = gate<void>();
		let answers = 0;
		const around: NonNullable<StageOptions["around"]> = (model) => ({
			...model,
			async doGenerate(options) {
				if (++answers === slowAnswer) {
					asked.resolve();
					await answer.promise;
				}
				return model.doGenerate(options);
			},
		});
		return { around, asked, answer };
	}

	test("a message to a run in its very first answer reaches it", async () => {
		const slow = slowModel(1);
		const { scene } = talk([say("first answer"), say("second answer")], { around: slow.around });
		const running = scene.harness.run(scene.agent, "hello", { runId: "r" });
		await slow.asked.promise;
		await scene.harness.tell("r", "one more");
		slow.answer.resolve();
		expect(await running).toMatchObject({ status: "completed", text: "second answer" });
	});

	test.each(["turn", "queue"] as const)("messages with mode `%s` are not lost, and each is read once", async (mode) => {
		const slow = slowModel(2);
		const { scene } = talk([call("look"), say("first answer"), say("second answer")], { around: slow.around });
		const running = scene.harness.run(scene.agent, "hello", { runId: "r" });
		await slow.asked.promise;
		for (const text of ["one more", "and another"]) await scene.harness.tell("r", text, mode);
		await new Promise((resolve) => setImmediate(resolve));
		slow.answer.resolve();
		expect(await running).toMatchObject({ status: "completed", text: "second answer" });
		expect(lastPrompt(scene).slice(-3)).toEqual(["assistant: first answer", "user: one more", "user: and another"]);
		const events = await scene.events("r");
		expect(ofType(events, "message.received")).toHaveLength(2);
		expect(ofType(events, "signal.ignored")).toEqual([]);
		expect((await scene.harness.show("r")).unread).toBe(0);
	});

	test("the result of a pending call is not lost: the model is asked again", async () => {
		const slow = slowModel(2);
		const { scene, session, paid } = talk([call("pay", { amount: 5 }), say("it is pending"), say("it is paid")], {
			around: slow.around,
		});
		const first = await session.send("pay 5");
		const wait = onlyWait(first, "approval");
		const finished = gate<void>();
		const running = session.send("how far?", {
			onEvent: (event) => event.type === "call.finished" && finished.resolve(),
		});
		await slow.asked.promise;
		await scene.harness.approve(wait.approval, { by });
		await finished.promise;
		slow.answer.resolve();
		expect(await running).toMatchObject({ status: "completed", text: "it is paid" });
		expect(lastPrompt(scene).slice(-2)).toEqual(["assistant: it is pending", expect.stringContaining('"paid 5"')]);
		expect(paid).toEqual([5]);
	});

	test("if the answer has calls, what came meanwhile is read after their results", async () => {
		const slow = slowModel(2);
		const { scene } = talk([call("look"), call("look"), say("done")], { around: slow.around });
		const running = scene.harness.run(scene.agent, "hello", { runId: "r" });
		await slow.asked.promise;
		await scene.harness.tell("r", "one more", "queue");
		await new Promise((resolve) => setImmediate(resolve));
		slow.answer.resolve();
		expect(await running).toMatchObject({ status: "completed" });
		expect(lastPrompt(scene).slice(-3)).toEqual(["call: look", 'result: "seen"', "user: one more"]);
	});
});

describe("a message to a run that is over", () => {
	test("is refused where nobody would read it", async () => {
		const { scene } = talk([say("one")]);
		const { run } = await scene.harness.run(scene.agent, "hello");
		await expect(scene.harness.tell(run, "too late")).rejects.toMatchObject({ code: "run.over", details: { run } });
		expect(await scene.harness.readyRuns()).toEqual([]);
	});

	test("cancelling a run of a session that is over starts none and returns that one", async () => {
		const { scene } = talk([say("one"), say("two")]);
		const session = scene.harness.session("chat", scene.agent);
		const { run } = await session.send("hello");
		await scene.harness.tell(run, "too late for this one");
		expect(await scene.harness.cancel(run)).toMatchObject({ run, status: "completed", text: "one" });
		expect(scene.prompts).toHaveLength(1);
		expect(await session.send("and this")).toMatchObject({ status: "completed", text: "two" });
		expect(lastPrompt(scene).join()).toContain("too late for this one");
	});
});

test("I8: a run takes no more unread messages than the harness's signalsMax; answers and cancellations still reach it", async () => {
	const { scene } = talk([call("pay", { amount: 5 })], { harness: { limits: { signalsMax: 2 } } });
	const { run } = await scene.harness.run(scene.agent, "pay it");
	for (const text of ["one", "two"]) await scene.harness.tell(run, text);
	await expect(scene.harness.tell(run, "three")).rejects.toMatchObject({ details: { max: 2 } });
	expect(await scene.harness.cancel(run)).toMatchObject({ status: "cancelled" });
});

describe("a long session", () => {
	const textsOf = async (sessionRunsMax: number, sends: number) => {
		const { scene, session } = talk(({ lastUser }) => say(`to ${lastUser}`), {
			harness: { limits: { sessionRunsMax } },
		});
		for (let at = 0; at < sends; at++) {
			expect(await session.send(`m${at}`)).toMatchObject({ status: "completed" });
			scene.clock.advance(1);
		}
		return { scene, last: lastPrompt(scene) };
	};

	test("I8: goes on for ever; the model sees the last sessionRunsMax runs, not one more and not one less", async () => {
		const { last } = await textsOf(2, 5);
		expect(last).toEqual(["user: m2", "assistant: to m2", "user: m3", "assistant: to m3", "user: m4"]);
		expect((await textsOf(4, 5)).last).toHaveLength(9);
	});

	test("a run of it reads the same when it is opened again", async () => {
		const { scene } = await textsOf(2, 4);
		const [newest] = await scene.harness.runs({ session: "chat", limit: 1 });
		const { state } = await scene.again().harness.show(newest?.run ?? "");
		expect(mainThread(state).messages.slice(0, -1)).toEqual(scene.prompts.at(-1)?.slice(1));
	});

	test("of which a run is gone stops: what was said there cannot be left out unnoticed", async () => {
		const { scene, session } = talk([say("one"), say("two"), say("three")]);
		const first = await session.send("first");
		await session.send("second");
		const store: Store = {
			...scene.store,
			load: async (run, after) => (run === first.run ? undefined : scene.store.load(run, after)),
		};
		const other = scene.again({ store });
		await expect(other.harness.session("chat", other.agent).send("third")).rejects.toMatchObject({
			code: "journal.tampered",
			message: expect.stringContaining(first.run),
		});
	});
});
