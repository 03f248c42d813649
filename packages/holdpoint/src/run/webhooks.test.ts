import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { HoldpointError } from "../spec/errors.ts";
import { noRun, type Store } from "../spec/store.ts";
import type { Webhook } from "../spec/webhooks.ts";
import { onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { type Receiver, webhookSecret as secret, webhookReceiver } from "../testing/webhook-receiver.ts";
import { defineTool } from "../tools/define-tool.ts";
import { pauses } from "../webhooks/outbox.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const by = { id: "ann", via: "test" };

const open: Receiver[] = [];
async function receiver(): Promise<Receiver> {
	const made = await webhookReceiver();
	open.push(made);
	return made;
}
afterEach(async () => {
	vi.restoreAllMocks();
	await Promise.all(open.splice(0).map((one) => one[Symbol.asyncDispose]()));
});

/** Each run pays once, and is held for that. */
function payStage(webhooks: readonly Webhook[], rest: Partial<StageOptions> = {}) {
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int(), iban: z.string() }),
		execute: () => "paid",
	});
	const policy = { version: "p", decide: () => ({ verdict: "ask", reason: "secret reason" }) as const };
	const { harness, ...others } = rest;
	return stage({
		story: ({ results }) => (results.length > 0 ? say("done") : call("pay", { amount: 5, iban: "DE-SECRET" })),
		tools: [pay],
		harness: { policy, webhooks, ...harness },
		...others,
	});
}

