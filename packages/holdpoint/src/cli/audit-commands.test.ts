import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Recorded, recorded } from "./recording-host.ts";

let cwd: string;

/** Somebody's. */
const publicKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

const at = (path: string) => pathToFileURL(join(import.meta.dirname, path)).href;
const config = `
import { defineAgent } from "${at("../run/define-agent.ts")}";
import { defineTool } from "${at("../tools/define-tool.ts")}";
import { jsonSchema } from "${at("../tools/json-schema.ts")}";
import { scriptedModel } from "${at("../testing/scripted-model.ts")}";
import { call, say } from "${at("../testing/story.ts")}";
const input = jsonSchema({ type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] });
const pay = defineTool({ name: "pay", description: "Pays.", input, execute: ({ cents }) => ({ paid: cents }) });
const story = (ask) => (ask.results.length > 0 ? say("paid") : call("pay", { cents: 900 }));
export const config = {
	agents: [defineAgent({ name: "payer", instructions: "Pay.", tools: [pay] })],
	model: scriptedModel(story, { countTokens: false }),
	policy: () => ({ verdict: "ask", reason: "money" }),
	audit: { name: "audit.example.com/cli" },
};
`;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-audit-cli-"));
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config);
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const cli = (...argv: string[]): Promise<Recorded> => recorded(argv, { cwd });
const file = (name: string): string => readFileSync(join(cwd, name), "utf8");

/** A run that was held, approved and finished. */
async function paid(): Promise<string> {
	const started = (await cli("run", "pay for customer 7", "--json")).json().at(-1) as {
		run: string;
		waits: { approval: string }[];
	};
	expect((await cli("approve", started.waits[0]?.approval ?? "")).code).toBe(0);
	expect((await cli("resume", started.run)).code).toBe(0);
	return started.run;
}

async function key(): Promise<string> {
	return (await cli("audit", "key")).out.trim();
}

