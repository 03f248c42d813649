import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defineAgent } from "../run/define-agent.ts";
import type { Host } from "./host.ts";
import { checkConfig, configPath, loadConfig } from "./load-config.ts";

const agent = defineAgent({ name: "shop", instructions: "help" });
let folder: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a config", () => {
	const wrong: [unknown, string][] = [
		[undefined, "no export named `config`"],
		["x", "no object"],
		[{}, "names no `agents`"],
		[{ agents: [] }, "names no `agents`"],
		[{ agents: [{ name: "x" }] }, "agents[0]"],
		[{ agents: [agent, agent] }, "two agents named shop"],
		[{ agents: [agent], polcy: () => undefined }, 'sets "polcy"; known: agents, policy'],
		[{ agents: [agent], policy: "allow" }, "`policy`"],
		[{ agents: [agent], rolesOf: {} }, "`rolesOf`"],
		[{ agents: [agent], approvers: () => [] }, "`approvers` without `of`"],
		[{ agents: [agent], approvers: { of: () => [] }, rolesOf: () => [] }, "short form"],
		[{ agents: [agent], labels: "yes" }, "no rules for labels"],
		[{ agents: [agent], limits: { turnMax: 3 } }, 'limit "turnMax"'],
		[{ agents: [agent], limits: { turnsMax: 0 } }, "turnsMax to 0"],
		[{ agents: [agent], model: "gpt" }, "`model`"],
	];

	test.each(wrong)("that is wrong says what is wrong: %j", (value, message) => {
		expect(() => checkConfig(value, "x.ts")).toThrow(
			expect.objectContaining({ code: "config.invalid", message: expect.stringContaining(message) }),
		);
	});

	test("that is right is what it is", () => {
		const config = { agents: [agent], limits: { turnsMax: 3 }, policy: () => ({ verdict: "allow" }) as const };
		expect(checkConfig(config, "x.ts")).toBe(config);
	});

	test("is named, or lies in the folder, or is not there", () => {
		const host = { cwd: folder, env: {} } as Host;
		expect(configPath({ host, options: {} })).toBeUndefined();
		writeFileSync(join(folder, "holdpoint.config.mjs"), "");
		expect(configPath({ host, options: {} })).toBe(join(folder, "holdpoint.config.mjs"));
		expect(configPath({ host: { ...host, env: { HOLDPOINT_CONFIG: "other.mjs" } }, options: {} })).toBe(
			join(folder, "other.mjs"),
		);
		expect(configPath({ host, options: { config: "named.mjs" } })).toBe(join(folder, "named.mjs"));
		expect(configPath({ host, options: { config: "holdpoint:demo" } })).toBe("holdpoint:demo");
	});

	test("that cannot be loaded says why", async () => {
		await expect(loadConfig(join(folder, "none.mjs"), "s.db")).rejects.toMatchObject({
			code: "config.invalid",
			message: expect.stringContaining("does not exist"),
		});
		const broken = join(folder, "broken.mjs");
		writeFileSync(broken, "throw new Error('no luck');");
		await expect(loadConfig(broken, "s.db")).rejects.toMatchObject({
			code: "config.invalid",
			message: expect.stringContaining("no luck"),
		});
	});

	test("that cannot be loaded says where", async () => {
		const source = (path: string): string => pathToFileURL(join(import.meta.dirname, path)).href;
		const wrong: [string, string][] = [
			["\n\nthrow new Error('no luck');", "no luck"],
			[
				`import { defineAgent } from "${source("../run/define-agent.ts")}";\n\ndefineAgent({ name: "a b", instructions: "x" });`,
				"is no agent name",
			],
		];
		for (const [at, [text, said]] of wrong.entries()) {
			const path = join(folder, `wrong-${at}.mjs`);
			writeFileSync(path, text);
			const error = (await loadConfig(path, "s.db").catch((caught) => caught)) as Error;
			expect(error.message).toContain(said);
			expect(error.message).toContain(`(${path}:3)`);
		}
	});

	test("that has wrong syntax says where as well", () => {
		const path = join(folder, "wrong.mjs");
		writeFileSync(path, "\n\nexport const config = = 1;");
		// In a process of its own: the test runner reads modules in its own way.
		const argv = [join(import.meta.dirname, "main.ts"), "run", "hi", "--config", path];
		const { stderr } = spawnSync(process.execPath, argv, { cwd: folder, encoding: "utf8" });
		expect(stderr).toContain(`Unexpected token '=' (${path}:3)`);
	});

	test("that is not there is said without the paths of this tool", async () => {
		const path = join(folder, "none.mjs");
		await expect(loadConfig(path, "s.db")).rejects.toMatchObject({ message: `The config ${path} does not exist` });
	});
});
