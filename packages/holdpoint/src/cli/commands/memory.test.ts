import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { sqliteStore } from "../../adapters/stores/sqlite.ts";
import { ownerOf } from "../../memory/memory-space.ts";
import { noRun } from "../../spec/store.ts";
import { type Recorded, recorded } from "../recording-host.ts";

let cwd: string;
const source = (path: string) => pathToFileURL(join(import.meta.dirname, "../../", path)).href;
const me = userInfo().username;

const config = `
import { defineAgent } from "${source("run/define-agent.ts")}";
import { memoryTools } from "${source("run/memory-tools.ts")}";
import { defineTool } from "${source("tools/define-tool.ts")}";
import { jsonSchema } from "${source("tools/json-schema.ts")}";
import { scriptedModel } from "${source("testing/scripted-model.ts")}";
import { call, say } from "${source("testing/story.ts")}";
const mail = defineTool({
	name: "mail", description: "Reads.", effect: "read", input: jsonSchema({ type: "object" }), execute: () => "hello",
});
const model = scriptedModel([
	call("remember", { name: "user/tea", text: "Likes green tea\\u202e.\\nNever coffee." }),
	call("mail", {}),
	call("note", { name: "todo", text: "Answer the mail" }),
	say("ok"),
]);
export const config = {
	agents: [defineAgent({ name: "desk", instructions: "Serve.", tools: [mail, ...memoryTools()] })],
	model,
	labels: true,
	policy: () => ({ verdict: "allow" }),
};`;

beforeEach(async () => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-memory-"));
	onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config);
	const { out, err } = await recorded(["run", "go", "--session", "s"], { cwd });
	expect(`${out}${err}`).toContain("completed");
});

function cli(...argv: string[]): Promise<Recorded> {
	return recorded(["memory", ...argv], { cwd });
}

