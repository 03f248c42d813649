import { defineTool, type Middleware } from "holdpoint";
import { defineTeam, handoff } from "holdpoint/teams";
import { call, json, say } from "holdpoint/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { teamStage } from "../packages/holdpoint/src/testing/team-stage.ts";
import {
	answerAll,
	askers,
	brokenPrompts,
	desk,
	handoffsSeen,
	ledger,
	lookUp,
	ofType,
	onlyWait,
} from "./handoff-scenes.ts";

/**
 * What a team that hands on must do, item by item. A and B are behaviours that others pin with tests of their own, in
 * Python and in .NET; N is what nobody tests, or what is broken elsewhere.
 */

const to = (agent: string, more: object = {}) => call(`handoff_to_${agent}`, { reason: "it is yours", ...more });

describe("the conversation", () => {
	test("1 (A1): triage → specialist → escalation in a mesh; the escalation's plain reply asks the user once", async () => {
		const scene = desk({
			triage: [to("specialist")],
			specialist: [to("escalation")],
			escalation: [say("What happened?")],
		});
		const result = await scene.harness.run(scene.team, "It is broken.", { runId: "r" });
		expect(onlyWait(result, "user")).toEqual({ kind: "user", agent: "escalation", text: "What happened?" });
		expect(await askers(scene, "r")).toEqual(["escalation"]);
		expect(ofType(await scene.events("r"), "run.handed").map(({ from, to: next }) => `${from} → ${next}`)).toEqual([
			"triage → specialist",
			"specialist → escalation",
		]);
	});

	test("2 (A2): over three turns the agent that is resumed still knows the order number from the first", async () => {
		const scene = desk({
			triage: [to("refund")],
			refund: [say("Why?"), say("Opened?"), say((ask) => JSON.stringify(ask.messages).match(/A-\d+/)?.[0] ?? "none")],
		});
		const chat = scene.harness.session("s", scene.team);
		await chat.send("Refund A-17 please.");
		await chat.send("It is late.");
		const third = await chat.send("No.");
		expect(onlyWait(third, "user")).toMatchObject({ agent: "refund", text: "A-17" });
		expect(scene.said("refund").filter((line) => line.startsWith("user: Refund A-17"))).toHaveLength(1);
	});

	test("3 (A3): an approved call is made once, across all later turns and handoffs", async () => {
		const { tool, done } = ledger();
		const scene = desk({
			triage: [to("refund"), say("Anything else?"), say("Sure?"), say("Bye.")],
			refund: { tools: [tool], story: [call("refund_order", { id: "A-1" }), to("triage")] },
		});
		const chat = scene.harness.session("s", scene.team);
		await answerAll(scene, await chat.send("Refund A-1."));
		await scene.harness.resume((await scene.harness.runs())[0]?.run ?? "");
		await chat.send("Thanks.");
		await chat.send("No.");
		expect(done).toEqual(["A-1"]);
		expect(brokenPrompts(scene)).toEqual([]);
	});

	test("4 (A4, A6, B22): after a restart every result has its call, for providers that keep no state too", async () => {
		const { tool } = ledger();
		const scene = desk({
			triage: { tools: [lookUp], story: [call("look_up", { id: "A-1" }), to("refund"), say("Done?")] },
			refund: { tools: [tool], story: [call("refund_order", { id: "A-1" }), to("triage")] },
		});
		await answerAll(scene, await scene.harness.run(scene.team, "Refund A-1.", { runId: "r" }));
		const second = scene.again();
		await second.harness.resume("r");
		await second.harness.tell("r", "And A-2?");
		const third = scene.again({
			cast: { triage: { tools: [lookUp], story: () => say("No.") }, refund: { tools: [tool], story: [] } },
		});
		expect(onlyWait(await third.harness.resume("r"), "user").text).toBe("No.");
		expect(brokenPrompts(scene, second, third)).toEqual([]);
		expect(third.said("triage")).toEqual([
			"user: Refund A-1.",
			"call: look_up",
			"result: look_up",
			"call: handoff_to_refund",
			"result: handoff_to_refund",
			expect.stringMatching(/^user: \[Handed to you by refund: it is yours\]/),
			"assistant: Done?",
			"user: And A-2?",
		]);
	});

	test("5 (A5, B21): who is returned to reads its own results as it did; the last request is the coordinator's", async () => {
		const scene = desk({
			triage: { tools: [lookUp], story: [call("look_up", { id: "A-1" }), to("refund"), say("All done?")] },
			refund: [to("triage")],
		});
		const result = await scene.harness.run(scene.team, "Refund A-1.", { runId: "r" });
		expect(onlyWait(result, "user")).toMatchObject({ agent: "triage", text: "All done?" });
		const [, before = [], after = []] = scene.prompts["triage"] ?? [];
		expect(after.slice(0, before.length)).toEqual(before);
		const own = after.flatMap((message) => (message.role === "tool" ? message.content : []));
		expect(own).toMatchObject([
			{ toolName: "look_up", output: { type: "json", value: { id: "A-1", total: 40 } } },
			{ toolName: "handoff_to_refund", output: { type: "text", value: "Handed on to refund." } },
		]);
	});

	test("6 (A8, A16, A17, B33, N): nothing of an agent is dropped when it takes part", async () => {
		const seen: string[] = [];
		type ModelRequest = Parameters<NonNullable<Middleware["model"]>>[0];
		const requests: ModelRequest[] = [];
		const layer: Middleware = {
			name: "watcher",
			run: (info, next) => {
				seen.push(`run ${info.agent}`);
				return next();
			},
			model: (request, next, info) => {
				seen.push(`model ${info.agent}`);
				const changed: ModelRequest = { ...request, toolChoice: { type: "auto" } };
				requests.push(changed);
				return next(changed);
			},
			prepareCall: ({ tool, args }, info) => {
				seen.push(`prepare ${info.agent} ${tool}`);
				return tool === "shout" ? { text: "prepared" } : args;
			},
			call: async ({ tool }, next, info) => {
				seen.push(`call ${info.agent} ${tool}`);
				return next();
			},
		};
		const shout = defineTool({
			name: "shout",
			description: "Shouts.",
			input: z.object({ text: z.string() }),
			effect: "read",
			execute: ({ text }) => text.toUpperCase().repeat(10),
		});
		const scene = desk({
			triage: [to("worker")],
			worker: {
				instructions: "Work hard.",
				settings: { temperature: 0.25, maxOutputTokens: 99 },
				middleware: [layer],
				tools: [shout],
				limits: { resultBytesMax: 40, turnsMax: 3 },
				output: z.object({ fine: z.boolean() }),
				story: [call("shout", { text: "asked" }), json({ fine: "no" }), json({ fine: true }), json({ fine: false })],
			},
		});
		const result = await scene.harness.run(scene.team, "go", { runId: "r" });
		expect(onlyWait(result, "user")).toMatchObject({ agent: "worker", text: '{"fine":true}' });
		expect(seen).toEqual([
			"run worker",
			"model worker",
			"prepare worker shout",
			"call worker shout",
			"model worker",
			"model worker",
		]);
		expect(requests[0]).toMatchObject({
			prompt: [{ role: "system", content: "Work hard." }, {}, {}],
			settings: { temperature: 0.25, maxOutputTokens: 99 },
			responseFormat: { type: "json" },
		});
		expect(requests[0]?.tools?.map(({ name }) => name)).toEqual(["shout", "handoff_to_triage"]);
		const events = await scene.events("r");
		expect(ofType(events, "call.decided").at(-1)).toMatchObject({ args: { text: "prepared" } });
		expect(ofType(events, "call.finished").at(-1)).toMatchObject({ outcome: { code: "tool.result_too_large" } });
		expect(ofType(events, "output.rejected")).toHaveLength(1);
	});

	test("6 (N): an agent's own bound on its answers and calls holds in a team, between two words of the user", async () => {
		const { tool, done } = ledger();
		const scene = desk(
			{
				triage: [to("worker")],
				worker: {
					tools: [tool],
					limits: { turnsMax: 2, callsMax: 1 },
					story: () => call("refund_order", { id: "A-1" }),
				},
			},
			{},
			{ harness: { policy: () => ({ verdict: "allow" }) } },
		);
		const result = await scene.harness.run(scene.team, "go", { runId: "r" });
		expect(result).toMatchObject({ status: "failed", error: { code: "limit.turns" } });
		expect(scene.prompts["worker"]).toHaveLength(2);
		expect(done).toEqual(["A-1"]);
		expect(ofType(await scene.events("r"), "call.finished").at(-1)).toMatchObject({ outcome: { code: "limit.calls" } });
	});

	test("12 (B6, B7, B8): who takes over sees no handoff of others, and changes nothing of what was said", async () => {
		const said: string[] = [];
		const scene = desk(
			{ triage: [to("a"), say("Bye.")], a: [to("b")], b: [say("Which one?"), to("triage")] },
			{
				terminateWhen: (conversation) => {
					said.push(JSON.stringify(conversation));
					// Whoever is asked has a copy.
					for (const one of conversation) Object.assign(one, { text: "changed" });
					return false;
				},
			},
		);
		const chat = scene.harness.session("s", scene.team);
		await chat.send("Hello.");
		expect(handoffsSeen(scene, "a")).toEqual([]);
		expect(handoffsSeen(scene, "b")).toEqual([]);
		const [first] = scene.prompts["b"] ?? [];
		await chat.send("The blue one.");
		expect(scene.prompts["b"]?.[1]?.slice(0, first?.length)).toEqual(first);
		expect(handoffsSeen(scene, "triage")).toEqual(["handoff_to_a", "handoff_to_a"]);
		expect(said.at(-1)).toBe(
			JSON.stringify([
				{ by: "user", text: "Hello." },
				{ by: "b", text: "Which one?" },
				{ by: "user", text: "The blue one." },
				{ by: "triage", text: "Bye." },
			]),
		);
	});

	test("13 (B9, B10, B31): streamed, not streamed and stored are the same, in order; ping-pong keeps its order", async () => {
		const cast = () => ({
			a: [
				call("handoff_to_b", { reason: "1" }, { text: "To b." }),
				call("handoff_to_b", { reason: "2" }, { text: "Again." }),
			],
			b: [call("handoff_to_a", { reason: "3" }, { text: "Back to a." }), say("Fine.")],
		});
		const plain = desk(cast());
		await plain.harness.run(plain.team, "go", { runId: "r" });
		const streamed = desk(cast());
		const stream = streamed.harness.stream(streamed.team, "go", { runId: "r" });
		const seen = [];
		let words = "";
		for await (const event of stream) {
			if (event.type === "text.delta") words += event.text;
			if (!event.type.endsWith(".delta")) seen.push(event);
		}
		expect(words).toBe("To b.Back to a.Again.Fine.");
		expect(seen).toEqual(await streamed.events("r"));
		const timeless = (events: readonly object[]) => events.map((event) => ({ ...event, ms: 0 }));
		expect(timeless(seen)).toEqual(timeless(await plain.events("r")));
		expect(streamed.said("b")).toEqual([
			"user: go",
			"user: [a] To b.",
			"user: [Handed to you by a: 1]",
			"assistant: Back to a.",
			"call: handoff_to_a",
			"result: handoff_to_a",
			"user: [a] Again.",
			"user: [Handed to you by a: 2]",
		]);
	});
});

