import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { runSeal } from "../journal/journal.ts";
import { keyRing } from "../kit/seal.ts";
import type { Store } from "../spec/store.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { gate, type Stage, type StageOptions, stage, stageKeys } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const scenes: Stage[] = [];

/** Whatever comes when, no provider may ever see an illegal prompt. */
afterEach(() => {
	expect(scenes.splice(0).flatMap((scene) => scene.prompts.flatMap(promptProblems))).toEqual([]);
});

const look = defineTool({
	name: "look",
	description: "Looks.",
	input: z.object({}),
	effect: "read",
	execute: () => "seen",
});

function scene(options: Partial<StageOptions> = {}): Stage {
	const made = stage({ story: (_, answers) => say(`answer ${answers + 1}`), tools: [look], ...options });
	scenes.push(made);
	return made;
}

function another(one: Stage, changes: Parameters<Stage["again"]>[0] = {}): Stage {
	const made = one.again(changes);
	scenes.push(made);
	return made;
}

/** What the user said, as the model last read it. */
function said({ prompts }: Stage): string[] {
	return (prompts.at(-1) ?? []).flatMap((message) =>
		message.role === "user" ? message.content.map((part) => (part.type === "text" ? part.text : part.type)) : [],
	);
}

/** A session's run whose one call is in the hands of the test. */
async function atWork(options: Partial<StageOptions> = {}) {
	const begun = gate<void>();
	const ends = gate<void>();
	const work = defineTool({
		name: "work",
		description: "Works.",
		input: z.object({}),
		async execute() {
			begun.resolve();
			await ends.promise;
			return "worked";
		},
	});
	const one = scene({
		story: (_, answers) => (answers === 0 ? call("work") : say(`answer ${answers + 1}`)),
		tools: [work],
		harness: { policy: () => ({ verdict: "allow" }) },
		...options,
	});
	const running = one.harness.session("chat", one.agent).send("go");
	await begun.promise;
	return { one, running, ends };
}

/** A store whose commit of a run's end waits for the test. */
function slowToEnd() {
	const inner = memoryStore();
	const ending = gate<void>();
	const go = gate<void>();
	const store: Store = {
		...inner,
		async commit(run, epoch, writes) {
			if (writes.some((write) => write.kind === "entry" && write.body.includes("run.finished"))) {
				ending.resolve();
				await go.promise;
			}
			return inner.commit(run, epoch, writes);
		},
	};
	return { store, ending, go };
}

describe("a message that comes while a run ends", () => {
	test("in this process: the next run answers it", async () => {
		const { store, ending, go } = slowToEnd();
		const one = scene({
			store,
			story: (_, answers) => (answers === 0 ? call("look") : say(answers === 1 ? "to first" : "to second")),
		});
		const session = one.harness.session("chat", one.agent);
		const first = session.send("first");
		await ending.promise;
		const second = session.send("second");
		await new Promise((resolve) => setImmediate(resolve));
		go.resolve();
		expect(await first).toMatchObject({ status: "completed", text: "to first" });
		expect(await second).toMatchObject({ status: "completed", text: "to second" });
		expect((await second).run).not.toBe((await first).run);
		expect(said(one)).toEqual(["first", "second"]);
		expect(await one.harness.readyRuns()).toEqual([]);
	});

	test("from another process: it hears that the run is in other hands; the next message takes it along", async () => {
		const { store, ending, go } = slowToEnd();
		const one = scene({ store, story: (_, answers) => (answers === 0 ? call("look") : say(`answer ${answers + 1}`)) });
		const first = one.harness.session("chat", one.agent).send("first");
		await ending.promise;
		const other = another(one);
		expect(await other.harness.session("chat", other.agent).send("second")).toMatchObject({ status: "waiting" });
		go.resolve();
		expect(await first).toMatchObject({ status: "completed" });
		expect(await one.harness.readyRuns()).toHaveLength(1);
		expect(await one.harness.session("chat", one.agent).send("third")).toMatchObject({ status: "completed" });
		expect(said(one)).toEqual(["first", "second\n\nthird"]);
		expect(await one.harness.readyRuns()).toEqual([]);
	});
});

