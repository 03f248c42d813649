import { agentTool } from "holdpoint/teams";
import { program, say } from "holdpoint/testing";
import { afterAll, expect, test } from "vitest";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";
import { call } from "../packages/holdpoint/src/testing/story.ts";
import { endOf, placesOf, playTeam, type TeamPlay } from "./team-play.ts";

/** A program that puts tasks to an agent, which is held inside of it: whatever dies, it goes on around that. */

const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());

const source = `const seen = await tools.look({ what: "first" });
const [clerk, own] = await Promise.all([tools.ask_clerk({ task: seen }), tools.book({ what: "own" })]);
return [clerk, own].join();`;

const play: TeamPlay = {
	harness: {
		sandbox,
		policy: ({ tool }) => (tool.name === "book" ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
	},
	cast: ({ look, book }) => ({
		boss: { programs: true, tools: [look, book], story: [program(source), say("Done.")] },
		clerk: { tools: [book], story: [call("book", { what: "the clerk's" }), say("booked it")] },
	}),
	team: ({ boss, clerk }) => ({ ...boss!, tools: [...boss!.tools, agentTool(clerk!)] }),
};

test("11 I1 I7: with a death at each commit it ends the same, and nothing happens twice", async () => {
	const first = await playTeam(play);
	const happened = (played: typeof first) => [...played.world.happened].sort();
	expect(endOf(first)).toMatchObject({ result: { status: "completed", output: "Done." }, problems: [] });
	expect(happened(first)).toEqual(["booked own", "booked the clerk's"]);
	for (const place of placesOf(first)) {
		const played = await playTeam(play, [place]);
		expect(played.problems, JSON.stringify(place)).toEqual([]);
		expect(played.result, JSON.stringify(place)).toMatchObject({ status: "completed", output: "Done." });
		expect(happened(played), JSON.stringify(place)).toEqual(happened(first));
		expect(played.transcript, JSON.stringify(place)).toEqual(first.transcript);
	}
}, 120_000);
