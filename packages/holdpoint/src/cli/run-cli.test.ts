import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { commands } from "./command-list.ts";
import { recorded } from "./recording-host.ts";
import { widthOf } from "./render/text-width.ts";

let cwd: string;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-cli-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

describe("the command line", () => {
	test("says its version and its help, for people and for machines", async () => {
		expect(await recorded(["--version"])).toMatchObject({
			code: 0,
			out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
			err: "",
		});
		expect((await recorded(["--version", "--json"])).json()).toEqual([
			{ version: expect.any(String), node: process.versions.node },
		]);
		const help = await recorded([]);
		for (const { name, summary } of commands)
			expect(help.out.replaceAll(/\n {3,}/g, " ")).toContain(`${name.padEnd(24)} ${summary}`);
		expect((await recorded(["approve", "--help"])).out).toContain("--args <json>");
		expect((await recorded(["help", "approve"])).out).toContain("--args <json>");
		for (const argv of [["help", "--json"], ["--json", "help"], ["--json", "--help"], ["--json"]]) {
			expect((await recorded(argv)).json(), argv.join(" ")).toEqual([{ help: expect.stringContaining("Usage") }]);
		}
		expect((await recorded(["--json", "--version"])).json()).toHaveLength(1);
		expect((await recorded(["--json", "--store", "x.db", "runs"], { cwd })).json()).toEqual([{ runs: [] }]);
		expect((await recorded(["--store=x.db", "runs"], { cwd })).out).toContain("x.db");
	});

	test("help keeps to the terminal, breaks at words, and names what is offered", async () => {
		const { out } = await recorded(["help"], { columns: 60 });
		expect(out).toMatch(/^ {27}\S/m);
		expect(out).toContain("130 stopped by");
		for (const { name } of commands) {
			const help = await recorded([name, "--help"], { columns: 60 });
			expect(help.out).not.toContain("--as ");
			for (const line of [...out.split("\n"), ...help.out.split("\n")])
				expect(widthOf(line), line).toBeLessThanOrEqual(60);
		}
	});

	test("help speaks of no option that it does not list, and breaks lines where the terminal ends alone", async () => {
		for (const { name, notes = [] } of commands) {
			const { out } = await recorded([name, "--help"], { columns: 100 });
			const listed = new Set([...out.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, option]) => option));
			for (const [option] of notes.join("\n").matchAll(/--[\w-]+/g))
				expect(listed, `${name}: ${option}`).toContain(option);
		}
		expect((await recorded(["memory", "--help"], { columns: 100 })).out.replaceAll(/\s+/g, " ")).toContain(
			"keeps its author and its label; everything else is untrusted. forget",
		);
		const half = commands.flatMap(({ notes = [] }) => notes.filter((note) => /^[a-z]+ [a-z]+ [^:]*\.$/.test(note)));
		expect(half).toEqual([]);
	});

	test("every command can be loaded", async () => {
		for (const spec of commands) expect(await spec.load(), spec.name).toBeTypeOf("function");
	});

	test("wrong usage is exit code 2, and says what would be right", async () => {
		const wrong = await recorded(["aprove"]);
		expect(wrong).toMatchObject({ code: 2, out: "", err: expect.stringContaining("did you mean `approve`?") });
		expect(await recorded(["approve"])).toMatchObject({
			code: 2,
			err: expect.stringContaining("approve needs ids of approvals"),
		});
		expect(await recorded(["deny", "apr_1"])).toMatchObject({
			code: 2,
			err: expect.stringContaining("needs a reason"),
		});
		expect(await recorded(["settle", "r", "c1"])).toMatchObject({
			code: 2,
			err: expect.stringContaining("--did-not-happen"),
		});
		expect(await recorded(["settle", "r", "c1", "--happened", "null", "--did-not-happen"])).toMatchObject({ code: 2 });
		expect(await recorded(["approve", "x", "--args", "{"], { cwd })).toMatchObject({
			code: 2,
			err: expect.stringContaining("--args is no JSON"),
		});
		expect(await recorded(["runs", "--limit", "0"])).toMatchObject({ code: 2 });
		expect(await recorded(["runs", "--status", "asleep"])).toMatchObject({
			code: 2,
			err: expect.stringContaining("Statuses: running"),
		});
		expect(await recorded(["demo", "--answer", "perhaps"], { cwd })).toMatchObject({ code: 2 });
		for (const option of ["--store", "--config"]) {
			const refused = await recorded(["demo", option, "x"], { cwd });
			expect(refused).toMatchObject({ code: 2, err: expect.stringContaining(`demo takes no ${option}`) });
			expect((await recorded(["demo", "--help"])).out).not.toContain(option);
		}
	});

	test("an error is one JSON object where machines read", async () => {
		const wrong = await recorded(["show", "run_1", "--json"], { cwd });
		expect(wrong).toMatchObject({ code: 1, err: "" });
		expect(wrong.json()).toEqual([
			{ error: expect.objectContaining({ code: "run.unknown", hint: expect.any(String), retry: "never" }) },
		]);
	});

	test("hostile arguments do not reach the terminal raw", async () => {
		const evil = "\u001b[2J\u001b]0;x\u0007";
		for (const argv of [[evil], ["show", evil], ["runs", `--${evil}`], ["runs", evil], ["runs", "--status", evil]]) {
			const { err } = await recorded(argv, { cwd });
			expect(err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
		}
	});

	test("a claimed name is refused, because a claim is no proof", async () => {
		for (const argv of [
			["approve", "apr_1"],
			["deny", "apr_1", "--reason", "x"],
			["settle", "r", "c1", "--did-not-happen"],
			["cancel", "r"],
		]) {
			const refused = await recorded([...argv, "--as", "boss"], { cwd });
			expect(refused).toMatchObject({
				code: 1,
				err: expect.stringMatching(/a claimed name is no proof.*approval\.forbidden/s),
			});
		}
	});

	test("where there is no store there are no runs, and none is made by looking", async () => {
		expect(await recorded(["runs"], { cwd })).toMatchObject({ code: 0, out: expect.stringContaining("No runs yet") });
		expect((await recorded(["runs", "--json"], { cwd })).json()).toEqual([{ runs: [] }]);
		for (const [command, said] of [
			["approvals", "Nothing is held"],
			["resume", "No run is ready"],
		] as const) {
			expect(await recorded([command], { cwd })).toMatchObject({
				code: 0,
				out: expect.stringContaining(`${said}: there is no store at`),
			});
			expect(await recorded([command, "run_1"], { cwd })).toMatchObject({
				code: 1,
				err: expect.stringContaining("There is no store at"),
			});
		}
		expect(await recorded(["run", "hi"], { cwd })).toMatchObject({
			code: 1,
			err: expect.stringContaining("no holdpoint.config.ts"),
		});
		expect(await recorded(["runs"], { cwd })).toMatchObject({ out: expect.stringContaining("No runs yet") });
	});
});
