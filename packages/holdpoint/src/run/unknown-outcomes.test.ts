import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Repeatability } from "../spec/tool.ts";
import { crashingStore } from "../testing/crashing-store.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { defineTool, type ToolDefinition } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";

const by = { id: "ann", via: "test" };
const empty = z.object({});
const allow = () => ({ verdict: "allow" }) as const;

interface Attempted {
	readonly key: string;
	readonly attempt: number;
}

/** A run with one call of a tool that does not know what became of it the first `lost` times. */
function lossy(
	repeat: Repeatability,
	lost: number,
	options: Partial<StageOptions> & { tool?: Partial<ToolDefinition<typeof empty>> } = {},
) {
	const { tool, ...rest } = options;
	const attempts: Attempted[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: empty,
		repeat,
		execute: (_, { idempotencyKey: key, attempt }) => {
			attempts.push({ key, attempt });
			if (attempts.length <= lost) throw new OutcomeUnknown("the connection was lost");
			return "paid";
		},
		...tool,
	});
	const scene = stage({ story: [call("pay"), say("done")], tools: [pay], harness: { policy: allow }, ...rest });
	return { scene, attempts, run: () => scene.harness.run(scene.agent, "pay it", { runId: "r" }) };
}

describe("I7: a call whose outcome its tool does not know", () => {
	test.each(["keyed", "repeatable"] as const)(
		"%s: is tried again with the same key, after a while, each attempt written first",
		async (repeat) => {
			const { scene, attempts, run } = lossy(repeat, 2);
			expect(await run()).toMatchObject({ status: "completed" });
			expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
			expect(new Set(attempts.map(({ key }) => key)).size).toBe(1);
			expect(scene.clock.sleeps).toEqual([200, 400]);
			expect(ofType(await scene.events("r"), "call.started").map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
		},
	);

	test("I8: no more often than attemptsMax, then it is unknown and the run waits", async () => {
		const { attempts, run } = lossy("keyed", 99, { limits: { attemptsMax: 2 } });
		expect(onlyWait(await run(), "unknown")).toMatchObject({ call: "c1", tool: "pay", why: "the connection was lost" });
		expect(attempts).toHaveLength(2);
	});

	test("once: is never tried again; the run waits until somebody settles it", async () => {
		const { scene, attempts, run } = lossy("once", 99);
		expect(onlyWait(await run(), "unknown")).toMatchObject({ tool: "pay" });
		expect(await scene.again().harness.resume("r")).toMatchObject({ status: "waiting" });
		expect(attempts).toHaveLength(1);
		expect(scene.prompts).toHaveLength(1);
	});

	test("a time-out of a write is unknown, of a keyed write it is tried again", async () => {
		const hang = { execute: () => new Promise(() => undefined), timeoutMs: 5 };
		expect(onlyWait(await lossy("once", 0, { tool: hang }).run(), "unknown").why).toContain("within 5 ms");
		const keyed = lossy("keyed", 0, { tool: hang, limits: { attemptsMax: 2 } });
		expect(onlyWait(await keyed.run(), "unknown").why).toContain("within 5 ms");
		expect(ofType(await keyed.scene.events("r"), "call.started")).toHaveLength(2);
	});

	test("an error that is none of these is known: it is never tried again", async () => {
		const { scene, run } = lossy("keyed", 0, { tool: { execute: () => Promise.reject(new Error("refused")) } });
		expect(await run()).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events("r"), "call.started")).toHaveLength(1);
		expect(ofType(await scene.events("r"), "call.finished")).toMatchObject([{ outcome: { failed: "refused" } }]);
	});

	test("an error of another copy of the library is known by its brand", async () => {
		const theirs = Object.assign(new Error("lost"), { [Symbol.for("holdpoint.outcome-unknown")]: true });
		const { run } = lossy("once", 0, { tool: { execute: () => Promise.reject(theirs) } });
		expect(onlyWait(await run(), "unknown").why).toBe("lost");
	});

	test("siblings go on, and the model reads all results once it is settled", async () => {
		const look = defineTool({
			name: "look",
			description: "Looks.",
			input: empty,
			effect: "read",
			execute: () => "seen",
		});
		const lost = defineTool({
			name: "pay",
			description: "Pays.",
			input: empty,
			execute: () => Promise.reject(new OutcomeUnknown("lost")),
		});
		const scene = stage({
			story: [calls([{ tool: "pay" }, { tool: "look" }]), say("done")],
			tools: [look, lost],
			harness: { policy: allow },
		});
		const first = await scene.harness.run(scene.agent, "go");
		await scene.harness.settle(first.run, onlyWait(first, "unknown").call, { happened: true, result: "receipt 7", by });
		expect(await scene.harness.resume(first.run)).toMatchObject({ status: "completed" });
		expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
		expect(JSON.stringify(scene.prompts.at(-1))).toContain("receipt 7");
	});
});

