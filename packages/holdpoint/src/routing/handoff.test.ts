import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { defineAgent } from "../run/define-agent.ts";
import type { Team } from "../spec/team.ts";
import { defineTool } from "../tools/define-tool.ts";
import { defineTeam, handoff } from "./handoff.ts";
import { groupChat, parallel, pipeline } from "./shapes.ts";
import { handoffsOf } from "./topology.ts";

const look = defineTool({ name: "look", description: "Looks.", input: z.object({}), execute: () => null });
const desk = defineAgent({ name: "desk", instructions: "Route." });
const refund = defineAgent({ name: "refund", instructions: "Refund.", tools: [look] });
const audit = defineAgent({ name: "audit", instructions: "Audit." });

const waysOf = (team: Team) =>
	Object.fromEntries(team.participants.map(({ name }) => [name, [...handoffsOf(team, name).keys()]]));

describe("build", () => {
	test("without an edge everybody may hand on to everybody; with one only on those that are there", () => {
		const all = handoff({ name: "support" }).participants([desk, refund, audit]).coordinator(desk);
		expect(waysOf(all.build())).toEqual({
			desk: ["handoff_to_refund", "handoff_to_audit"],
			refund: ["handoff_to_desk", "handoff_to_audit"],
			audit: ["handoff_to_desk", "handoff_to_refund"],
		});
		const some = all.edge(desk, [refund, audit]).edge(refund, "desk").build();
		expect(waysOf(some)).toEqual({
			desk: ["handoff_to_refund", "handoff_to_audit"],
			refund: ["handoff_to_desk"],
			audit: [],
		});
	});

	test("the plain object and the builder make the same team", () => {
		const built = handoff({ name: "support" })
			.participants([desk, refund, audit])
			.startWith(desk)
			.edge(desk, refund, { description: "Money.", carry: "summary", carryTokensMax: 100, only: ["look"] })
			.edge(refund, [desk, audit])
			.interaction("autonomous", { turnsMax: 7, turnsMaxOf: { audit: 2 }, prompt: "On." })
			.limits({ handoffsMax: 5, pingPongMax: 3, toolTimeoutMs: 1_000 })
			.build();
		const { toMermaid, ...plain } = defineTeam({
			name: "support",
			participants: [desk, refund, audit],
			coordinator: "desk",
			edges: {
				desk: [{ to: "refund", description: "Money.", carry: "summary", carryTokensMax: 100, only: ["look"] }],
				refund: ["desk", { to: "audit" }],
			},
			interaction: { mode: "autonomous", turnsMax: 7, turnsMaxOf: { audit: 2 }, prompt: "On." },
			handoffsMax: 5,
			pingPongMax: 3,
			limits: { toolTimeoutMs: 1_000 },
		});
		expect(built).toEqual({ ...plain, toMermaid: expect.any(Function) });
		expect(built.toMermaid()).toBe(toMermaid());
	});

	test("a builder is a value: what is added to it leaves it as it was", () => {
		const base = handoff({ name: "support" }).participants([desk, refund, audit]).coordinator(desk);
		const narrow = base.edge(desk, refund);
		narrow.edge(refund, audit);
		expect(waysOf(base.build())["audit"]).toHaveLength(2);
		expect(waysOf(narrow.edge(desk, audit).build())["refund"]).toEqual([]);
	});

	test("the digest tells teams apart that hand on otherwise", () => {
		const base = handoff({ name: "support" }).participants([desk, refund]).coordinator(desk);
		const teams = [
			base,
			base.edge(desk, refund),
			base.edge(desk, refund, { carry: "none" }),
			base.coordinator(refund),
			base.interaction("autonomous"),
			base.limits({ handoffsMax: 3 }),
		].map((builder) => builder.build().digest);
		expect(new Set(teams).size).toBe(teams.length);
		expect(base.build().digest).toBe(base.build().digest);
	});

	const base = { name: "support", participants: [desk, refund], coordinator: "desk" } as const;
	const other = { ...refund, name: "desk" };
	const inner = defineTeam({ name: "inner", participants: [audit], coordinator: "audit" });
	const clash = { ...desk, tools: [{ ...look, name: "handoff_to_refund" }] };
	const long = defineAgent({ name: "a".repeat(60), instructions: "x" });
	const wrong: readonly (readonly [what: string, definition: object, message: string | RegExp])[] = [
		["no start agent", { coordinator: undefined }, "team support has no agent that begins: name its coordinator"],
		["no participants", { participants: [] }, "team support has no participants"],
		["no list of them", { participants: undefined }, "team support has no participants"],
		[
			"a start agent who is not there",
			{ coordinator: "nobody" },
			"team support begins with nobody, who is no participant",
		],
		["a participant twice", { participants: [desk, refund, desk] }, "team support has two participants named desk"],
		["two of one name", { participants: [desk, other] }, "team support has two participants named desk"],
		[
			"one that is in a team inside it, too",
			{ participants: [desk, audit, inner] },
			"team support has two participants named audit",
		],
		["one named as the team", { name: "desk" }, "team desk has two participants named desk"],
		[
			"one named user",
			{ participants: [{ ...desk, name: "user" }], coordinator: "user" },
			/no participant can be named user/,
		],
		[
			"what is no agent",
			{ participants: [{ name: "x" }], coordinator: "x" },
			/neither `defineAgent` nor a team's builder made/,
		],
		["nothing in the list", { participants: [undefined] }, /neither `defineAgent` nor a team's builder made/],
		[
			"an edge from nobody",
			{ edges: { nobody: ["desk"] } },
			"team support has an edge from nobody, who is no participant",
		],
		["an edge to nobody", { edges: { desk: ["nobody"] } }, "team support has an edge to nobody, who is no participant"],
		["an edge to itself", { edges: { desk: ["desk"] } }, "team support has an edge from desk to itself"],
		[
			"an edge twice",
			{ edges: { desk: ["refund", { to: "refund" }] } },
			"team support has two edges from desk to refund",
		],
		[
			"an unknown carry",
			{ edges: { desk: [{ to: "refund", carry: "all" }] } },
			/carries "all"; it is none, summary or results/,
		],
		[
			"no tokens",
			{ edges: { desk: [{ to: "refund", carryTokensMax: 0 }] } },
			/carryTokensMax from desk to refund is a whole number/,
		],
		[
			"a tool that is not there",
			{ edges: { desk: [{ to: "refund", only: ["lok"] }] } },
			/leaves refund only the tool lok, which it has not/,
		],
		[
			"a tool named as a handoff",
			{ participants: [clash, refund] },
			"team support: desk has a tool of its own that is named handoff_to_refund",
		],
		["a name too long for a tool", { participants: [desk, long] }, /is longer than 64 characters/],
		["no name", { name: "" }, '"" is no team name'],
		["a name with signs", { name: "a b" }, '"a b" is no team name'],
		["an unknown interaction", { interaction: "manual" }, '"manual" is no interaction'],
		[
			"no turns",
			{ interaction: { mode: "autonomous", turnsMax: 0 } },
			"team support sets turnsMax to 0; it is a whole number from 1 on",
		],
		[
			"turns of nobody",
			{ interaction: { mode: "autonomous", turnsMaxOf: { nobody: 2 } } },
			"team support sets turnsMax of nobody, who is no participant",
		],
		["half a handoff", { handoffsMax: 0.5 }, "team support sets handoffsMax to 0.5; it is a whole number from 1 on"],
		["no ping-pong", { pingPongMax: Number.NaN }, /sets pingPongMax to NaN/],
		["a limit that is none", { limits: { turnMax: 3 } }, 'team support sets "turnMax", which is no limit'],
		["a limit that is no number", { limits: { turnsMax: "3" } }, /sets turnsMax to 3; it is a whole number/],
		[
			"a condition that is no function",
			{ terminateWhen: true },
			"team support has a terminateWhen that is no function",
		],
	];

	test.each(wrong)("fails with %s", (_, definition, message) => {
		const build = () => defineTeam({ ...base, ...definition } as never);
		expect(build).toThrow(message);
		expect(build).toThrow(expect.objectContaining({ code: "team.invalid" }));
	});

	test.each([
		["a pipeline of nobody", () => pipeline([], { name: "row" }), "team row has no participants"],
		[
			"a way back to somebody later",
			() => pipeline([desk, refund], { name: "row", back: { from: "desk", to: "refund" } }),
			/desk returns work to refund, who does not come before it/,
		],
		[
			"a way back from nobody",
			() => pipeline([desk, refund], { name: "row", back: { from: "x" as "desk", to: "desk" } }),
			/from x, who is no participant/,
		],
		[
			"a way back to nobody",
			() => pipeline([desk, refund], { name: "row", back: { from: "refund", to: "x" as "desk" } }),
			/to x, who is no participant/,
		],
		[
			"no returns",
			() => pipeline([desk, refund], { name: "row", back: { from: "refund", to: "desk", max: 0 } }),
			/sets handoffsMax to 0/,
		],
		["nobody beside nobody", () => parallel([], { name: "all" }), "team all has no participants"],
		[
			"a join that is no function",
			() => parallel([desk], { name: "all", join: "x" as never }),
			"team all has a join that is no function",
		],
		[
			"an empty table",
			() => groupChat([], { name: "table", chooser: () => undefined }),
			"team table has no participants",
		],
		[
			"a table of its chooser alone",
			() => groupChat([], { name: "table", chooser: desk }),
			"team table has nobody to choose",
		],
		[
			"a chooser that is at the table, too",
			() => groupChat([desk], { name: "table", chooser: desk }),
			"team table has two participants named desk",
		],
		[
			"no chooser",
			() => groupChat([desk], { name: "table", chooser: undefined as never }),
			"team table has no chooser",
		],
		[
			"no rounds",
			() => groupChat([desk], { name: "table", chooser: () => undefined, roundsMax: 0 }),
			/sets roundsMax to 0/,
		],
	])("a fixed shape fails with %s", (_, build, message) => {
		expect(build).toThrow(message);
		expect(build).toThrow(expect.objectContaining({ code: "team.invalid" }));
	});

	test("an agent that nothing leads to is a warning", () => {
		const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		try {
			handoff({ name: "support" }).participants([desk, refund, audit]).coordinator(desk).edge(desk, refund).build();
			expect(warn.mock.calls).toEqual([
				["In the team support no edge leads to audit", { code: "HOLDPOINT_UNREACHABLE" }],
			]);
			warn.mockClear();
			handoff({ name: "support" }).participants([desk, refund, audit]).coordinator(desk).build();
			pipeline([desk, refund, audit], { name: "row" });
			parallel([desk, refund, audit], { name: "all" });
			groupChat([desk, refund], { name: "table", chooser: () => undefined });
			groupChat([desk, refund], { name: "table", chooser: audit });
			expect(warn).not.toHaveBeenCalled();
		} finally {
			warn.mockRestore();
		}
	});
});

/** The type checker runs over tests: each of these is an error, or `@ts-expect-error` is one. */
describe("what does not compile", () => {
	const team = handoff({ name: "support" }).participants([desk, refund]).coordinator("desk");

	test("an edge or a coordinator that is no participant", () => {
		// @ts-expect-error audit is no participant
		expect(() => team.edge("desk", "audit").build()).toThrow(/edge to audit/);
		// @ts-expect-error audit is no participant
		expect(() => team.edge(audit, desk).build()).toThrow(/edge from audit/);
		// @ts-expect-error audit is no participant
		expect(() => team.edge(desk, [refund, audit]).build()).toThrow(/edge to audit/);
		// @ts-expect-error audit is no participant
		expect(() => team.coordinator(audit).build()).toThrow(/begins with audit/);
		// @ts-expect-error nobody is no participant
		expect(() => team.startWith("nobody").build()).toThrow(/begins with nobody/);
		// @ts-expect-error before participants are named there is nobody
		expect(() => handoff({ name: "x" }).coordinator("desk").build()).toThrow(/no participants/);
	});

	test("the same of the plain object", () => {
		const participants = [desk, refund] as const;
		// @ts-expect-error audit is no participant
		expect(() => defineTeam({ name: "x", participants, coordinator: "audit" })).toThrow(/begins with audit/);
		// @ts-expect-error audit is no participant
		expect(() => defineTeam({ name: "x", participants, coordinator: "desk", edges: { desk: ["audit"] } })).toThrow(
			/edge to audit/,
		);
		// @ts-expect-error audit is no participant
		expect(() => defineTeam({ name: "x", participants, coordinator: "desk", edges: { audit: ["desk"] } })).toThrow(
			/edge from audit/,
		);
	});

	test("the same of the fixed shapes", () => {
		// @ts-expect-error audit is no participant
		expect(() => pipeline([desk, refund], { name: "row", back: { from: "refund", to: "audit" } })).toThrow(/to audit/);
		// @ts-expect-error audit is nobody whom it could choose
		expect(groupChat([desk, refund], { name: "table", chooser: () => "audit" }).flow.kind).toBe("group-chat");
		// @ts-expect-error audit is nobody who answered
		expect(parallel([desk, refund], { name: "all", join: ({ audit: said }) => said }).flow.kind).toBe("parallel");
		const join = ({ desk: one, refund: other }: { readonly desk: string; readonly refund: string }) => [one, other];
		expect(parallel([desk, refund], { name: "all", join }).start).toEqual(["desk", "refund"]);
	});

	test("agents whose names are not known until the program runs compile, and are checked then", () => {
		const named = (name: string) => defineAgent({ name, instructions: "x" });
		const loose = handoff({ name: "x" })
			.participants([named("a"), named("b")])
			.coordinator("a");
		expect(loose.edge("a", "b").build().edges.get("a")).toMatchObject([{ to: "b" }]);
		expect(() => loose.edge("a", "c").build()).toThrow(/edge to c/);
	});
});
