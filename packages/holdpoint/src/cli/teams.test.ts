import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { widthOf } from "./render/text-width.ts";
import { type TeamScene, teamScene } from "./team-scene.ts";

let scene: TeamScene;
beforeEach(() => {
	scene = teamScene();
});
afterEach(() => scene.remove());

/** The lines of a timeline without their times. */
function linesOf(text: string): string[] {
	return text.split("\n").map((line) => line.replace(/^[\d:.]{12}/, "").replace(/ {2}[\d.]+ m?s$/, ""));
}

describe("the commands, where a team works", () => {
	test("a team is run like an agent; each line says whose it is, and a handoff what goes over", async () => {
		const { code, out } = await scene.cli("run", "refund please", "--agent", "support", "--run-id", "r");
		expect(code).toBe(3);
		const lines = linesOf(out);
		expect(lines[0]).toMatch(/● asked {2}team support · begins with desk · for /);
		expect(lines).toContain('  ✓ desk · look_up {order: "A-1"} → {order: "A-1", cents: 900}');
		const handed = lines.findIndex((line) => line.includes("⇢ desk hands on to refund"));
		expect(lines.slice(handed + 1, handed + 4).map((line) => line.trim())).toEqual([
			"a refund of A-1",
			"Summary: she is nice",
			"It is told the result of c1.",
		]);
		expect(out).not.toContain("handoff_to_refund");
		expect(lines.some((line) => /◆ refund {2}/.test(line))).toBe(true);
		expect(out).toContain("? refund waits for an answer:");
	});

	test("the reply to an agent that asked is told and read when the run goes on", async () => {
		await scene.cli("run", "refund please", "--agent", "support", "--run-id", "r");
		const listed = await scene.cli("runs");
		expect(listed.out).toContain("the user's reply to refund");
		expect((await scene.cli("runs", "--json")).json()).toMatchObject([
			{ runs: [{ run: "r", asked: [{ agent: "refund", text: "Shall I pay 9.00?" }] }] },
		]);
		const told = await scene.cli("tell", "r", "yes, please");
		expect(told).toMatchObject({ code: 0, out: expect.stringContaining("r is told.") });
		const resumed = await scene.cli("resume", "r");
		expect(resumed.out).toMatch(/● told {2}refund/);
		expect(resumed.out).toContain("refund · held  pay {cents: 900}");
		const held = await scene.cli("approvals");
		expect(held.out).toContain("by agent refund, run r");
	});

	test("a message for a run that is over is refused, and one from standard input is taken", async () => {
		await scene.cli("run", "refund please", "--agent", "support", "--run-id", "r");
		expect((await scene.typing(["yes"], "tell", "r", "-", "--json")).json()).toEqual([
			{ run: "r", told: "yes\n", mode: "turn" },
		]);
		await scene.cli("cancel", "r");
		expect(await scene.cli("tell", "r", "hello")).toMatchObject({ code: 1, err: expect.stringContaining("over") });
	});

	test("what is done inside of a call is indented, and the asking agent is named", async () => {
		const { out } = await scene.cli("run", "pay the clerk", "--agent", "office", "--run-id", "o");
		const lines = linesOf(out);
		const put = lines.findIndex((line) => line.includes("⇢ boss · c1 is put to clerk"));
		expect(lines[put]?.indexOf("⇢")).toBe(2);
		const held = lines.find((line) => line.includes("clerk · held  pay"));
		expect(held?.indexOf("‖")).toBe(4);
		expect(out).toContain("by agent clerk, run o");
	});

	test("a team with an agent that has no model does not begin, and says which one", async () => {
		const { code, err } = await scene.cli("run", "hello", "--agent", "empty");
		expect(code).toBe(1);
		expect(err).toContain("Agent bare has no model");
	});

	test("an agent of a team can be switched off, and its calls explained", async () => {
		await scene.cli("run", "refund please", "--agent", "support", "--run-id", "r");
		expect((await scene.cli("off", "agent", "shipping", "--reason", "x")).out).not.toContain("spelt right");
		expect((await scene.cli("off", "agent", "shiping", "--reason", "x")).out).toContain("spelt right");
		// A team inside of another one, and who is a tool of somebody in it.
		for (const name of ["floor", "office", "boss", "clerk"])
			expect((await scene.cli("off", "agent", name, "--reason", "x")).out).not.toContain("spelt right");
		const { out } = await scene.cli("policy", "explain", "r", "c1");
		expect(out).toContain("by agent desk");
	});

	test("team says who is in it, with which tools, and who may hand on to whom", async () => {
		const { out } = await scene.cli("team", "support");
		expect(out).toContain("desk begins; an answer without a handoff asks the user, and whoever asked reads the reply.");
		expect(out).toMatch(/\ndesk {2}begins · scripted\n {2}tools: look_up \(read\)\n {2}→ shipping\n/);
		expect(out).toContain("  → refund: When money is to go back. · it may use pay");
		expect(out).toMatch(/\nrefund {2}scripted\n {2}tools: pay \(write\)\n {2}→ desk: nothing is carried\n/);
		expect((await scene.cli("team", "office", "--json")).json()).toMatchObject([
			{
				name: "office",
				flow: "pipeline",
				members: [
					{ name: "boss", begins: true, tools: [{ name: "ask_clerk", agent: "clerk" }], ways: [] },
					{ name: "clerk", isTool: true },
				],
			},
		]);
	});

	test("team draws a team as a Mermaid flowchart, and no single agent", async () => {
		const { out } = await scene.cli("team", "support", "--mermaid");
		expect(out).toMatch(/^flowchart LR\n[\s\S]*agent_desk --> agent_refund/);
		expect(await scene.cli("team", "clerk", "--mermaid")).toMatchObject({ code: 2 });
		expect((await scene.cli("team", "clerk")).out).toContain("An agent by itself.");
	});

	test.each([80, 120])("nothing of a team's run is wider than %i columns", async (columns) => {
		await scene.cli("run", "refund please", "--agent", "support", "--run-id", "r");
		await scene.cli("run", "pay the clerk", "--agent", "office", "--run-id", "o");
		const { recorded } = await import("./recording-host.ts");
		for (const argv of [["show", "r"], ["show", "o"], ["runs"], ["team", "support"]]) {
			const { out } = await recorded(argv, { cwd: scene.cwd, columns });
			expect(out.split("\n").filter((line) => widthOf(line) > columns)).toEqual([]);
		}
	});
});
