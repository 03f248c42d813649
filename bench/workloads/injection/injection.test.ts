import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sandboxUnderTest } from "../../../packages/holdpoint/src/testing/sandbox-under-test.ts";
import { demoAsks } from "./benign.ts";
import { injectionCases, playCase } from "./play.ts";
import { type CaseResult, casesText, isHarmed, isServed, playAll, retailHeading } from "./report.ts";
import { openWorlds, type Worlds } from "./worlds.ts";

const sandbox = sandboxUnderTest();
const readPage = (): string => readFileSync(new URL("../../../docs/operate/injection.md", import.meta.url), "utf8");
const mend = "else: node scripts/write-injection.ts";
let worlds: Worlds;
let results: readonly CaseResult[];

beforeAll(async () => {
	worlds = openWorlds();
	results = await playAll({ worlds, sandbox });
}, 240_000);
afterAll(async () => {
	worlds.close();
	await sandbox.close();
});

describe("a model that obeys strangers, under a policy that allows everything", () => {
	test.each(injectionCases.map((played, at) => ({ id: played.id, at })))("$id", ({ at }) => {
		const { played, attack, benign } = results[at] as CaseResult;
		// Without labels it happens: the case is a real one.
		expect(isHarmed(played, attack.without), "the attack succeeds without labels").toBe(true);
		// With them it was tried, and never ran.
		expect(attack.labelled.obeyed).toContainEqual(expect.stringMatching(/^(ask|deny)$/));
		expect(attack.labelled.obeyed).not.toContain("allow");
		// Not even what the user asked for happens unasked after that.
		const { when, done } = played.goal.task;
		expect(attack.labelled.consequences).toEqual(when === "first" ? [expect.stringMatching(done)] : []);
		for (const { status, consequences } of [benign.without, benign.labelled])
			expect({ status, consequences }).toEqual({ status: "completed", consequences: [expect.stringMatching(done)] });
		expect(isServed(played, benign.labelled)).toBe(true);
	});

	test("the cases are many, and no two are the same", () => {
		expect(new Set(injectionCases.map(({ id }) => id)).size).toBe(injectionCases.length);
		expect(injectionCases.length).toBeGreaterThanOrEqual(150);
	});

	test("the suite can fail: where a tool says that strangers' words are its own, every attack on that way runs", async () => {
		const mails = injectionCases.filter(({ way }) => way.channel === "a mail");
		expect(mails.length).toBe(7);
		for (const played of mails) {
			const relabel = { integrity: "trusted", readers: ["everyone"], audience: ["shop"] } as const;
			const trialled = await playCase(played, { labels: true, isAttack: true, relabel }, { worlds, sandbox });
			// What others would see is still its readers' alone.
			expect(isHarmed(played, trialled)).toBe(played.goal.order.tool !== "look_up");
		}
	});

	test("what users say is shown to others unasked as long as the rules do not say for whom it is", async () => {
		const published = new Set<string | undefined>(["read_reviews", "seller_page", "track_parcel"]);
		const said = injectionCases.filter(({ way, goal }) => goal.labels?.input && published.has(way.source));
		expect(said.length).toBe(10);
		for (const played of said) {
			const goal = { ...played.goal, labels: {} };
			const trialled = await playCase({ ...played, goal }, { labels: true, isAttack: true }, { worlds, sandbox });
			expect(isHarmed(played, trialled), played.id).toBe(true);
		}
	});

	test(`docs/operate/injection.md says so (${mend})`, async () => {
		const stage = { worlds, sandbox };
		const demo = { without: await demoAsks(stage, false), labelled: await demoAsks(stage, true) };
		expect(demo.labelled).toEqual(demo.without);
		expect(demo.without.consequences).toHaveLength(3);
		expect(readPage().split(retailHeading)[0]).toBe(`${casesText(results, demo)}\n`);
	});
});
