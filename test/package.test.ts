/**
 * What is published, as its user has it: both tarballs are packed, installed in an empty folder without a network, and run
 * there, where no compiler and nothing of this repository is to be found.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { whyNoMicrovm } from "../packages/holdpoint/src/adapters/sandboxes/microvm/machines-for-tests.ts";

const why = await whyNoMicrovm();
if (why) console.log(`skipped: ${why}`);

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "holdpoint-packages-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Manifest {
	readonly name: string;
	readonly version: string;
	readonly private?: boolean;
	readonly dependencies: Readonly<Record<string, string>>;
	readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function must(command: string, args: readonly string[], cwd: string): string {
	const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
	expect(status, `${command} ${args.join(" ")}\n${stdout}${stderr}${error ?? ""}`).toBe(0);
	return stdout;
}

const readManifest = (path: string): Manifest => JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
const tarballs = (name: string): string[] => readdirSync(join(folder, name)).map((file) => join(folder, name, file));
const microvm = "@holdpoint/microvm-linux-x64";

/** An app that has these tarballs and those of holdpoint's dependencies. Nothing comes from a registry, or from a cache. */
function install(name: string, packages: readonly string[]): string {
	const app = join(folder, name);
	mkdirSync(app);
	writeFileSync(join(app, "package.json"), '{ "private": true, "type": "module" }\n');
	writeFileSync(join(app, "run.mjs"), program);
	const flags = ["--offline", "--no-audit", "--no-fund", "--cache", join(folder, `${name}-cache`)];
	must("npm", ["install", ...flags, ...packages, ...tarballs("dependencies")], app);
	return app;
}

const program = `
import { createHarness, defineAgent, defineTool, jsonSchema } from "holdpoint";
import { program, say, scriptedModel } from "holdpoint/testing";
const look = defineTool({ name: "look", description: "Looks.", input: jsonSchema({ type: "object" }), effect: "read", execute: () => 20 });
const model = scriptedModel([program("return 1 + (await tools.look({})) * 2"), say("done")], { countTokens: false });
const agent = defineAgent({ name: "a", instructions: "i", model, tools: [look], programs: true });
const harness = createHarness({ agents: [agent] });
try {
	const { run } = await harness.run(agent, "go");
	const events = (await harness.show(run)).events.map(({ event }) => event);
	const { provider } = events.find(({ type }) => type === "program.started");
	const { outcome } = events.filter(({ type }) => type === "call.finished").at(-1);
	console.log(JSON.stringify({ provider, outcome }));
} catch ({ code, message }) {
	console.log(JSON.stringify({ code, message }));
}
await harness.close();
`;

/** In a process that has nothing of this one's environment. */
function inApp(app: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): unknown {
	const surroundings = { PATH: join(folder, "nothing"), HOME: app, TMPDIR: folder, ...env };
	const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: app, env: surroundings, encoding: "utf8" });
	try {
		return JSON.parse(stdout);
	} catch {
		throw new Error(`${args.join(" ")}: ${stdout}${stderr}`);
	}
}

const run = (app: string, env?: Readonly<Record<string, string>>) => inApp(app, ["run.mjs"], env);

interface Finding {
	readonly name: string;
	readonly state: string;
	readonly says: string;
}

/** What the installed command says of each sandbox. */
function doctor(app: string): Readonly<Record<string, Finding>> {
	const { findings } = inApp(app, ["node_modules/.bin/holdpoint", "doctor", "--json"]) as { findings: Finding[] };
	return Object.fromEntries(findings.map((finding) => [finding.name, finding]));
}

let holdpoint: readonly string[];
let both: readonly string[];
beforeAll(() => {
	must(process.execPath, [join(root, "scripts/setup.mjs")], root);
	const args = [join(root, "scripts/package.mjs"), "--into", join(folder, "packages")];
	const packed = spawnSync(process.execPath, args, { encoding: "utf8" });
	// 3: no compilers here; holdpoint's is there all the same.
	expect(why ? [0, 3] : [0], packed.stderr).toContain(packed.status);
	const { dependencies } = readManifest(join(root, "packages/holdpoint"));
	mkdirSync(join(folder, "dependencies"));
	const folders = Object.keys(dependencies).map((name) => join(root, "node_modules", name));
	must(
		"npm",
		["pack", "--silent", "--ignore-scripts", "--pack-destination", join(folder, "dependencies"), ...folders],
		folder,
	);
	both = tarballs("packages");
	holdpoint = both.filter((file) => !file.includes("microvm"));
}, 300_000);