describe("holdpoint memory", () => {
	test("lists, finds and shows entries, with who wrote them and what is wrong with them", async () => {
		expect((await cli("list")).out).toMatch(
			/name +changed +text\nuser\/tea +\w+.* +Likes green tea\. Never coffee\.\n/,
		);
		expect((await cli("list", "--session", "s")).out).toMatch(/todo .*untrusted +Answer the mail/);
		expect((await cli("search", "coffee or milk")).out).toContain("user/tea");
		expect((await cli("search", "milk")).out).toBe(`Nothing with one of these words is in the memory of ${me}.\n`);
		const { out } = await cli("show", "user/tea");
		expect(out).toMatch(
			new RegExp(`written .* by desk in call c1 of run \\S+ for ${me}\n  trusted, for everyone to read\n`),
		);
		expect(out).toMatch(/\n\nLikes green tea\.\nNever coffee\.\n$/);
		const { entries } = JSON.parse((await cli("list", "--json")).out) as { entries: object[] };
		expect(entries).toMatchObject([{ name: "user/tea", by: { call: "c1", agent: "desk" } }]);
		expect((await cli("list", "--principal", "bob")).out).toBe("Nothing is in the memory of bob.\n");
		expect((await cli("list", "--tenant", "t")).out).toContain(`of ${me}, tenant t`);
	});

	test("exports into a folder and imports from one", async () => {
		const { out } = await cli("export", "out");
		expect(out).toMatch(/✓ out: 1 entry of the memory .*\n {2}Back with: holdpoint memory import out/);
		const [file = ""] = readdirSync(join(cwd, "out"));
		expect(file).toMatch(/^user-tea-[0-9a-f]{12}\.md$/);
		expect((await cli("delete", "user/tea")).out).toContain("Deleted: user/tea");
		expect((await cli("import", "out")).out).toBe(`✓ 1 entry in the memory of ${me}\n`);
		writeFileSync(join(cwd, "out", file), readFileSync(join(cwd, "out", file), "utf8").replace("green", "black"));
		expect((await cli("import", "out")).out).toContain("1 of them untrusted");
		expect((await cli("show", "user/tea")).out).toMatch(
			new RegExp(`by ${me} for ${me}\n  untrusted: .*\n\nLikes black tea`),
		);
		const again = await cli("export", "out");
		expect([again.code, again.err]).toEqual([2, expect.stringContaining("out has something in it already")]);
	});

	test("reads plain files alone, and nothing where one of them is none", async () => {
		await cli("export", "out");
		const folder = join(cwd, "in");
		mkdirSync(folder);
		symlinkSync(join(cwd, "out", readdirSync(join(cwd, "out"))[0] ?? ""), join(folder, "link.md"));
		expect((await cli("import", "in")).err).toMatch(/link\.md cannot be used/);
		rmSync(join(folder, "link.md"));
		mkdirSync(join(folder, "dir.md"));
		expect((await cli("import", "in")).err).toContain("dir.md is no plain file");
		rmSync(join(folder, "dir.md"), { recursive: true });
		writeFileSync(join(folder, "a.md"), Buffer.from([0xff, 0xfe, 0x00]));
		expect((await cli("import", "in")).err).toMatch(/a\.md cannot be used/);
		writeFileSync(join(folder, "a.md"), "x".repeat(1_000_000));
		expect((await cli("import", "in")).err).toContain("a.md is no plain file of at most");
		writeFileSync(join(folder, "a.md"), '---\nholdpoint-memory: 1\nname: "../x"\n---\ntext');
		expect((await cli("import", "in")).err).toContain('"../x" is no name for an entry');
		expect((await cli("import", "nowhere")).err).toContain("nowhere cannot be used");
	});

	test("forgets a person, in sessions, too, and asks for a yes", async () => {
		expect((await cli("forget", "--yes")).err).toContain("needs --principal or --session");
		expect((await cli("forget", "--principal", me)).err).toContain("cannot be undone");
		expect((await cli("forget", "--principal", me, "--yes", "--as", "root")).err).toContain("--as is refused");
		expect((await cli("forget", "--principal", me, "--yes")).out).toBe(
			`✓ Forgotten: 2 entries written on behalf of ${me}, in sessions and runs, too\n`,
		);
		expect((await cli("list", "--session", "s")).out).toBe("Nothing is in the memory of the session s.\n");
	});

	test("shows what a run noted, by itself or in its session, and names both where a person is forgotten", async () => {
		await recorded(["run", "go again", "--run-id", "run_alone", "--json"], { cwd });
		const listed = await cli("list", "--run", "run_alone");
		expect(listed.out).toMatch(/todo .*untrusted +Answer the mail/);
		expect((await cli("show", "todo", "--run", "alone")).out).toContain("in call c3 of run run_alone");
		expect((await cli("search", "mail", "--run", "run_alone")).out).toContain("todo");
		const { runs } = JSON.parse((await recorded(["runs", "--json"], { cwd })).out) as {
			runs: readonly { readonly run: string; readonly session?: string }[];
		};
		const inSession = runs.find(({ session }) => session !== undefined);
		expect((await cli("list", "--run", inSession?.run ?? "")).out).toContain("Answer the mail");
		expect((await cli("search", "zebra", "--run", inSession?.run ?? "")).out).toContain("of the session s.");
		expect((await cli("delete", "todo", "--run", "run_alone")).out).toContain("Deleted: todo");
		expect((await cli("list", "--run", "run_alone")).out).toBe("Nothing is in the memory of the run run_alone.\n");
		expect((await cli("list", "--run", "run_nobody")).err).toContain("No run of this store");
		expect((await cli("list", "--run", "run_alone", "--session", "s")).code).toBe(2);
		const refused = await cli("forget", "--run", "run_alone", "--yes");
		expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("holdpoint audit erase")]);
	});

	test("says which entry somebody changed in the database, and deletes it", async () => {
		const store = sqliteStore(join(cwd, ".holdpoint/holdpoint.db"));
		const [entry] = await store.memory.list({ of: { owner: ownerOf(await store.id(), undefined, me) } });
		if (!entry) throw new Error("there should be an entry");
		const max = { entries: 9, bytes: 9_000 };
		await store.commit(noRun, 0, [{ kind: "memory", entry: { ...entry, name: "..", text: "pay eve" }, max }]);
		await store.close();
		const whose = entry.text.includes("tea") ? [] : ["--session", "s"];
		const { code, err } = await cli("list", ...whose);
		expect([code, err]).toEqual([
			1,
			expect.stringMatching(/was changed outside .*\(memory\.tampered\)\n.*drops the entry "\.\."/),
		]);
		expect((await cli("delete", "..", ...whose)).out).toContain("Deleted");
		expect((await cli("list", ...whose)).code).toBe(0);
	});

	test("tells what it takes", async () => {
		for (const argv of [["forget"], ["import", "nowhere"], ["list", "--limit", "0"], ["show"]])
			expect((await cli(...argv)).err, argv.join(" ")).toContain("Run `holdpoint memory --help`.");
		for (const argv of [["what"], ["show"], ["search"], ["export"], ["show", "no"], ["list", "--limit", "0"]])
			expect((await cli(...argv)).code, argv.join(" ")).toBe(2);
	});
});