describe("settling", () => {
	test("it happened: the model reads the result that was found", async () => {
		const { scene, attempts, run } = lossy("once", 99);
		await run();
		await scene.harness.settle("r", "c1", { happened: true, result: { receipt: 7 }, by });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events("r"), "call.settled")).toMatchObject([
			{ outcome: { ok: { receipt: 7 } }, by: { id: "ann" } },
		]);
		expect(JSON.stringify(scene.prompts.at(-1)?.at(-1))).toContain('"receipt":7');
		expect(attempts).toHaveLength(1);
	});

	test("it did not happen: the model reads that, and may try again by itself", async () => {
		const { scene, attempts, run } = lossy("once", 1, { story: [call("pay"), call("pay"), say("done")] });
		await run();
		await scene.harness.settle("r", "c1", { happened: false, by });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 1]);
		expect(new Set(attempts.map(({ key }) => key)).size).toBe(2);
		expect(JSON.stringify(scene.prompts[1]?.at(-1))).toContain("the call did not happen");
	});

	test("it reached the other side and was refused there: the model reads that", async () => {
		const { scene, run } = lossy("once", 99);
		await run();
		await scene.harness.settle("r", "c1", { happened: false, refused: "no such account", by });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(JSON.stringify(scene.prompts.at(-1)?.at(-1))).toContain("no such account");
	});

	test("only what is unknown can be settled", async () => {
		const { scene, run } = lossy("once", 1);
		await run();
		for (const name of ["c2", "nonsense"]) {
			await expect(scene.harness.settle("r", name, { happened: true })).rejects.toMatchObject({
				code: "settle.invalid",
			});
		}
		await Promise.all([1, 2].map(() => scene.again().harness.settle("r", "c1", { happened: false, by })));
		await scene.harness.resume("r");
		const events = await scene.events("r");
		expect(ofType(events, "call.settled")).toHaveLength(1);
		expect(ofType(events, "signal.ignored")).toMatchObject([{ why: expect.stringContaining("not unknown") }]);
		await expect(scene.harness.settle("r", "c1", { happened: true })).rejects.toMatchObject({ code: "settle.invalid" });
	});

	test("a second word about the same call is refused while the first is unread, and names who gave it", async () => {
		const { scene, run } = lossy("once", 1);
		await run();
		await scene.harness.settle("r", "c1", { happened: true, by });
		await expect(scene.harness.settle("r", "c1", { happened: false, by })).rejects.toMatchObject({
			code: "settle.invalid",
			message: "ann has said already of call c1 that it happened",
		});
		await scene.harness.resume("r");
		expect(ofType(await scene.events("r"), "call.settled")).toMatchObject([{ outcome: { ok: null } }]);
	});

	test("a call of a run that is over cannot be settled: nobody would read it", async () => {
		const { scene, run } = lossy("once", 1);
		await run();
		await scene.harness.cancel("r");
		await expect(scene.harness.settle("r", "c1", { happened: true })).rejects.toMatchObject({ code: "settle.invalid" });
	});

	test.each([
		["a BigInt", 5n],
		["a result over the limit", "x".repeat(9_000_000)],
	])("with %s is refused at the door", async (_, result) => {
		const { scene, run } = lossy("once", 1);
		await run();
		await expect(scene.harness.settle("r", "c1", { happened: true, result: result as string })).rejects.toMatchObject({
			code: "settle.invalid",
		});
	});
});