test("both have one version, and the published holdpoint asks for exactly that of its micro-VM", () => {
	const manifest = readManifest(join(root, "packages/holdpoint"));
	expect(readManifest(join(root, "packages/microvm-linux-x64")).version).toBe(manifest.version);
	expect(holdpoint.map((file) => basename(file))).toEqual([`holdpoint-${manifest.version}.tgz`]);
	const packed = JSON.parse(must("tar", ["xzOf", holdpoint[0] ?? "", "package/package.json"], folder)) as Manifest;
	expect(packed.optionalDependencies).toEqual({ [microvm]: manifest.version });
	// In a clone nobody asks the registry for what is built from the clone.
	expect(manifest.optionalDependencies).toBeUndefined();
	expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toContain(`"${microvm}"`);
});

describe.skipIf(why)("with the optional package", { timeout: 120_000 }, () => {
	let app: string;
	beforeAll(() => {
		app = install("with", both);
	}, 120_000);

	test("it carries the two files, ready to run, and what their licences ask for", () => {
		const installed = join(app, "node_modules", microvm);
		const files = readdirSync(installed, { recursive: true, encoding: "utf8" }).toSorted();
		const licences = ["apache-2.0", "lgpl-2.1", "quickjs-ng", "quickjs-wasi", "wasi-libc"].map(
			(name) => `licenses/${name}.txt`,
		);
		const own = ["LICENSE", "NOTICE", "README.md", "bin", "bin/guest.elf", "bin/microvmd", "licenses", "package.json"];
		expect(files).toEqual([...own, ...licences].toSorted());
		expect(statSync(join(installed, "bin/microvmd")).mode & 0o777).toBe(0o755);
		const manifest = readManifest(installed);
		expect(manifest).toMatchObject({ os: ["linux"], cpu: ["x64"], engines: { node: ">=24" } });
		expect(manifest.private).toBeUndefined();
		const notice = readFileSync(join(installed, "NOTICE"), "utf8");
		for (const each of licences) expect(notice).toContain(each);
		const engine = readFileSync(join(root, "node_modules/quickjs-wasi/LICENSE"), "utf8");
		expect(readFileSync(join(installed, "licenses/quickjs-wasi.txt"), "utf8")).toBe(engine);
	});

	test("programs run in its micro-VM, without a compiler", () => {
		expect(doctor(app)["sandbox microvm"]).toMatchObject({
			state: "ok",
			says: expect.stringMatching(/^programs run here: isolation (svm|vmx|pvm), /),
		});
		expect(run(app)).toEqual({ provider: "microvm", outcome: { ok: { value: 41 } } });
	});

	test.each(["guest.elf", "microvmd"])("an altered %s is refused, and programs run in WebAssembly", (name) => {
		const file = join(app, "node_modules", microvm, "bin", name);
		const bytes = readFileSync(file);
		const altered = Buffer.from(bytes);
		altered[altered.length >> 1] = (altered[altered.length >> 1] ?? 0) ^ 1;
		writeFileSync(file, altered);
		expect(doctor(app)).toMatchObject({
			"sandbox microvm": { state: "note", says: expect.stringContaining(`${name} is not as published`) },
			"sandbox wasm": { state: "ok", says: expect.stringContaining("programs run here") },
		});
		expect(run(app)).toEqual({ provider: "wasm", outcome: { ok: { value: 41 } } });
		expect(run(app, { HOLDPOINT_SANDBOX: "microvm" })).toEqual({
			code: "sandbox.unavailable",
			message: expect.stringContaining(`${name} is not as published`),
		});
		writeFileSync(file, bytes);
		expect(run(app)).toMatchObject({ provider: "microvm" });
	});
});

test("without the optional package programs run in WebAssembly, and the reason is told", { timeout: 120_000 }, () => {
	const app = install("without", holdpoint);
	expect(readdirSync(join(app, "node_modules"))).not.toContain("@holdpoint");
	expect(doctor(app)).toMatchObject({
		"sandbox microvm": { state: "note", says: "the micro-VM's files are not installed" },
		"sandbox wasm": { state: "ok", says: expect.stringContaining("programs run here") },
	});
	expect(run(app)).toEqual({ provider: "wasm", outcome: { ok: { value: 41 } } });
	expect(run(app, { HOLDPOINT_SANDBOX: "microvm" })).toMatchObject({ code: "sandbox.unavailable" });
});
