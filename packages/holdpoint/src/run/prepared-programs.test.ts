/** What the check before a program runs lets through, and where the run then says that things are. */
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Json } from "../spec/json.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { ofType, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());

const echo = defineTool({
	name: "echo",
	description: "Says it again.",
	input: z.object({ n: z.coerce.number(), at: z.string().regex(/^[a-z]+$/i) }),
	effect: "read",
	execute: (args) => args,
});
const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: z.object({ n: z.int() }),
	execute: ({ n }) => ({ paid: n }),
});

function play(code: string, options: Partial<StageOptions> = {}): Stage {
	const story = [program(code), say("done"), say("really done")];
	return stage({ story, tools: [echo, pay], programs: true, harness: { sandbox }, ...options });
}

/** What the model reads of the program: its value, or its failure. */
async function outcomeOf(scene: Stage): Promise<unknown> {
	const { run } = await scene.harness.run(scene.agent, "go");
	const finished = ofType(await scene.events(run), "call.finished").findLast(({ call }) => call === "c1");
	const outcome = finished?.outcome;
	return outcome && "ok" in outcome ? (outcome.ok as { value: unknown }).value : outcome;
}

describe("arguments", () => {
	test("pass where the tool's validator takes what its schema does not say", async () => {
		const scene = play(`return await tools.echo({ n: "5", at: "HERE" });`);
		expect(await outcomeOf(scene)).toEqual({ n: 5, at: "HERE" });
	});

	test("are refused where it refuses them", async () => {
		const scene = play(`return await tools.echo({ n: "five", at: "HERE" });`);
		expect(await outcomeOf(scene)).toMatchObject({ code: "program.invalid" });
	});

	test("pass where middleware may fill in what is left out", async () => {
		const tenant = { name: "tenant", prepareCall: ({ args }: { args: Json }) => ({ at: "here", ...(args as object) }) };
		const scene = play("return await tools.echo({ n: 1 });", { middleware: [tenant] });
		expect(await outcomeOf(scene)).toEqual({ n: 1, at: "here" });
	});
});

describe("an error in a program", () => {
	test.each([
		["in its last expression", "const a = 1;\n  missing.b", "(line 2, column 3)"],
		["on its first line", "missing.b", "(line 1, column 1)"],
		["in a statement", "const a = 1;\n  missing.b;\nreturn a", "(line 2, column 3)"],
		["in a function that is the program", "async () => { missing.b }", "(line 1, column 15)"],
	])("%s has the place that the model wrote it at", async (...[, code, place]) => {
		expect(await outcomeOf(play(code))).toMatchObject({
			failed: expect.stringContaining(place),
			code: "program.threw",
		});
	});
});

test("a program that passes the check is not too long for the sandbox", async () => {
	for (let spare = 0; spare < 12; spare++) {
		const scene = play(`/*${"x".repeat(989 - spare)}*/ 1 + 1`, { programs: { limits: { sourceBytesMax: 1_000 } } });
		expect([2, expect.objectContaining({ code: "program.invalid" })]).toContainEqual(await outcomeOf(scene));
	}
});

describe("the line that asks", () => {
	/** The line of the shown source that an approval marks. */
	async function markedIn(code: string): Promise<string | undefined> {
		const scene = play(code);
		await scene.harness.run(scene.agent, "go");
		const [open] = await scene.harness.approvals();
		return open?.program?.source.split(/\r\n|[\n\r]/)[open.program.line - 1];
	}

	test.each([
		["as it is", "const a = 1;\nawait tools.pay({ n: a });\nawait tools.pay({ n: 2 });"],
		["in a Markdown fence", "```ts\nconst a: number = 1;\nawait tools.pay({ n: a });\nawait tools.pay({ n: 2 });\n```"],
		[
			"after every kind of line end",
			"1;\r\n2;\r3;\n/* \r \r\n */\n`\r\r\n`;\nconst a = 1;\rawait tools.pay({ n: a });\r1",
		],
		[
			"after separators in texts",
			`const t = [\`\u2028 \${1}\u2029\`, '\u2028'];\nconst a = 1;\nawait tools.pay({ n: a });\n2;\n3;`,
		],
	])("is marked in the source: %s", async (...[, code]) => {
		expect(await markedIn(code)).toBe("await tools.pay({ n: a });");
	});

	test("is never hidden behind a line end that cannot be seen", async () => {
		const hidden = "/* pays five */\u2028\nawait tools.pay({ n: 999 });\nawait tools.pay({ n: 5 });";
		expect(await outcomeOf(play(hidden))).toMatchObject({
			failed: expect.stringContaining("1:16 U+2028 ends a line without showing it"),
			code: "program.invalid",
		});
	});
});