describe("holdpoint audit", () => {
	test("export and verify: the key is made once, mode 0600, and the export verifies elsewhere", async () => {
		await paid();
		const own = await key();
		expect(own).toMatch(/^audit\.example\.com\/cli\+[0-9a-f]{8}\+/);
		expect(await key()).toBe(own);
		expect(statSync(join(cwd, ".holdpoint/holdpoint.db.audit-key")).mode & 0o777).toBe(0o600);
		const exported = await cli("audit", "export", "audit.jsonl");
		expect(exported.out).toContain(`holdpoint audit verify audit.jsonl --key '${own}'`);
		expect(readdirSync(cwd).filter((name) => name.includes("partial"))).toEqual([]);
		expect(file("audit.jsonl")).not.toContain("customer 7");
		rmSync(join(cwd, ".holdpoint"), { recursive: true });
		rmSync(join(cwd, "holdpoint.config.mjs"));
		const verified = await cli("audit", "verify", "audit.jsonl", "--key", own);
		expect(verified).toMatchObject({ code: 0, err: "" });
		expect(verified.out).toContain("1 execution, each permitted");
		expect(verified.out).toContain("--since");
		expect(verified.out).not.toContain("without an end");
	});

	test("verify says how many runs have no end in the log: the rest of these it cannot know", async () => {
		await cli("run", "pay for customer 7");
		await cli("audit", "export", "audit.jsonl");
		const verified = await cli("audit", "verify", "audit.jsonl", "--key", await key());
		expect(verified).toMatchObject({ code: 0 });
		expect(verified.out).toContain("Runs without an end here: 1.");
	});

	test("verify names what it finds, with exit code 1; the key may be in a file", async () => {
		await paid();
		writeFileSync(join(cwd, "key.pub"), `${await key()}\n`);
		await cli("audit", "export", "audit.jsonl");
		writeFileSync(join(cwd, "bad.jsonl"), file("audit.jsonl").replace('"verdict":"ask"', '"verdict":"allow"'));
		const bad = await cli("audit", "verify", "bad.jsonl", "--key", "key.pub");
		expect(bad.code).toBe(1);
		expect(bad.out).toContain("✗ altered: Leaf 3 is not what it was");
		const [json] = (await cli("audit", "verify", "bad.jsonl", "--key", "key.pub", "--json")).json();
		expect(json).toMatchObject({ ok: false, findings: [{ kind: "altered", index: 3 }] });
		writeFileSync(join(cwd, "cut.jsonl"), file("audit.jsonl").slice(0, 2_000));
		expect((await cli("audit", "verify", "cut.jsonl", "--key", "key.pub")).out).toContain("truncated");
	});

	test("a checkpoint that was kept shows an older copy that was put back", async () => {
		await paid();
		await cli("audit", "export", "older.jsonl");
		await paid();
		expect((await cli("audit", "checkpoint", "kept.note")).out).toContain("audit.example.com/cli");
		const own = await key();
		await cli("audit", "export", "newer.jsonl");
		expect((await cli("audit", "verify", "newer.jsonl", "--key", own, "--since", "kept.note")).code).toBe(0);
		const rolled = await cli("audit", "verify", "older.jsonl", "--key", own, "--since", "kept.note");
		expect(rolled).toMatchObject({ code: 1, out: expect.stringContaining("rolled_back") });
	});

	test("which policy and budgets are laid down is listed beside what is granted", async () => {
		await cli("run", "pay for customer 7");
		const [json] = (await cli("grants", "--json")).json() as [{ policy: { version: string } }];
		expect(json.policy.version).toMatch(/^function:/);
		const listed = (await cli("grants")).out;
		expect(listed).toContain("Nothing is granted, and nothing is switched off.");
		expect(listed).toContain(`policy ${json.policy.version}, since`);
		expect(listed).not.toContain("budgets");
		const budgets = 'budgets: [{ name: "pays", counts: "calls", max: 5 }],';
		writeFileSync(join(cwd, "other.mjs"), config.replace("\taudit:", `\t${budgets}\n\taudit:`));
		await cli("run", "pay for customer 7", "--config", "other.mjs");
		expect((await cli("grants")).out).toContain("budgets pays, since");
	});

	test("prove and verify one event", async () => {
		const run = await paid();
		const own = await key();
		writeFileSync(join(cwd, "proof.json"), (await cli("audit", "prove", `${run}/3`, "--payloads")).out);
		expect((await cli("audit", "verify", "proof.json", "--key", own)).code).toBe(0);
		writeFileSync(join(cwd, "forged.json"), file("proof.json").replace('"verdict":"ask"', '"verdict":"allow"'));
		const forged = await cli("audit", "verify", "forged.json", "--key", own);
		expect(forged).toMatchObject({ code: 1, out: expect.stringContaining("altered") });
	});

	test("erase asks to be sure, and what is left verifies", async () => {
		const run = await paid();
		expect(await cli("audit", "erase", run)).toMatchObject({ code: 2, err: expect.stringContaining("--yes") });
		expect((await cli("audit", "erase", run, "--yes")).code).toBe(0);
		expect((await cli("show", run)).err).toContain("was erased");
		expect((await cli("runs")).out).toContain("completed");
		expect((await cli("doctor")).out).not.toContain("was erased");
		await cli("audit", "export", "audit.jsonl", "--payloads");
		expect(file("audit.jsonl")).not.toContain("customer 7");
		expect((await cli("audit", "verify", "audit.jsonl", "--key", await key())).code).toBe(0);
		expect((await cli("audit", "erase", run, "--yes", "--as", "boss")).err).toContain("--as is refused");
	});

	test.each([
		[["audit", "dance"], 2, "takes one of: key, checkpoint"],
		[["audit", "verify"], 2, "<file>"],
		[["audit", "verify", "x"], 2, "--key"],
		[["audit", "verify", "nowhere", "--key", "a+b"], 2, "The public key cannot be used"],
		[["audit", "verify", "nowhere", "--key", publicKey], 2, "cannot be read"],
		[["audit", "verify", "nowhere", "--key", "nowhere"], 2, "cannot be read"],
		[["audit", "verify", "holdpoint.config.mjs", "--key", publicKey], 1, ""],
		[["audit", "prove", "x"], 2, "no event"],
		[["audit", "prove", "99999"], 1, "has no leaf"],
		[["audit", "export"], 2, "<file>"],
		[["audit", "export", "no/such/folder/x"], 1, ""],
	])("%j is refused with a reason", async (argv, code, message) => {
		await paid();
		const refused = await cli(...argv);
		expect(refused.code).toBe(code);
		expect(refused.err).toContain(message);
		expect(existsSync(join(cwd, "no"))).toBe(false);
	});

	test("a key that is gone is not made anew beside a log that it signed", async () => {
		await paid();
		rmSync(join(cwd, ".holdpoint/holdpoint.db.audit-key"));
		const gone = await cli("audit", "key");
		expect(gone).toMatchObject({ code: 1, err: expect.stringContaining("the log was signed with one") });
		expect(existsSync(join(cwd, ".holdpoint/holdpoint.db.audit-key"))).toBe(false);
	});
});