describe("I7: a call that a dead process had started", () => {
	/** The process dies at the commit of the outcome: the effect has happened, and nobody wrote that down. */
	async function crashedInCall(repeat: Repeatability, effect: "write" | "read" = "write", approvable = false) {
		const inner = memoryStore();
		const executed: Attempted[] = [];
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: empty,
			effect,
			repeat,
			execute: (_, { idempotencyKey: key, attempt }) => void executed.push({ key, attempt }),
		});
		let verdict: "allow" | "deny" | "ask" = approvable ? "ask" : "allow";
		const policy = () => ({ verdict, reason: "so" });
		const options: StageOptions = { story: [call("pay"), say("done")], tools: [pay], harness: { policy } };
		const waiting = stage({ ...options, store: inner });
		const first = approvable ? await waiting.harness.run(waiting.agent, "go", { runId: "r" }) : undefined;
		if (first) await waiting.harness.approve(onlyWait(first, "approval").approval, { by });
		const dying = stage({ ...options, store: crashingStore(inner, { at: 2 }), clock: waiting.clock });
		const work = first ? dying.harness.resume("r") : dying.harness.run(dying.agent, "go", { runId: "r" });
		await expect(work).rejects.toMatchObject({ code: "store.failed" });
		waiting.clock.advance(60_000);
		return { scene: waiting, executed, decideFromNowOn: (next: typeof verdict) => (verdict = next) };
	}

	test("once: unknown, and not executed again", async () => {
		const { scene, executed } = await crashedInCall("once");
		expect(onlyWait(await scene.harness.resume("r"), "unknown").why).toContain("its outcome was never written");
		expect(executed).toHaveLength(1);
	});

	test("keyed: executed again with the same key as attempt 2", async () => {
		const { scene, executed } = await crashedInCall("keyed");
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(executed.map(({ attempt }) => attempt)).toEqual([1, 2]);
		expect(new Set(executed.map(({ key }) => key)).size).toBe(1);
	});

	test("I5: keyed and approved: the same key needs no second approval, though it was spent", async () => {
		const { scene, executed } = await crashedInCall("keyed", "write", true);
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(executed).toHaveLength(2);
		expect(ofType(await scene.events("r"), "approval.requested")).toHaveLength(1);
	});

	test("keyed, and the policy denies today: it is not repeated, and never called denied", async () => {
		const { scene, executed, decideFromNowOn } = await crashedInCall("keyed");
		decideFromNowOn("deny");
		expect(onlyWait(await scene.harness.resume("r"), "unknown").why).toContain("no longer allows");
		expect(executed).toHaveLength(1);
	});

	test("keyed, and its tool cannot be called like that any more: unknown, never failed", async () => {
		const { scene, executed } = await crashedInCall("keyed");
		const policy = { version: "p", decide: () => ({ verdict: "allow" }) as const, declares: () => false };
		const other = scene.again({ harness: { policy } });
		expect(onlyWait(await other.harness.resume("r"), "unknown").tool).toBe("pay");
		expect(executed).toHaveLength(1);
	});

	test("I8: keyed: no more often than attemptsMax, however often the process dies", async () => {
		const inner = memoryStore();
		let executed = 0;
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: empty,
			repeat: "keyed",
			execute: () => void executed++,
		});
		const options: StageOptions = {
			story: [call("pay"), say("done")],
			tools: [pay],
			harness: { policy: allow },
			limits: { attemptsMax: 3 },
		};
		const last = stage({ ...options, store: inner });
		const start = stage({ ...options, store: crashingStore(inner, { at: 2 }), clock: last.clock });
		await expect(start.harness.run(start.agent, "go", { runId: "r" })).rejects.toThrow();
		for (let death = 0; death < 2; death++) {
			last.clock.advance(60_000);
			const dying = stage({ ...options, store: crashingStore(inner, { at: 2 }), clock: last.clock });
			await expect(dying.harness.resume("r")).rejects.toThrow();
		}
		last.clock.advance(60_000);
		expect(onlyWait(await last.harness.resume("r"), "unknown").why).toContain("3 times");
		expect(executed).toBe(3);
	});

	test("read: looked at again", async () => {
		const { scene, executed } = await crashedInCall("repeatable", "read");
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(executed.length).toBeGreaterThan(0);
	});
});

