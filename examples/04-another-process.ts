// The run outlives its process: it waits as rows in SQLite, and another harness, anywhere, goes on with it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHarness, defineAgent, defineTool, sqliteStore } from "holdpoint";
import { call, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const folder = mkdtempSync(join(tmpdir(), "holdpoint-"));
let deployed = 0;
const deploy = defineTool({
	name: "deploy",
	description: "Deploys a version.",
	effect: "write",
	// The other side does a key only once, so that a crash between effect and outcome is simply repeated.
	repeat: "keyed",
	input: z.object({ version: z.string() }),
	execute: ({ version }, { idempotencyKey }) => ({ version, attempt: ++deployed, key: idempotencyKey.slice(0, 6) }),
});
const model = scriptedModel([call("deploy", { version: "2.0.1" }), say("2.0.1 is live.")]);
const agent = defineAgent({ name: "release", instructions: "You release software.", tools: [deploy], model });
const open = () => createHarness({ agents: [agent], store: sqliteStore(join(folder, "runs.db")) });

const first = open();
const held = await first.run(agent, "Release 2.0.1.", { runId: "release-2.0.1" });
await first.close();
console.log("first harness:", held.status, "and closed");

const second = open();
const [row] = await second.approvals();
if (!row) throw new Error("an approval should be open");
await second.approve(row.approval, { by: { id: "ann", via: "example" } });
await second.close();

const third = open();
const done = await third.resume("release-2.0.1");
// The same id with the same input joins the run; it does not start another one.
const joined = await third.run(agent, "Release 2.0.1.", { runId: "release-2.0.1" });
await third.close();
rmSync(folder, { recursive: true });

console.log("third harness:", done.status, "·", done.text);
console.log("started again:", joined.status);
console.log("proves: three harnesses on one store did it once. Deployments:", deployed);
