import { describe, expect, test } from "vitest";
import { defineAgent } from "../run/define-agent.ts";
import { handoff } from "./handoff.ts";
import { groupChat, parallel, pipeline } from "./shapes.ts";

const agent = (name: string) => defineAgent({ name, instructions: "x" });
const [a, b, c, d, end] = ["a", "b", "c", "d", "end"].map(agent) as [Agent, Agent, Agent, Agent, Agent];
type Agent = ReturnType<typeof agent>;

const linesOf = (team: { toMermaid(): string }) =>
	team
		.toMermaid()
		.split("\n")
		.map((line) => line.trimEnd())
		.filter(Boolean);

describe("toMermaid", () => {
	test("a team that hands on: who begins, the ways, what they carry, and who asks", () => {
		const team = handoff({ name: "support" })
			.participants([a, b, end])
			.coordinator(a)
			.edge(a, b, { carry: "none" })
			.edge(b, end, { carry: "summary" })
			.edge(end, a)
			.build();
		expect(linesOf(team)).toEqual([
			"flowchart LR",
			"    start((user))",
			"    agent_a([a])",
			"    agent_b[b]",
			"    agent_end[end]",
			"    agent_a -->|nothing carried| agent_b",
			"    agent_b -->|summary| agent_end",
			"    agent_end --> agent_a",
			"    start --> agent_a",
			"    agent_a -. asks .-> start",
		]);
	});

	test("a pipeline with a way back", () => {
		const team = pipeline([a, b, c], { name: "row", back: { from: "c", to: ["a", "b"] } });
		expect(linesOf(team).slice(5)).toEqual([
			"    agent_c -->|back| agent_a",
			"    agent_c -->|back| agent_b",
			"    agent_a --> agent_b",
			"    agent_b --> agent_c",
			"    start --> agent_a",
		]);
	});

	test("beside each other, and joined", () => {
		expect(linesOf(parallel([a, b], { name: "all" })).slice(2)).toEqual([
			"    agent_a([a])",
			"    agent_b([b])",
			"    join_agent_all[/join/]",
			"    agent_a --> join_agent_all",
			"    agent_b --> join_agent_all",
			"    start --> agent_a",
			"    start --> agent_b",
		]);
	});

	test("a group chat, chosen by a function and by an agent", () => {
		expect(linesOf(groupChat([a, b], { name: "table", chooser: () => "a" })).slice(2)).toEqual([
			"    agent_a([a])",
			"    agent_b[b]",
			"    chooser_agent_table{{chooser}}",
			"    agent_a --> chooser_agent_table",
			"    chooser_agent_table --> agent_a",
			"    agent_b --> chooser_agent_table",
			"    chooser_agent_table --> agent_b",
			"    start --> agent_a",
		]);
		expect(linesOf(groupChat([a, b], { name: "table", chooser: c })).slice(2)).toEqual([
			"    agent_c([c])",
			"    agent_a[a]",
			"    agent_b[b]",
			"    agent_c --> agent_a",
			"    agent_c --> agent_b",
			"    agent_a --> agent_c",
			"    agent_b --> agent_c",
			"    start --> agent_c",
		]);
	});

	test("teams inside are boxes, entered where they begin and left from where they end", () => {
		const panel = parallel([b, c], { name: "panel" });
		expect(linesOf(pipeline([a, panel, d], { name: "row" })).slice(2)).toEqual([
			"    agent_a([a])",
			"    subgraph agent_panel [panel]",
			"        agent_b([b])",
			"        agent_c([c])",
			"        join_agent_panel[/join/]",
			"        agent_b --> join_agent_panel",
			"        agent_c --> join_agent_panel",
			"    end",
			"    agent_d[d]",
			"    agent_a --> agent_b",
			"    agent_a --> agent_c",
			"    join_agent_panel --> agent_d",
			"    start --> agent_a",
		]);
	});

	test("two names never become one id", () => {
		const team = parallel([agent("a-b"), agent("a_b"), agent("a__b"), agent("a_db")], { name: "all" });
		const ids = linesOf(team).flatMap((line) => line.match(/^ {4}(agent_\w+)\(\[/)?.[1] ?? []);
		expect(new Set(ids).size).toBe(4);
	});
});
