// Files and commands for an agent: what rules allow happens, what they do not speak of asks, and the store is out of reach.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHarness, defineAgent, sqliteStore } from "holdpoint";
import { calls, say, scriptedModel } from "holdpoint/testing";
import { fileTools } from "holdpoint/tools/files";
import { shellTool } from "holdpoint/tools/shell";

// The worst place for a store: inside of the folder that the agent works in.
const desk = mkdtempSync(join(tmpdir(), "holdpoint-desk-"));
chmodSync(desk, 0o777);
writeFileSync(join(desk, "plan.md"), "Ship on Monday.\n");
const store = sqliteStore(join(desk, ".holdpoint/holdpoint.db"));

const files = fileTools({
	root: desk,
	rules: [
		{ path: "notes/**", write: "allow" },
		{ path: "**/*.key", read: "deny", write: "deny" },
	],
});
const commands = [
	{ command: ["wc", "*"], verdict: "allow" },
	{ command: ["cat", "*"], verdict: "allow" },
] as const;
const shell = openShell();

/** Another user or bubblewrap, as far as this machine has it. */
function openShell() {
	try {
		return shellTool({ cwd: desk, commands });
	} catch (error) {
		console.log((error as Error).message);
		return shellTool({ cwd: desk, commands: commands.slice(0, 1), confine: "none" });
	}
}

const key = ".holdpoint/holdpoint.db.keys";
const model = scriptedModel([
	calls([
		{ tool: "read_file", args: { path: "plan.md" } },
		{ tool: "write_file", args: { path: "notes/today.md", text: "The plan says Monday.\n" } },
		{ tool: "edit_file", args: { path: "plan.md", old: "Monday", new: "Tuesday" } },
		{ tool: "read_file", args: { path: key } },
		{ tool: "read_file", args: { path: "../../etc/passwd" } },
		{ tool: "shell", args: { command: ["wc", "-l", "plan.md"] } },
		{ tool: "shell", args: { command: ["cat", key] } },
		{ tool: "shell", args: { command: ["holdpoint", "approve", "all"] } },
	]),
	say((ask) =>
		ask.results.map((result) => `${result.tool}: ${JSON.stringify(result.value).slice(0, 110)}`).join("\n  "),
	),
]);
const agent = defineAgent({ name: "clerk", instructions: "Keep it.", model, tools: [...files.tools, shell.tool] });
const harness = createHarness({ store, policy: shell.policy(files.policy()) });

const held = await harness.run(agent, "Move the release by a day.");
const open = await harness.approvals();
console.log(
	"commands run as:",
	shell.confinement,
	"· held:",
	open.map(({ tool, args }) => `${tool} ${JSON.stringify(args)}`),
);
const before = readFileSync(join(desk, "plan.md"), "utf8");

for (const { approval } of open) await harness.approve(approval, { by: { id: "mia", via: "example" } });
const done = await harness.resume(held.run);
console.log(" ", done.text);
const after = readFileSync(join(desk, "plan.md"), "utf8");
const isLeaked = done.text?.includes(readFileSync(join(desk, key), "utf8").trim()) ?? true;
const isNoted = existsSync(join(desk, "notes/today.md"));
await harness.close();
rmSync(desk, { recursive: true });

if (open.length !== 1 || isLeaked || !isNoted) throw new Error("it proves nothing");
console.log(
	`proves: a rule let the note be written; a person turned "${before.trim()}" into "${after.trim()}"; no key was read`,
);
