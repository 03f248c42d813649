import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { recorded } from "./recording-host.ts";

let cwd: string;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-interrupt-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const source = (path: string): string => JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);

const places = ["a tool", "the first answer"];
test.for(places)(
	"Ctrl-C in %s stops advancing, the run is kept, and resuming brings it to its end",
	{
		timeout: 60_000,
	},
	async (place) => {
		writeFileSync(
			join(cwd, "holdpoint.config.mjs"),
			`
import { defineAgent } from ${source("../run/define-agent.ts")};
import { defineTool } from ${source("../tools/define-tool.ts")};
import { jsonSchema } from ${source("../tools/json-schema.ts")};
import { scriptedModel } from ${source("../testing/scripted-model.ts")};
import { call, say } from ${source("../testing/story.ts")};
const hangs = () => {
	process.stderr.write("it hangs");
	return new Promise(() => setInterval(() => undefined, 1_000));
};
const slow = defineTool({
	name: "slow", description: "Slow.", effect: "read", input: jsonSchema({ type: "object" }),
	execute: () => (process.env.HANGS === "a tool" ? hangs() : "quick"),
});
const scripted = scriptedModel([call("slow"), say("done")], { countTokens: false });
const model = process.env.HANGS === "the first answer" ? { ...scripted, doStream: hangs } : scripted;
export const config = { agents: [defineAgent({ name: "a", instructions: "x", tools: [slow], model })] };
`,
		);
		const argv = [join(import.meta.dirname, "main.ts"), "run", "go", "--run-id", "job", "--json"];
		const child = spawn(process.execPath, argv, {
			cwd,
			env: { PATH: process.env["PATH"], HANGS: place },
			stdio: ["ignore", "pipe", "pipe"],
		});
		let out = "";
		let said = "";
		child.stdout.setEncoding("utf8").on("data", (text: string) => {
			out += text;
		});
		// The tool runs by then, and leaves something behind that would keep the process alive.
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			said += text;
			if (said === "it hangs") child.kill("SIGINT");
		});
		const [code] = (await once(child, "close")) as [number | null];
		expect(code).toBe(130);
		expect(out.trim().split("\n").at(-1)).toBe('{"type":"run.interrupted","run":"job"}');
		const resumed = await recorded(["resume", "job"], { cwd });
		expect(resumed).toMatchObject({ code: 0, out: expect.stringContaining("│ done") });
	},
);
