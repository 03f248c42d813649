import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sandboxName } from "../testing/sandbox-under-test.ts";
import { type Recorded, recorded } from "./recording-host.ts";

/** What a held program would do, seen and decided from the command line. */

let cwd: string;

function source(path: string): string {
	return JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);
}

const config = `
import { defineAgent } from ${source("../run/define-agent.ts")};
import { defineTool } from ${source("../tools/define-tool.ts")};
import { jsonSchema } from ${source("../tools/json-schema.ts")};
import { scriptedModel } from ${source("../testing/scripted-model.ts")};
import { program, say } from ${source("../testing/story.ts")};

const refund = defineTool({
	name: "refund",
	description: "Refunds.",
	input: jsonSchema({ type: "object", properties: { order: { type: "string" }, cents: { type: "integer" } }, required: ["order", "cents"] }),
	simulate: ({ cents }) => ({ refunded: cents }),
	execute: ({ cents }) => ({ refunded: cents }),
});
const code = 'let sum = 0; for (const n of [1, 2, 3]) sum += (await tools.refund({ order: "o" + n, cents: n * 100 })).refunded; return sum;';
export const config = {
	agents: [defineAgent({ name: "desk", instructions: "Refund.", tools: [refund], programs: true })],
	model: scriptedModel([program(code), say("done")], { countTokens: false }),
};
`;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-rehearsing-"));
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config);
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function cli(...argv: string[]): Promise<Recorded> {
	return recorded(argv, { cwd, env: { HOLDPOINT_SANDBOX: sandboxName } });
}

async function held() {
	const result = (await cli("run", "go", "--json")).json().at(-1) as { run: string; waits: { approval: string }[] };
	return { run: result.run, id: result.waits[0]?.approval ?? "" };
}

describe("rehearse", () => {
	test("lists what the program would do with totals, and approve --rows all decides on it", async () => {
		const { run, id } = await held();
		const seen = await cli("rehearse", id);
		expect(seen.code).toBe(0);
		expect(seen.out).toContain("What the program would do from here. Nothing of it was done:");
		expect(seen.out).toMatch(/2 +refund \{cents: 200, order: "o2"\}/);
		expect(seen.out).toContain("To be decided: refund ×3, cents 600 in all");
		const digest = /--rows all --seen=(\S{8})/.exec(seen.out)?.[1] ?? "";
		expect((await cli("approvals")).out).toContain("refund ×3");
		const said = await cli("approve", id, "--rows", "all", `--seen=${digest}`);
		expect(said).toMatchObject({ code: 0, out: expect.stringContaining("with all that its program would do") });
		const done = await cli("resume", run);
		expect(done.code).toBe(0);
		const shown = (await cli("show", run)).out;
		expect(shown).toMatch(/rehearsed.*3 calls, 3 of them to be decided/);
		expect(shown).toMatch(/approved by .*, with 3 rows of its rehearsal/);
	});

	test("marks the row at which a budget would be used up, in the list and in JSON", async () => {
		writeFileSync(
			join(cwd, "holdpoint.config.mjs"),
			`${config.replace("agents:", 'budgets: [{ name: "refund-per-day", window: "day", counts: { tool: "refund", sum: "cents" }, max: 400 }],\n\tagents:')}`,
		);
		const { id } = await held();
		const { out } = await cli("rehearse", id);
		expect(out).toMatch(/2 +refund \{cents: 200, order: "o2"\}\n/);
		expect(out).toMatch(/3 +refund \{cents: 300, order: "o3"\} {2}will be refused: budget refund-per-day/);
		expect(out).toContain("To be decided: refund ×2, cents 300 in all");
		const [json] = (await cli("approvals", "--json")).json();
		expect(JSON.stringify(json)).toContain('"refusedBy":["refund-per-day"]');
	});

	test("approve --rows names some: the others are asked about", async () => {
		const { run, id } = await held();
		const digest = /--seen=(\S{8})/.exec((await cli("rehearse", id)).out)?.[1] ?? "";
		const said = await cli("approve", id, "--rows", "1-2", `--seen=${digest}`);
		expect(said).toMatchObject({
			code: 0,
			out: expect.stringContaining("with rows 1, 2 of what its program would do"),
		});
		expect((await cli("resume", run)).code).toBe(3);
		expect((await cli("approvals")).out).toMatch(/1 +refund.*done[\s\S]*2 +refund.*done/);
	});

	test("shows every row whole, however many and however long they are: a yes to all of it is one to each", async () => {
		const long =
			'for (let n = 1; n <= 70; n++) await tools.refund({ order: ("o" + n + " ").repeat(60) + "end", cents: n });';
		writeFileSync(
			join(cwd, "holdpoint.config.mjs"),
			config.replace(/const code = .*/, `const code = ${JSON.stringify(long)};`),
		);
		const { id } = await held();
		const { out } = await cli("rehearse", id);
		expect(out.match(/o70/g)).toHaveLength(60);
		expect(out).toContain("To be decided: refund ×70, cents 2485 in all");
		expect(out).toContain("held now");
	});

	test.each([
		["approve", "0"],
		["approve", "3-1"],
		["approve", "x"],
		["deny", "1,,2"],
	])("%s --rows %s is no list of rows", async (command, rows) => {
		const { code, err } = await cli(command, "apr_x", "--rows", rows, "--reason", "r");
		expect(code).not.toBe(0);
		expect(err).toContain("is no list of rows");
	});

	test("a row that is not there, and an approval that was not rehearsed, are refused", async () => {
		const { id } = await held();
		expect((await cli("approve", id, "--rows", "all")).err).toContain("was not rehearsed");
		const digest = /--seen=(\S{8})/.exec((await cli("rehearse", id)).out)?.[1] ?? "";
		expect((await cli("approve", id, "--rows", "all")).err).toContain("Which rehearsal was seen is not said");
		expect((await cli("approve", id, "--rows", "all", "--seen", "00000000")).err).toContain("found out anew");
		expect((await cli("approve", id, "--rows", "9", `--seen=${digest}`)).err).toContain("none that needs an answer");
	});
});