describe("what is carried", () => {
	const carrying = (carry: "none" | "summary" | "results", carryTokensMax = 4_000) =>
		desk(
			{
				triage: {
					tools: [lookUp],
					story: [
						call("look_up", { id: "A-1" }),
						call("look_up", { id: "A-2" }),
						to("refund", { summary: "two orders" }),
					],
				},
				refund: {
					tools: [lookUp],
					story: (ask) => say(JSON.stringify(ask.messages).includes('\\"total\\":40') ? "40" : "?"),
				},
			},
			{ edges: { triage: [{ to: "refund", carry, carryTokensMax }] } },
		);

	test.each(["none", "summary", "results"] as const)("14 (B11–B13, N): %s", async (carry) => {
		const scene = carrying(carry);
		const result = await scene.harness.run(scene.team, "Refund A-1.", { runId: "r" });
		expect(onlyWait(result, "user").text).toBe(carry === "results" ? "40" : "?");
		const told = scene.said("refund").at(-1) ?? "";
		expect(told.includes("Summary: two orders")).toBe(carry !== "none");
		expect(told.includes('look_up({"id":"A-1"}) → {"id":"A-1","total":40}')).toBe(carry === "results");
		// The specialist used what the coordinator had found, and looked nothing up again.
		expect(ofType(await scene.events("r"), "call.started")).toHaveLength(3);
	});

	test("14 (N): what does not fit is left out, the oldest first", async () => {
		const scene = carrying("results", 20);
		await scene.harness.run(scene.team, "Refund A-1.", { runId: "r" });
		expect(ofType(await scene.events("r"), "run.handed")).toMatchObject([{ results: ["c2"] }]);
	});

	test("14 (N): what one way did not carry, a later one may", async () => {
		const scene = desk(
			{
				triage: { tools: [lookUp], story: [call("look_up", { id: "A-1" }), to("a")] },
				a: [to("b"), say("Done.")],
				b: [to("a")],
			},
			{ edges: { triage: [{ to: "a", carry: "none" }], a: ["b"], b: ["a"] } },
		);
		await scene.harness.run(scene.team, "go", { runId: "r" });
		const carried = ofType(await scene.events("r"), "run.handed").map(({ results = [] }) => results);
		expect(carried).toEqual([[], ["c1"], ["c1"]]);
	});
});