describe("a message to a session's run that is over", () => {
	test("is kept for the next run, which `resume` starts; then nothing is left to do", async () => {
		const one = scene();
		const first = await one.harness.session("chat", one.agent).send("first");
		await one.harness.tell(first.run, "by the way");
		expect((await one.harness.readyRuns()).map(({ run }) => run)).toEqual([first.run]);
		const next = await another(one).harness.resume(first.run);
		expect(next).toMatchObject({ status: "completed" });
		expect(next.run).not.toBe(first.run);
		expect(await one.harness.resume(first.run)).toMatchObject({ run: first.run, text: first.text });
		expect(await one.harness.readyRuns()).toEqual([]);
		expect(await one.harness.runs({ session: "chat" })).toHaveLength(2);
	});

	test("that has a next run already goes to that one, once", async () => {
		const one = scene();
		const session = one.harness.session("chat", one.agent);
		const first = await session.send("first");
		await session.send("second");
		await one.harness.tell(first.run, "late");
		for (let n = 0; n < 3; n++) for (const { run } of await one.harness.readyRuns()) await one.harness.resume(run);
		expect(said(one)).toEqual(["first", "second", "late"]);
		expect(await one.harness.readyRuns()).toEqual([]);
		expect(await one.harness.runs({ session: "chat" })).toHaveLength(3);
	});
});

describe("a message while the answer is being validated", () => {
	test("came before the end: the model answers it, and nothing is written after the last event", async () => {
		const validating = gate<void>();
		const goOn = gate<void>();
		const output = z.object({ n: z.int() }).refine(async () => {
			validating.resolve();
			await goOn.promise;
			return true;
		});
		const one = scene({ story: (_, answers) => say(JSON.stringify({ n: answers })), output });
		const running = one.harness.run(one.agent, "go", { runId: "r" });
		await validating.promise;
		await one.harness.tell("r", "one more thing");
		goOn.resolve();
		expect(await running).toMatchObject({ status: "completed", output: { n: 1 } });
		expect(said(one)).toContain("one more thing");
		expect((await one.events("r")).at(-1)?.type).toBe("run.finished");
	});
});

test("a message while a session's last turn is answered does not spoil that answer: the next run reads it", async () => {
	const answering = gate<void>();
	const goOn = gate<void>();
	let isHeld = true;
	const one = scene({
		limits: { turnsMax: 1 },
		around: (inner) => ({
			...inner,
			doGenerate: async (request) => {
				answering.resolve();
				if (isHeld) await goOn.promise;
				return inner.doGenerate(request);
			},
		}),
	});
	const session = one.harness.session("chat", one.agent);
	const running = session.send("hello");
	await answering.promise;
	const [open] = await one.harness.runs({ session: "chat" });
	const telling = open ? one.harness.tell(open.run, "too late") : session.send("too late");
	isHeld = false;
	setImmediate(() => goOn.resolve());
	expect(await running).toMatchObject({ status: "completed" });
	await telling;
	expect(await session.send("and now?")).toMatchObject({ status: "completed" });
	expect(said(one).join()).toContain("too late");
	const statuses = (await one.harness.runs({ session: "chat" })).map(({ status }) => status);
	expect(new Set(statuses)).toEqual(new Set(["completed"]));
});

describe("a message that was passed on twice", () => {
	test("I6: by a process that had stood still, is answered once", async () => {
		const one = scene();
		const session = one.harness.session("chat", one.agent);
		const { run } = await session.send("hello");
		await one.harness.tell(run, "pay once");
		const taken = (await one.store.load(run))?.signals[0];
		expect(await one.harness.resume(run)).toMatchObject({ status: "completed" });
		const next = (await one.harness.runs({ session: "chat", limit: 1 }))[0]?.run ?? "";
		// The late one seals it for the next run, which has it in its input.
		expect(taken).toBeDefined();
		const seal = runSeal(keyRing(stageKeys), await one.store.id(), next);
		const late = seal.signal(taken?.id ?? "", { kind: "message", text: "pay once", mode: "turn", at: 1 });
		await one.store.commit(next, 0, [{ kind: "signal", signal: late, max: 9 }]);
		expect(await one.harness.resume(next)).toMatchObject({ run: next, status: "completed" });
		expect(one.prompts).toHaveLength(2);
		expect(await one.harness.runs({ session: "chat" })).toHaveLength(2);
		expect((await one.harness.show(next)).unread).toBe(0);
	});
});

