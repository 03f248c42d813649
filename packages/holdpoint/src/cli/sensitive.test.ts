import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { recorded } from "./recording-host.ts";

let cwd: string;

const at = (path: string) => pathToFileURL(join(import.meta.dirname, path)).href;
const config = `
import { defineAgent } from "${at("../run/define-agent.ts")}";
import { defineTool } from "${at("../tools/define-tool.ts")}";
import { jsonSchema } from "${at("../tools/json-schema.ts")}";
import { OutcomeUnknown } from "${at("../tools/outcome-unknown.ts")}";
import { handoff } from "${at("../teams.ts")}";
import { scriptedModel } from "${at("../testing/scripted-model.ts")}";
import { call, say } from "${at("../testing/story.ts")}";
const text = { type: "string" };
const properties = { card: { ...text, sensitive: "secret" }, email: { ...text, sensitive: "personal" }, cents: { type: "integer" } };
const input = jsonSchema({ type: "object", properties });
const args = { card: "4000-1234-5678", email: "jane@example.org", cents: 900 };
const pay = defineTool({ name: "pay", description: "Pays.", input, execute: () => ({ receipt: "for jane@example.org" }) });
const lose = defineTool({ name: "lose", description: "Loses.", input, execute: () => { throw new OutcomeUnknown("cut"); } });
const story = (ask) => ask.results.length > 0 ? say("Sent to jane@example.org, card 4000-1234-5678.") : call(ask.lastUser, args);
const payer = defineAgent({ name: "payer", instructions: "Pay.", tools: [pay, lose] });
export const config = {
	agents: [payer, handoff({ name: "desk" }).participants([payer]).coordinator(payer).build()],
	model: scriptedModel(story, { countTokens: false, chunk: 5 }),
	policy: ({ tool }) => (tool.name === "pay" ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
};
`;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-sensitive-"));
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config);
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const cli = (...argv: string[]) => recorded(argv, { cwd });
const secret = "4000-1234-5678";
const personal = "jane@example.org";

test.each([[[]], [["--json"]]])("nobody who lists grants sees what is sensitive in them (%j)", async (flags) => {
	await cli("run", "pay", "--agent", "payer", "--run-id", "r1");
	const { approvals } = (await cli("approvals", "--json")).json()[0] as { approvals: { approval: string }[] };
	await cli(
		"approve",
		approvals[0]?.approval ?? "",
		"--always",
		"principal",
		"--in",
		`email=${personal},joe@example.org`,
	);
	await cli("resume", "r1");
	const listed = await cli("grants", ...flags);
	expect(listed.out).toContain("[personal]");
	for (const word of [secret, personal, "joe@example.org"]) expect(`${listed.out}${listed.err}`).not.toContain(word);
	expect((await cli("run", "pay", "--agent", "payer", "--run-id", "r2")).code).toBe(0);
});

test.each([[[]], [["--json"]]])(
	"nobody who looks on sees what is sensitive, whoever approves sees whom it is about (%j)",
	async (flags) => {
		const held = await cli("run", "pay", "--agent", "payer", "--run-id", "r1", ...flags);
		const listed = await cli("approvals", ...flags);
		expect(listed.out).toContain(personal);
		expect(listed.out).toContain("[secret]");
		const { approvals } = (await cli("approvals", "--json")).json()[0] as { approvals: { approval: string }[] };
		await cli("approve", approvals[0]?.approval ?? "");
		const resumed = await cli("resume", "r1", ...flags);
		const shown = await cli("show", "r1", ...flags);
		await cli("run", "lose", "--agent", "payer", "--run-id", "r2", ...flags);
		const unknown = await cli("approvals", ...flags);
		expect(unknown.out).toContain("[personal]");
		const last = await cli("show", "r2", ...flags);
		for (const { out, err } of [held, listed, resumed, shown, unknown, last])
			expect(`${out}${err}`).not.toContain(secret);
		for (const { out, err } of [resumed, shown, unknown, last]) expect(`${out}${err}`).not.toContain(personal);
		expect(resumed.out).toContain("Sent to [personal], card [secret].");
	},
);

test.each([[[]], [["--json"]]])(
	"nothing sensitive is said in a conversation, in whatever pieces it comes (%j)",
	async (flags) => {
		const talk = (...lines: string[]) =>
			recorded(["chat", "desk", ...flags], { cwd, columns: 50, stdin: lines.join("\n") });
		await talk("pay");
		const { out } = await talk("/approve");
		expect(out).toContain("Sent to [personal], card [secret].");
		for (const words of [secret, "Sent to jane"]) expect(out).not.toContain(words);
		const listed = await cli("runs", "--json");
		expect(listed.out).toContain("Sent to [personal], card [secret].");
		for (const one of [listed, await talk("/status")]) {
			for (const word of [secret, personal]) expect(`${one.out}${one.err}`).not.toContain(word);
		}
	},
);