describe("build", () => {
	test("8 (A12, A13, B1): what cannot work is an error that says what", () => {
		const { agents } = desk({ a: [], b: [] });
		const [a, b] = [agents["a"]!, agents["b"]!];
		const team = handoff({ name: "support" });
		expect(() => team.participants([a, b]).build()).toThrow(/no agent that begins/);
		expect(() => team.build()).toThrow(/has no participants/);
		expect(() => team.participants([a, b, a]).coordinator(a).build()).toThrow(/two participants named a/);
		expect(() => team.participants([a, b]).coordinator(a).edge(a, b).edge(a, b).build()).toThrow(
			/two edges from a to b/,
		);
		const clash = { ...a, tools: [{ ...lookUp, name: "handoff_to_b" }] };
		expect(() => defineTeam({ name: "x", participants: [clash, b], coordinator: "a" })).toThrow(
			/tool of its own.*handoff_to_b/,
		);
	});
});

describe("teams of teams", () => {
	test("23 (N): a team takes part in another team, and work goes into it and out of it", async () => {
		const scene = teamStage({
			cast: {
				triage: [to("billing")],
				clerk: [to("auditor")],
				auditor: [say("Which invoice?"), to("triage")],
			},
			team: ({ triage, clerk, auditor }) => {
				const billing = handoff({ name: "billing" }).participants([clerk!, auditor!]).coordinator(clerk!).build();
				return handoff({ name: "support" }).participants([triage!, billing]).coordinator(triage!).build();
			},
		});
		const chat = scene.harness.session("s", scene.team);
		expect(onlyWait(await chat.send("My bill is wrong."), "user").agent).toBe("auditor");
		const later = scene.again({
			cast: {
				triage: [to("billing"), say("Settled.")],
				clerk: [to("auditor")],
				auditor: [say("Which invoice?"), to("triage")],
			},
		});
		const second = await later.harness.session("s", later.team).send("No. 7.");
		expect(onlyWait(second, "user")).toMatchObject({ agent: "triage", text: "Settled." });
		const ways = ofType(await later.events(second.run), "run.handed").map(({ from, to: next }) => `${from} → ${next}`);
		expect(ways).toEqual(["triage → clerk", "clerk → auditor", "auditor → triage"]);
		expect(brokenPrompts(scene, later)).toEqual([]);
	});
});
