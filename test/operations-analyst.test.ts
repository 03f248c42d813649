import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { createHarness, sqliteStore } from "holdpoint";
import { expect, onTestFinished, test, vi } from "vitest";
import { openaiCompatible, startModelServer, type Turn } from "./model-servers.ts";

/** The last example as a newcomer starts it, over a database of one's own, with a server that plays the model. */

const example = fileURLToPath(new URL("../examples/19-operations-analyst.ts", import.meta.url));
const store = ".holdpoint/holdpoint.db";
// Each test starts up to five processes, on machines that may be at work with other things.
vi.setConfig({ testTimeout: 120_000 });

const usage = { input: 10, cached: 0, output: 5 };

function newFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-analyst-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const database = new DatabaseSync(join(folder, "own.db"));
	database.exec("CREATE TABLE guests (name TEXT UNIQUE); INSERT INTO guests VALUES ('ann')");
	database.close();
	return folder;
}

interface Started {
	readonly folder: string;
	readonly question?: string;
	readonly env?: { readonly [name: string]: string };
}

async function start({ folder, question, env = {} }: Started) {
	const words = ["--conditions=@holdpoint/source", example, ...(question === undefined ? [] : [question])];
	const { PATH = "", HOME = "" } = process.env;
	const child = spawn(process.execPath, words, {
		cwd: folder,
		env: { PATH, HOME, HOLDPOINT_SANDBOX: "wasm", ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
	onTestFinished(() => void child.kill("SIGKILL"));
	const said = { stdout: "", stderr: "" };
	child.stdout.on("data", (chunk) => (said.stdout += chunk));
	child.stderr.on("data", (chunk) => (said.stderr += chunk));
	const [code] = await once(child, "close");
	return { code, ...said };
}

/** The same with a model that does this, and with what it was sent last. */
async function startWith(turns: readonly Turn[], started: Started) {
	let address = "";
	const server = await startModelServer(
		{
			...openaiCompatible,
			model: (baseUrl) => {
				address = baseUrl;
				return openaiCompatible.model(baseUrl);
			},
		},
		turns,
	);
	onTestFinished(() => server.close());
	const model = { MODEL: "local/m", OPENAI_COMPATIBLE_BASE_URL: address, DATABASE: "own.db" };
	const ended = await start({ ...started, env: { ...model, ...started.env } });
	return { ...ended, results: openaiCompatible.resultsIn(server.requests.at(-1)?.body ?? { messages: [] }) };
}

const use = (name: string, args: object, id = "c1"): Turn => ({
	reply: { calls: [{ id, name, args: JSON.stringify(args) }], usage },
});
const code = (text: string, id?: string): Turn => use("execute_code", { code: text }, id);
const end: Turn = { reply: { text: "That is all.", usage } };

/** In a program, each by itself: what came of it. */
const tried = (tool: string, statements: readonly string[]) => `const said = [];
for (const sql of ${JSON.stringify(statements)}) {
	try { said.push(await tools.${tool}({ sql })); } catch (error) { said.push("refused: " + error.message); }
}
return said;`;

const hostile = [
	`ATTACH '${store}' AS other`,
	"ATTACH 'fresh.db' AS other",
	"VACUUM INTO 'copy.db'",
	"VACUUM",
	"PRAGMA query_only = OFF",
	"PRAGMA writable_schema = ON",
	"SELECT * FROM pragma_table_info('guests')",
	"SELECT load_extension('./evil.so')",
	"DROP TABLE guests",
	"CREATE TABLE more (a)",
	"CREATE TEMP TABLE more (a)",
	"CREATE TRIGGER t AFTER INSERT ON guests BEGIN DELETE FROM guests; END",
	"BEGIN IMMEDIATE",
	"SAVEPOINT s",
	"REINDEX",
	"ANALYZE",
	"WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
];
const writes = [
	"INSERT INTO guests VALUES ('eve') RETURNING name",
	"WITH one AS (SELECT 'eve' AS name) INSERT INTO guests SELECT name FROM one",
	"WITH one AS (SELECT 'ann' AS name) DELETE FROM guests WHERE name IN one RETURNING name",
	"UPDATE guests SET name = 'eve' RETURNING name",
	"REPLACE INTO guests VALUES ('eve')",
];

function guestsIn(folder: string): unknown[] {
	const database = new DatabaseSync(join(folder, "own.db"), { readOnly: true });
	onTestFinished(() => database.close());
	return database
		.prepare("SELECT name FROM guests ORDER BY name")
		.all()
		.map((row) => row["name"]);
}

test("its query tool reads that database and does nothing else, in plan mode and whatever the statement says", async () => {
	const folder = newFolder();
	const read = ["SELECT name FROM guests", "SELECT count(*) AS n FROM guests; DELETE FROM guests"];
	const program = tried("query", [...hostile, ...writes, ...read]);
	const { code: ended, results, stderr } = await startWith([code(program), end], { folder, question: "Look." });
	expect([ended, stderr]).toEqual([0, ""]);
	const said = JSON.stringify(results[0]?.content);
	expect(said.match(/refused: [^"]*(not authorized|authorization denied)/g)).toHaveLength(
		hostile.length + writes.length,
	);
	expect(said).toContain("ann");
	expect(["copy.db", "fresh.db"].filter((name) => existsSync(join(folder, name)))).toEqual([]);
	expect(guestsIn(folder)).toEqual(["ann"]);
});

test("its plan and its change outlive the process until a person has answered; neither changes more than rows", async () => {
	const folder = newFolder();
	const approve = async () => {
		const harness = createHarness({ store: sqliteStore(join(folder, store)), sandbox: "off" });
		const held = await harness.approvals();
		for (const { approval } of held) await harness.approve(approval, { by: { id: "ann", via: "test" } });
		await harness.close();
		return held.map(({ tool }) => tool);
	};
	const planned = await startWith(
		[
			use("note", { name: "eve", text: "Eve is not in." }),
			use("set_mode", { mode: "execute", plan: "Let Eve in." }, "c2"),
		],
		{ folder, question: "Let Eve in." },
	);
	expect(planned).toMatchObject({ code: 0, stderr: "" });
	expect(planned.stdout).toContain('may I set_mode {"mode":"execute","plan":"Let Eve in."}?');
	expect(planned.stdout).toContain("noted · eve: Eve is not in.");
	expect(planned.stdout).toContain("holdpoint memory list --session own.db");
	expect(await approve()).toEqual(["set_mode"]);

	const insert = "INSERT INTO guests VALUES ('eve')";
	const asked = await startWith(
		[code(tried("change", [insert, "DROP TABLE guests", `ATTACH '${store}' AS o`]), "c3")],
		{
			folder,
		},
	);
	expect(asked.stdout).toContain(`may I change {"sql":"${insert}"}?`);
	expect(guestsIn(folder)).toEqual(["ann"]);
	expect(await approve()).toEqual(["change"]);
	const dropped = await startWith([end], { folder });
	expect(dropped.stdout).toContain("may I change");
	expect(guestsIn(folder)).toEqual(["ann", "eve"]);
	expect(await approve()).toEqual(["change"]);
	await startWith([end], { folder });
	expect(await approve()).toEqual(["change"]);
	const { code: ended, results, stdout } = await startWith([end], { folder });
	expect([ended, stdout]).toEqual([0, expect.stringContaining("That is all.")]);
	expect(JSON.stringify(results.at(-1)?.content).match(/not authorized/g)).toHaveLength(2);
	expect(guestsIn(folder)).toEqual(["ann", "eve"]);
});

const missing = { status: 401, message: "Incorrect API key provided" };
test.each([
	["a wrong key", {}, /^[^\n]*Incorrect API key provided[^\n]*\n$/],
	["no key", { MODEL: "openai/gpt-5" }, /^[^\n]*needs a key[^\n]*OPENAI_API_KEY[^\n]*\n$/],
	["no database", { DATABASE: "none.db" }, /^DATABASE names a database that is there[^\n]*\n$/],
	["no model for the database", { MODEL: "" }, /^DATABASE names[^\n]* needs a MODEL\.\n$/],
])("with %s it says so in one line, and no stack", async (_what, env, line) => {
	const { code: ended, stderr } = await startWith([missing], { folder: newFolder(), question: "Hi.", env });
	expect(stderr).toMatch(line);
	expect(ended).toBe(1);
});