test("whoever waits for a run that is advanced here waits no longer than he means to", async () => {
	const { one, running, ends } = await atWork();
	const controller = new AbortController();
	const [open] = await one.harness.runs({ session: "chat" });
	const second = one.harness.resume(open?.run ?? "", { signal: controller.signal });
	controller.abort(new Error("enough"));
	await expect(second).rejects.toThrow("enough");
	ends.resolve();
	expect(await running).toMatchObject({ status: "completed" });
});

describe("messages at the same time", () => {
	test("in one process: none is lost, and the session does not fork", async () => {
		const one = scene();
		const session = one.harness.session("chat", one.agent);
		await session.send("zero");
		await Promise.all(["one", "two", "three"].map((text) => session.send(text)));
		await session.send("four");
		expect(said(one).join(" ").split(/\s+/).toSorted()).toEqual(["four", "one", "three", "two", "zero"]);
	});

	test.each(["first", "later"])(
		"in several processes: none is lost, and the session does not fork: the %s run",
		async (which) => {
			for (let round = 0; round < 10; round++) {
				const one = scene();
				if (which === "later") await one.harness.session("chat", one.agent).send("zero");
				const processes = [one, another(one), another(one)];
				await Promise.all(
					processes.map(({ harness, agent }, at) => harness.session("chat", agent).send(`message-${at}`)),
				);
				await one.harness.session("chat", one.agent).send("last");
				const words = said(one).join(" ").split(/\s+/);
				expect(words.toSorted()).toEqual([
					"last",
					"message-0",
					"message-1",
					"message-2",
					...(which === "later" ? ["zero"] : []),
				]);
				expect(await one.harness.readyRuns()).toEqual([]);
			}
		},
	);

	test("an index that names an older run as the newest does not fork it either", async () => {
		const inner = memoryStore();
		const runs: Store["runs"] = async (query) => (await inner.runs({ ...query, limit: 100 })).toReversed();
		const one = scene({ store: { ...inner, runs } });
		const session = one.harness.session("chat", one.agent);
		for (const text of ["one", "two", "three"]) await session.send(text);
		expect(said(one)).toEqual(["one", "two", "three"]);
	});
});

describe("a message to a run that another process advances", () => {
	test("is delivered once: the result says how the run stands, and nothing asks to send it again", async () => {
		const { one, running, ends } = await atWork();
		const other = another(one);
		const session = other.harness.session("chat", other.agent);
		for (const text of ["pay 5", "pay 6"]) {
			expect(await session.send(text)).toMatchObject({ status: "waiting", waits: [], text: "" });
		}
		const run = (await one.harness.runs())[0]?.run ?? "";
		ends.resolve();
		expect(await running).toMatchObject({ run });
		await one.harness.resume(run);
		await one.harness.session("chat", one.agent).send("last");
		expect(
			said(one)
				.join(" ")
				.match(/pay 5|pay 6|last/g),
		).toEqual(["pay 5", "pay 6", "last"]);
	});

	test("with `cancel`: it was told to end, and no run is started after one that is not over", async () => {
		const { one, running, ends } = await atWork({ limits: { leaseMs: 150 } });
		const other = another(one);
		const session = other.harness.session("chat", other.agent);
		await expect(session.send("stop, and answer this", { whenWaiting: "cancel" })).rejects.toMatchObject({
			code: "run.busy",
			hint: expect.stringContaining("was not sent"),
		});
		expect(await other.harness.runs()).toHaveLength(1);
		expect(await running).toMatchObject({ status: "cancelled" });
		ends.resolve();
		expect(await session.send("stop, and answer this", { whenWaiting: "cancel" })).toMatchObject({
			status: "completed",
		});
		expect(said(other)).toEqual(["go", "stop, and answer this"]);
	});
});