describe("I4: a repetition is decided anew", () => {
	/** Allowed at first; from the second decision on, whatever `later` says. */
	function changing(later: () => unknown) {
		let decisions = 0;
		return () => (decisions++ === 0 ? allow() : later()) as ReturnType<typeof allow>;
	}

	test("allowed without a person, and today's policy asks: it is held before it is tried again", async () => {
		const asks = changing(() => ({ verdict: "ask", reason: "today a person decides" }));
		const { scene, attempts, run } = lossy("keyed", 1, { harness: { policy: asks } });
		const wait = onlyWait(await run(), "approval");
		expect(attempts).toHaveLength(1);
		expect(ofType(await scene.events("r"), "call.decided").map(({ verdict }) => verdict)).toEqual(["allow", "ask"]);
		await scene.harness.approve(wait.approval, { by });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(new Set(attempts.map(({ key }) => key)).size).toBe(1);
		expect(attempts).toHaveLength(2);
	});

	test("I7: denied by that person, it is unknown and not denied: it was started before", async () => {
		const asks = changing(() => ({ verdict: "ask", reason: "today a person decides" }));
		const { scene, attempts, run } = lossy("keyed", 1, { harness: { policy: asks } });
		const wait = onlyWait(await run(), "approval");
		await scene.harness.deny(wait.approval, { by, reason: "not again" });
		expect(onlyWait(await scene.harness.resume("r"), "unknown").why).toContain("not again");
		expect(attempts).toHaveLength(1);
	});

	test("with the approval that allowed it the first time, it needs no second one", async () => {
		const policy = () => ({ verdict: "ask", reason: "money" }) as const;
		const { scene, attempts, run } = lossy("keyed", 1, { harness: { policy } });
		await scene.harness.approve(onlyWait(await run(), "approval").approval, { by });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(attempts).toHaveLength(2);
	});

	test("I5: a tool that changed while its call was in flight is not what was started: nobody knows", async () => {
		const store = memoryStore();
		const stuck = crashingStore(store, { at: 2, when: "before", crash: () => new Promise<never>(() => {}) });
		const first = lossy("keyed", 0, { store: stuck });
		void first.run().catch(() => undefined);
		await expect.poll(() => stuck.crashed).toBe(true);
		const second = lossy("keyed", 0, { store, clock: first.scene.clock, tool: { version: "2" } });
		first.scene.clock.advance(60_000);
		expect(onlyWait(await second.scene.harness.resume("r"), "unknown").why).toContain("changed");
		expect([first.attempts.length, second.attempts.length]).toEqual([1, 0]);
	});
});

describe("I7: a connection that broke off in its middle", () => {
	const broken = (code: string) => Object.assign(new TypeError("fetch failed"), { cause: { code } });

	test.each(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_BODY_TIMEOUT"])("%s: nobody knows", async (code) => {
		const { run } = lossy("once", 0, { tool: { execute: () => Promise.reject(broken(code)) } });
		expect(onlyWait(await run(), "unknown").why).toContain("fetch failed");
	});

	test.each(["ECONNREFUSED", "ENOTFOUND", "UND_ERR_CONNECT_TIMEOUT"])(
		"%s: it never began, and has failed",
		async (code) => {
			const { scene, run } = lossy("once", 0, { tool: { execute: () => Promise.reject(broken(code)) } });
			expect(await run()).toMatchObject({ status: "completed" });
			expect(ofType(await scene.events("r"), "call.finished")).toMatchObject([{ outcome: { code: "tool.threw" } }]);
		},
	);
});

