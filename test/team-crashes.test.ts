import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineTool, OutcomeUnknown } from "holdpoint";
import { sqliteStore } from "holdpoint/stores/sqlite";
import { agentTool, groupChat, handoff, parallel, pipeline } from "holdpoint/teams";
import { call, calls, say } from "holdpoint/testing";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { endOf, placesOf, playTeam, type TeamPlay } from "./team-play.ts";

/**
 * Runs of teams whose processes die at each of their commits in turn, before it and after it, and whose people come back
 * in other processes. Each time all agents have said and seen the same in the end, and nothing happened twice.
 */

const to = (agent: string) => call(`handoff_to_${agent}`, { reason: "it is yours" });

const letter = defineTool({
	name: "write_letter",
	description: "Writes a letter; the answer comes by letter.",
	input: z.object({ what: z.string() }),
	execute: () => {
		throw new OutcomeUnknown("the answer comes by letter");
	},
});

const policy: NonNullable<TeamPlay["harness"]> = {
	policy: ({ tool }) => (tool.name === "book" ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
};

/** A user's reply, an approval, a call that is answered from outside, handoffs both ways, and an end that was foreseen. */
const desk: TeamPlay = {
	harness: policy,
	replies: ["A-1", "No."],
	cast: ({ look, book }) => ({
		triage: {
			tools: [look],
			story: [call("look", { what: "orders" }), to("refund"), say("Anything else?"), say("Goodbye.")],
		},
		refund: {
			tools: [book, letter],
			story: [
				say("Which one?"),
				call("book", { what: "a refund" }),
				call("write_letter", { what: "A-1" }),
				to("triage"),
			],
		},
	}),
	team: ({ triage, refund }) =>
		handoff({ name: "support" })
			.participants([triage!, refund!])
			.coordinator(triage!)
			.terminateWhen(async (said) => said.at(-1)?.text === "Goodbye.")
			.build(),
};

const returning: TeamPlay = {
	harness: policy,
	cast: ({ book }) => ({
		writer: [say("draft"), say("better draft")],
		reviewer: [call("handoff_to_writer", { reason: "too short" }), say("fine")],
		printer: { tools: [book], story: [call("book", { what: "paper" }), say("printed")] },
	}),
	team: ({ writer, reviewer, printer }) =>
		pipeline([writer!, reviewer!, printer!], { name: "press", back: { from: "reviewer", to: "writer" } }),
};

/** Two beside each other, one of them a team of its own that waits for a person. */
const beside: TeamPlay = {
	harness: policy,
	cast: ({ look, book }) => ({
		quick: { tools: [look], story: [call("look", { what: "a" }), say("quick is done")] },
		asker: [to("payer")],
		payer: { tools: [book], story: [call("book", { what: "b" }), say("paid")] },
		left: [say("left")],
		right: [say("right")],
	}),
	team: ({ quick, asker, payer, left, right }) => {
		const pay = pipeline(
			[
				handoff({ name: "pay" })
					.participants([asker!, payer!])
					.coordinator(asker!)
					.terminateWhen((said) => said.some(({ by }) => by === "payer"))
					.build(),
			],
			{ name: "row" },
		);
		const inner = parallel([left!, right!], { name: "inner", join: ({ left: l, right: r }) => `${l} and ${r}` });
		return parallel([quick!, pay, inner], { name: "all", join: async (answers) => ({ ...answers }) });
	},
};

const table = (chooser: "function" | "agent"): TeamPlay => ({
	harness: policy,
	cast: ({ book }) => ({
		chair: [to("a"), to("b"), say("We have decided.")],
		a: { tools: [book], story: [call("book", { what: "a room" }), say("I say a.")] },
		b: [say("I say b.")],
	}),
	team: ({ chair, a, b }) =>
		chooser === "agent"
			? groupChat([a!, b!], { name: "table", chooser: chair! })
			: groupChat([a!, b!], { name: "table", chooser: (said) => (said.at(-1)?.by === "a" ? "b" : undefined) }),
});

/** An agent, and a team, as tools of another one; a held call inside of both. */
const office: TeamPlay = {
	harness: policy,
	cast: ({ book, look }) => ({
		boss: [
			calls([
				{ tool: "ask_clerk", args: { task: "book it" } },
				{ tool: "ask_pair", args: { task: "look and book" } },
			]),
			say("All done."),
		],
		clerk: { tools: [book], story: [call("book", { what: "a desk" }), say("booked")] },
		x: { tools: [look], story: [call("look", { what: "x" }), say("seen")] },
		y: { tools: [book], story: [call("book", { what: "a chair" }), say("both done")] },
	}),
	team: ({ boss, clerk, x, y }) => {
		const pair = pipeline([x!, y!], { name: "pair" });
		return pipeline([{ ...boss!, tools: [agentTool(clerk!), agentTool(pair)] }], { name: "office" });
	},
};

const plays: Readonly<Record<string, TeamPlay>> = {
	"a desk that hands on": desk,
	"a pipeline with a way back": returning,
	"agents and teams beside each other": beside,
	"a group chat whose chooser is a function": table("function"),
	"a group chat whose chooser is an agent": table("agent"),
	"agents and a team as tools": office,
};

const uninterrupted: Readonly<Record<string, object>> = {
	"a desk that hands on": { result: { status: "completed", output: "Goodbye." }, happened: ["booked a refund"] },
	"a pipeline with a way back": { result: { status: "completed", output: "printed" }, happened: ["booked paper"] },
	"agents and teams beside each other": {
		result: { status: "completed", output: { quick: "quick is done", row: "paid", inner: "left and right" } },
		happened: ["booked b"],
	},
	"a group chat whose chooser is a function": {
		result: { status: "completed", output: "I say b." },
		happened: ["booked a room"],
	},
	"a group chat whose chooser is an agent": {
		result: { status: "completed", output: "We have decided." },
		happened: ["booked a room"],
	},
	"agents and a team as tools": {
		result: { status: "completed", output: "All done." },
		happened: ["booked a desk", "booked a chair"],
	},
};

describe.each(Object.keys(plays))("11 (N): %s", (name) => {
	const play = plays[name] as TeamPlay;

	test("I1 I7: with a death at each commit it ends the same, and nothing happens twice", async () => {
		const first = await playTeam(play);
		expect(endOf(first)).toMatchObject({ ...uninterrupted[name], problems: [] });
		expect(first.commits).toBeGreaterThan(3);
		for (const place of placesOf(first)) {
			const played = await playTeam(play, [place]);
			expect(played.crashes, JSON.stringify(place)).toBe(1);
			expect(endOf(played), JSON.stringify(place)).toEqual(endOf(first));
		}
	});
});

describe("11 (A30): on SQLite", () => {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-teams-"));
	afterAll(() => rmSync(folder, { recursive: true }));
	let files = 0;
	const onDisk = (): TeamPlay => {
		const file = join(folder, `${++files}.db`);
		return { ...desk, open: () => sqliteStore(file) };
	};

	test("a process for each pause, and deaths between them: the same transcript, no side effect twice", async () => {
		const first = await playTeam(onDisk());
		expect(endOf(first)).toEqual(endOf(await playTeam(desk)));
		for (const place of placesOf(first)) {
			// The second one dies soon after: a third goes on.
			const played = await playTeam(onDisk(), [place, { at: 2, when: "after" }]);
			expect(endOf(played), JSON.stringify(place)).toEqual(endOf(first));
		}
	});
});
