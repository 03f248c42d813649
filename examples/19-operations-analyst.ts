// An operations analyst over your own SQLite database: it looks, plans, keeps notes, and asks before it changes anything.
//   DATABASE=shop.db MODEL=openai/<name> OPENAI_API_KEY=… npx node 19-operations-analyst.ts "What sells badly?"
// Without DATABASE it has a sample shop, without MODEL a script. Its notes, and what nobody answered yet, wait in .holdpoint.
import { existsSync, mkdirSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { DatabaseSync, constants as sqlite } from "node:sqlite";
import { createHarness, defineTool, harnessAgent, isHoldpointError, sqliteStore } from "holdpoint";
import { modelFromName } from "holdpoint/models/from-name";
import { call, program, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const [{ DATABASE: own, MODEL: named }, question] = [process.env, process.argv[2]];
if (own && !(named && existsSync(own))) fail("DATABASE names a database that is there, and needs a MODEL.");
mkdirSync(".holdpoint", { recursive: true, mode: 0o700 });
const file = own || ".holdpoint/sample-shop.db";
const shop = `CREATE TABLE IF NOT EXISTS products (sku TEXT PRIMARY KEY, name TEXT, stock INT, low INT);
	CREATE TABLE IF NOT EXISTS orders (sku TEXT, pieces INT);
	INSERT OR IGNORE INTO products VALUES ('M-1', 'mug', 4, 10), ('T-1', 'tea', 80, 40), ('P-1', 'pot', 2, 5);`;
if (!own) new DatabaseSync(file).exec(shop);

/** SQLite asks about all that a statement would do, before it runs: nothing beside these, in no other file. */
function open(...more: number[]) {
	const database = new DatabaseSync(file, { readOnly: more.length === 0, timeout: 1_000 });
	const allowed = [sqlite.SQLITE_SELECT, sqlite.SQLITE_READ, sqlite.SQLITE_FUNCTION, ...more];
	database.setAuthorizer((action) => (allowed.includes(action) ? sqlite.SQLITE_OK : sqlite.SQLITE_DENY));
	return database;
}
const [reading, writing] = [open(), open(sqlite.SQLITE_INSERT, sqlite.SQLITE_UPDATE, sqlite.SQLITE_DELETE)];
const input = z.object({ sql: z.string() });
const read = ({ sql }: z.infer<typeof input>) => reading.prepare(sql).all();
const write = ({ sql }: z.infer<typeof input>) => `${writing.prepare(sql).run().changes} rows changed`;
const does = { query: "Runs one SELECT; put a LIMIT on it.", change: "Runs one INSERT, UPDATE or DELETE." };
const query = defineTool({ name: "query", description: does.query, effect: "read", input, execute: read });
const change = defineTool({ name: "change", description: does.change, effect: "write", input, execute: write });
const low = `await tools.query({ sql: "SELECT sku, low - stock AS pieces FROM products WHERE stock < low" })`;
const order = `({ sku, pieces }) => tools.change({ sql: \`INSERT INTO orders VALUES ('\${sku}', \${pieces})\` })`;
const story = [
	program(`return ${low};`),
	call("note", { name: "low-stock", text: "Mugs and pots ran low; tea did not." }),
	call("set_mode", { mode: "execute", plan: "Order 6 mugs and 3 pots." }),
	program(`return await Promise.all((${low}).map(${order}));`),
	say("6 mugs and 3 pots are ordered; I noted why."),
];
const schema = reading.prepare("SELECT group_concat(sql, ';\n') AS text FROM sqlite_schema").get()?.["text"];
const agent = harnessAgent({
	name: "analyst",
	instructions: `You look after this database. Look before you plan, plan before you change, note what you find.\n${schema}`,
	tools: [query, change],
	modes: { start: "plan" },
	model: named ? await modelFromName(named, process).catch(fail) : scriptedModel(story, { since: "user" }),
});
const session = named ? file : "sample";
const harness = createHarness({ agents: [agent], store: sqliteStore(".holdpoint/holdpoint.db") });
const terminal = process.stdin.isTTY ? createInterface({ input: process.stdin, output: process.stdout }) : undefined;
const [begun] = question ? [] : await harness.runs({ session, status: ["running", "waiting"] });
const send = () => harness.session(session, agent).send(question ?? "What has to be done? Plan it, and do it.");
let result = await (begun ? harness.resume(begun.run) : send()).catch(fail);
let [asked, isLater] = [0, false];
while (result.status === "waiting" && !isLater) {
	const held = await harness.approvals({ run: result.run });
	isLater = held.length === 0;
	for (const { approval, tool, args } of held) {
		console.log(`${++asked} · may I ${tool} ${JSON.stringify(args)}?`);
		const answer = named ? await terminal?.question("yes, no, or later? ") : "yes";
		if (answer === "yes") await harness.approve(approval);
		else if (answer === "no") await harness.deny(approval, { reason: "not now" });
		else isLater = true;
	}
	if (!isLater) result = await harness.resume(result.run).catch(fail);
}
console.log(result.status === "failed" ? fail(result.error.message) : result.text);
for (const { name, text } of await harness.memory.list({ session })) console.log(`noted · ${name}: ${text}`);
console.log(`npx holdpoint memory list --session ${session} · npx holdpoint approvals · to go on, start this again`);
terminal?.close();
await harness.close();
if (!named) console.log(`proves: ${result.status}; a plan and ${asked - 1} orders waited for a yes`);
function fail(why: unknown): never {
	console.error(isHoldpointError(why) ? `${why.message} ${why.hint}` : why);
	process.exit(1);
}