describe("webhooks", () => {
	test("are told of the whole life of an approval, signed, each with its own id and nothing of the arguments", async () => {
		const there = await receiver();
		const link = ({ run, approval }: { run: string; approval?: string }) =>
			`https://console.test/${run}/${approval ?? ""}`;
		const { harness, agent } = payStage([{ url: there.url, secret, link }]);
		const result = await harness.run(agent, "pay it", { principal: "kim" });
		const { approval } = onlyWait(result, "approval");
		await harness.webhooks.deliver();
		await harness.approve(approval, { by, reason: "secret word" });
		await harness.resume(result.run);
		expect(await harness.webhooks.deliver()).toMatchObject({ pending: 0, failed: 0, dueAt: undefined });
		const told = new Map(there.received.map((one) => [one.type, one]));
		expect([...told.keys()].sort()).toEqual(["approval.requested", "approval.resolved", "run.finished", "run.waiting"]);
		expect(there.received).toHaveLength(4);
		expect(new Set(there.received.map(({ id }) => id)).size).toBe(4);
		expect(there.received.every(({ isSigned, id }) => isSigned && /^msg_[\w-]{27}$/.test(id))).toBe(true);
		const [held] = [told.get("approval.requested")?.data];
		expect(held).toEqual({
			run: result.run,
			agent: "tester",
			approval,
			call: "c1",
			tool: "pay",
			count: 1,
			expiresAt: expect.stringMatching(/^2030-01-04T/),
			link: `https://console.test/${result.run}/${approval}`,
		});
		expect(told.get("approval.resolved")?.data).toMatchObject({ answer: "approve", by });
		const { calls } = (await harness.show(result.run)).state;
		const { digest = "(none)" } = calls.get("c1") ?? {};
		expect(there.received.filter(({ text }) => text.includes(digest))).toEqual([]);
		expect(digest).toMatch(/^[\w-]{43}$/);
		expect(told.get("run.waiting")?.data.waits).toEqual([{ kind: "approval", approval, call: "c1" }]);
		expect(told.get("run.finished")?.data).toMatchObject({ status: "completed" });
		expect(there.received.map(({ text }) => text).join()).not.toMatch(/secret|kim/i);
		await harness.close();
	});

	test("are told arguments and reasons where they ask for them, and only of the events that they want", async () => {
		const there = await receiver();
		const webhook = { url: there.url, secret, events: ["approval.requested"], payload: "arguments" } as const;
		const { harness, agent } = payStage([webhook]);
		await harness.run(agent, "pay it", { principal: "kim" });
		await harness.webhooks.deliver();
		expect(there.received.map(({ data }) => data)).toMatchObject([
			{ args: { amount: 5, iban: "DE-SECRET" }, reason: "secret reason", principal: "kim" },
		]);
	});

	test("that are down for a day lose nothing: the same ids come later, with the time of the attempt", async () => {
		const there = await receiver();
		const { harness, agent, clock } = payStage([{ url: there.url, secret, events: ["approval.requested"] }]);
		await there.shut();
		await harness.run(agent, "one");
		expect(await harness.webhooks.deliver()).toMatchObject({ sent: 0, pending: 1 });
		const [status] = await harness.webhooks.status();
		expect(status?.pending[0]).toMatchObject({ why: expect.stringMatching(/ECONNREFUSED/) });
		await there.open();
		there.answer = (response) => response.writeHead(503).end();
		for (let hours = 0; hours < 24; hours++) {
			clock.advance(hourMs);
			if (hours % 8 === 0) await harness.run(agent, "one more");
			await harness.webhooks.deliver();
		}
		const before = there.received.length;
		const first = there.received[0];
		there.answer = (response) => response.writeHead(200).end("thanks");
		clock.advance(dayMs);
		expect(await harness.webhooks.deliver()).toMatchObject({ sent: 4, pending: 0, failed: 0 });
		const taken = there.received.slice(before);
		expect(new Set(taken.map(({ data }) => data.approval)).size).toBe(4);
		const same = taken.find(({ id }) => id === first?.id);
		expect(same?.text).toBe(first?.text);
		expect(same?.isSigned).toBe(true);
		expect((same?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(dayMs / 1_000);
	});

	test("that stay down are given up after three days, remembered, and told anew when somebody says so", async () => {
		const there = await receiver();
		const { harness, agent, clock } = payStage([{ url: there.url, secret, events: ["approval.requested"] }]);
		there.answer = (response) => response.writeHead(404).end();
		await harness.run(agent, "one");
		await harness.webhooks.deliver();
		for (const pause of pauses) {
			clock.advance(pause * 1.2);
			await harness.webhooks.deliver();
		}
		expect(there.received).toHaveLength(pauses.length + 1);
		expect(await harness.webhooks.status()).toMatchObject([
			{ pending: [], failed: [{ why: "it answered 404", tries: 10 }] },
		]);
		clock.advance(30 * dayMs);
		expect(await harness.webhooks.deliver()).toMatchObject({ sent: 0, failed: 1 });
		there.answer = (response) => response.writeHead(204).end();
		await harness.webhooks.retry();
		expect(await harness.webhooks.deliver()).toMatchObject({ sent: 1, pending: 0, failed: 0 });
	});

	test("I1: nothing is lost wherever the process dies: before it looked, before it sent, before it knew what was taken", async () => {
		const there = await receiver();
		const webhook = { url: there.url, secret, events: ["approval.requested"] } as const;
		for (const dies of ["before", "after"] as const) {
			for (const at of [1, 2, 3]) {
				const inner = memoryStore();
				let documents = 0;
				let isDead = false;
				const dead = (): never => {
					isDead = true;
					throw new HoldpointError("store.failed", "the process died");
				};
				const commit: Store["commit"] = async (run, epoch, writes) => {
					if (isDead) dead();
					const isIt = run === noRun && ++documents === at;
					if (isIt && dies === "before") dead();
					const receipt = await inner.commit(run, epoch, writes);
					return isIt ? dead() : receipt;
				};
				const scene = payStage([webhook], { store: { ...inner, commit } });
				const result = await scene.harness.run(scene.agent, "pay it").catch(() => undefined);
				await scene.harness.webhooks.deliver().catch(() => undefined);
				const other = scene.again({ store: inner });
				scene.clock.advance(hourMs / 2);
				await other.harness.webhooks.deliver();
				const ids = there.received.filter(({ data }) => data.run === result?.run).map(({ id }) => id);
				// The first document makes the outbox: where it could not be made no run began.
				expect(new Set(ids).size, `document ${at}, ${dies}`).toBe(result ? 1 : 0);
				expect(ids.length).toBeLessThanOrEqual(2);
			}
		}
	});

	test("two processes that deliver at once send each message once", async () => {
		const there = await receiver();
		const scene = payStage([{ url: there.url, secret, events: ["approval.requested"] }]);
		// Nobody tells anything while the runs are made.
		const silent = scene.again({ harness: { webhooks: [] } });
		await scene.harness.webhooks.deliver();
		for (let runs = 0; runs < 30; runs++) await silent.harness.run(silent.agent, "pay it");
		const others = [scene.harness, scene.again().harness, scene.again().harness];
		await Promise.all(others.map((harness) => harness.webhooks.deliver()));
		await Promise.all(others.map((harness) => harness.webhooks.deliver()));
		expect(there.received).toHaveLength(30);
		expect(new Set(there.received.map(({ id }) => id)).size).toBe(30);
	});

	test.each<[string, Receiver["answer"], RegExp]>([
		["redirects", (response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(), /answered 302/],
		["never answers", () => undefined, /timeout/],
		["cuts the line", (response) => response.destroy(), /./],
		["answers without end", (response) => void response.writeHead(500).write("x".repeat(1_000_000)), /answered 500/],
	])("a receiver that %s has taken nothing, and the other one is told", async (_, answer, why) => {
		const [wrong, right] = [await receiver(), await receiver()];
		wrong.answer = answer;
		const { harness, agent } = payStage([
			{ url: wrong.url, secret, timeoutMs: 200, events: ["approval.requested"] },
			{ url: right.url, secret, events: ["approval.requested"] },
		]);
		await harness.run(agent, "pay it");
		expect(await harness.webhooks.deliver()).toMatchObject({ pending: 1 });
		expect(right.received).toHaveLength(1);
		const [status] = await harness.webhooks.status();
		expect(status?.pending).toMatchObject([{ tries: 1, why: expect.stringMatching(why) }]);
	});

	test("a receiver that says when it wants to be asked again is asked then", async () => {
		const there = await receiver();
		const { harness, agent, clock } = payStage([{ url: there.url, secret, events: ["approval.requested"] }]);
		there.answer = (response) => response.writeHead(429, { "retry-after": "600" }).end();
		await harness.run(agent, "pay it");
		const report = await harness.webhooks.deliver();
		expect(report.dueAt).toBe(clock.now() + 600_000);
	});

	test("I8: what is pending is bounded, and what does not fit waits in the journals", async () => {
		const there = await receiver();
		const { harness, agent, clock } = payStage([{ url: there.url, secret, events: ["approval.requested"] }], {
			story: ({ results }) =>
				results.length > 0
					? say("done")
					: calls(Array.from({ length: 300 }, (_, i) => ({ tool: "pay", args: { amount: i, iban: "x" } }))),
		});
		there.answer = (response) => response.writeHead(503).end();
		for (let runs = 0; runs < 5; runs++) await harness.run(agent, "pay them");
		expect((await harness.webhooks.deliver()).pending).toBe(1_200);
		there.answer = (response) => response.writeHead(204).end();
		clock.advance(hourMs);
		expect(await harness.webhooks.deliver()).toMatchObject({ pending: 0 });
		expect(new Set(there.received.map(({ data }) => data.approval)).size).toBe(1_500);
	}, 60_000);

	test("a clock that was ahead and was set right hides nothing that comes afterwards", async () => {
		const there = await receiver();
		let offset = 0;
		const scene = payStage([{ url: there.url, secret, events: ["approval.requested"] }]);
		const clock = { ...scene.clock, now: () => scene.clock.now() + offset };
		const { harness, agent } = scene.again({ harness: { clock } });
		await harness.run(agent, "one");
		await harness.webhooks.deliver();
		offset = 2 * dayMs;
		await harness.run(agent, "two");
		there.answer = (response) => response.writeHead(503).end();
		await harness.webhooks.deliver();
		offset = 0;
		there.answer = (response) => response.writeHead(204).end();
		await harness.run(agent, "three");
		scene.clock.advance(hourMs / 2);
		await harness.webhooks.deliver();
		expect(new Set(there.received.map(({ data }) => data.approval)).size).toBe(3);
		expect((await harness.webhooks.status())[0]?.pending.filter(({ tries }) => tries === 0)).toEqual([]);
	});

	test("what happened before there was a webhook is not told, and a run that cannot be read hides no other", async () => {
		const there = await receiver();
		const scene = payStage([], { store: memoryStore() });
		await scene.harness.run(scene.agent, "long ago");
		scene.clock.advance(1_000);
		const other = scene.again({ harness: { webhooks: [{ url: there.url, secret, events: ["approval.requested"] }] } });
		const first = await other.harness.run(other.agent, "now");
		await other.harness.webhooks.deliver();
		expect(there.received.map(({ data }) => data.run)).toEqual([first.run]);
		const { load } = scene.store;
		const broken = await other.harness.run(other.agent, "broken", { runId: "broken" });
		Object.assign(scene.store, {
			load: async (run: string, after?: number) => {
				const stored = await load(run, after);
				if (!stored || run !== broken.run) return stored;
				return { ...stored, entries: stored.entries.map((entry) => ({ ...entry, body: `${entry.body} ` })) };
			},
		});
		const last = await other.harness.run(other.agent, "after it");
		await other.harness.webhooks.deliver();
		expect(there.received.map(({ data }) => data.run)).toContain(last.run);
	});

	test("a process that lives long delivers by itself, past a store that fails, until it is told to stop", async () => {
		const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		const there = await receiver();
		const scene = payStage([{ url: there.url, secret, events: ["approval.requested"] }]);
		await scene.harness.run(scene.agent, "pay it");
		await scene.harness.webhooks.deliver();
		const { runs } = scene.store;
		const failed = Promise.withResolvers<void>();
		Object.assign(scene.store, {
			runs: () => {
				Object.assign(scene.store, { runs });
				failed.resolve();
				throw new HoldpointError("store.locked", "busy");
			},
		});
		const arrived = Promise.withResolvers<void>();
		const stop = new AbortController();
		there.answer = (response) => {
			response.writeHead(204).end();
			arrived.resolve();
		};
		const keeps = scene.harness.webhooks.keepDelivering({ signal: stop.signal, everyMs: 1_000 });
		await failed.promise;
		await scene.again({ harness: { webhooks: [] } }).harness.run(scene.agent, "another process pays");
		await arrived.promise;
		stop.abort();
		await keeps;
		expect(warn).toHaveBeenCalledTimes(1);
		expect(there.received).toHaveLength(2);
	});

	test("one whose messages cannot be read hides from nobody that another one is being told", async () => {
		const [first, second] = [await receiver(), await receiver()];
		const inner = memoryStore();
		let broken: string | undefined;
		const store: Store = {
			...inner,
			document: async (name, known) => {
				if (name === broken) throw new HoldpointError("store.locked", "busy");
				return inner.document(name, known);
			},
		};
		const hooks = [first, second].map(({ url }) => ({ url, secret, events: ["approval.requested"] }) as const);
		const { harness, agent } = payStage(hooks, { store });
		const [status] = await harness.webhooks.status();
		broken = `webhook.${status?.id}`;
		let isAnswered = false;
		second.answer = (response) =>
			setTimeout(() => {
				isAnswered = true;
				response.writeHead(204).end();
			}, 100);
		await harness.run(agent, "pay it");
		while (second.received.length === 0) await new Promise(setImmediate);
		await harness.webhooks.idle();
		expect(isAnswered).toBe(true);
		expect(first.received).toEqual([]);
	});

	test("closing the harness gives up what hangs, keeps it pending, and waits for nobody", async () => {
		const there = await receiver();
		const store = memoryStore();
		const asked = Promise.withResolvers<void>();
		there.answer = () => asked.resolve();
		const scene = payStage([{ url: there.url, secret, timeoutMs: 120_000, events: ["approval.requested"] }], {
			store: { ...store, close: async () => undefined },
		});
		await scene.harness.run(scene.agent, "pay it");
		await asked.promise;
		vi.useFakeTimers({ toFake: ["setTimeout"] });
		const closed = scene.harness.close();
		vi.runAllTimers();
		vi.useRealTimers();
		await closed;
		const other = scene.again({ store });
		expect(await other.harness.webhooks.status()).toMatchObject([{ pending: [{ tries: 0 }] }]);
		there.answer = (response) => response.writeHead(204).end();
		scene.clock.advance(hourMs / 2);
		expect(await other.harness.webhooks.deliver()).toMatchObject({ sent: 1, pending: 0 });
	});
});