describe("I2: an answer that comes while the run is about to wait", () => {
	test("is taken, although the one who gave it found the run busy", async () => {
		const store = memoryStore();
		const policy = () => ({ verdict: "ask", reason: "money" }) as const;
		const { scene, attempts, run } = lossy("keyed", 0, { store, harness: { policy } });
		const held = onlyWait(await run(), "approval");
		// Somebody's resume lets go of the run without having seen the answer that was left just before.
		let left = false;
		const slow = scene.again({
			store: {
				...store,
				async commit(id, epoch, writes) {
					if (!left && writes.some(({ kind }) => kind === "release")) {
						left = true;
						await scene.harness.approve(held.approval, { by });
					}
					return store.commit(id, epoch, writes);
				},
			},
		});
		expect(await slow.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(attempts).toHaveLength(1);
	});
});

describe("a tool that can look up what became of a call", () => {
	const asked: string[] = [];
	const looking = (answer: unknown, options: Parameters<typeof lossy>[2] = {}) => {
		asked.length = 0;
		const lookup = (key: string) => {
			asked.push(key);
			if (answer instanceof Error) throw answer;
			return answer as { unknown: string };
		};
		return lossy("once", 1, { ...options, tool: { lookup, ...options.tool } });
	};

	test("is asked before a person, with the call's own key, and what it says counts as the tool's result", async () => {
		const { scene, attempts, run } = looking({ happened: "paid before" });
		expect(await run()).toMatchObject({ status: "completed" });
		expect(attempts).toHaveLength(1);
		expect(asked).toEqual([attempts[0]?.key]);
		const events = await scene.events("r");
		expect(ofType(events, "call.finished")).toMatchObject([{ outcome: { unknown: "the connection was lost" } }]);
		expect(ofType(events, "call.settled")).toMatchObject([
			{ outcome: { ok: "paid before" }, by: { id: "pay", via: "lookup" } },
		]);
		expect(promptProblems(scene.prompts.at(-1) ?? [])).toEqual([]);
	});

	test("says that it did not happen: the model reads so, and nothing is repeated by itself", async () => {
		const { scene, attempts, run } = looking({ didNotHappen: "no such payment" });
		expect(await run()).toMatchObject({ status: "completed" });
		expect(attempts).toHaveLength(1);
		expect(ofType(await scene.events("r"), "call.settled")).toMatchObject([
			{ outcome: { code: "settled.did_not_happen", failed: expect.stringContaining("no such payment") } },
		]);
	});

	test.each([
		["does not know", { unknown: "the bank is closed" }],
		["answers something else", { paid: true }],
		["answers nothing", undefined],
		["throws", new Error("no line")],
		[
			"answers what throws when it is read",
			Object.defineProperty({}, "happened", { get: () => JSON.parse("") as never }),
		],
	])("%s: a person is waited for", async (_, answer) => {
		const { scene, run } = looking(answer);
		expect(onlyWait(await run(), "unknown")).toMatchObject({ why: "the connection was lost" });
		await scene.harness.settle("r", "c1", { happened: true, result: "by hand", by });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
	});

	test("is asked again by whoever goes on with the run, and once each time", async () => {
		const { scene, run } = looking({ unknown: "later" });
		onlyWait(await run(), "unknown");
		onlyWait(await scene.again().harness.resume("r"), "unknown");
		expect(asked).toHaveLength(2);
	});

	test("is believed as far as its output schema goes", async () => {
		const { scene, run } = looking({ happened: 7 }, { tool: { output: z.string() } as never });
		expect(await run()).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events("r"), "call.settled")).toMatchObject([
			{ outcome: { code: "tool.result_invalid" } },
		]);
	});

	test("is asked after a crash between intent and outcome", async () => {
		const inner = memoryStore();
		const dying = crashingStore(inner, { at: 2, when: "before" });
		const { scene, attempts, run } = looking(
			{ happened: "paid" },
			{
				store: dying,
				tool: { execute: (_, { attempt, idempotencyKey: key }) => void attempts_.push({ attempt, key }) },
			},
		);
		const attempts_ = attempts;
		await expect(run()).rejects.toThrow();
		scene.clock.advance(60_000);
		expect(await scene.again({ store: inner }).harness.resume("r")).toMatchObject({ status: "completed" });
		expect(attempts).toHaveLength(1);
		expect(asked).toEqual([attempts[0]?.key]);
	});
});
