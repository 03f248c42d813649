import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** The checker of imports is itself checked: a tree that breaks every rule once, and trees that it cannot read. */

const root = fileURLToPath(new URL("..", import.meta.url));
const src = "packages/holdpoint/src";
let folder: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-imports-"));
	cpSync(join(root, "tsconfig.json"), join(folder, "tsconfig.json"));
	write("package.json", "{}");
	write("packages/holdpoint/package.json", '{ "name": "holdpoint", "dependencies": { "known": "1.0.0" } }');
	for (const name of ["known", "stranger"]) {
		write(
			`node_modules/${name}/package.json`,
			`{ "name": "${name}", "main": "dist/index.js", "types": "dist/index.d.ts" }`,
		);
		write(`node_modules/${name}/dist/index.js`, "exports.value = 1;");
		write(`node_modules/${name}/dist/index.d.ts`, "export declare const value: number;");
	}
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
	const file = join(folder, path);
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, text);
}

/** One file: its imports, and something for others to import. */
function plant(path: string, ...imports: string[]): void {
	write(`${src}/${path}`, `${imports.join("\n")}\nexport const value = 1;\nexport type Value = number;\n`);
}

function check(): { code: number | null; output: string } {
	const script = join(root, "scripts/check-imports.mjs");
	const result = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
	return { code: result.status, output: `${result.stdout}${result.stderr}` };
}

const uses = (path: string): string => `import { value as used } from "${path}";\nvoid used;`;
const knows = (path: string): string => `import type { Value as Known } from "${path}";\nexport type Here = Known;`;

describe("import rules", () => {
	test("a tree that keeps them passes", () => {
		plant("spec/events.ts", 'import type { value as theirs } from "stranger";\nexport type Theirs = typeof theirs;');
		plant("kit/digest.ts", 'import "node:crypto";', knows("../spec/events.ts"));
		plant("journal/journal.ts", uses("../kit/digest.ts"), knows("../spec/events.ts"));
		plant("run/drive.ts", uses("../journal/journal.ts"));
		plant("audit/verifier/merkle.ts", 'import "node:crypto";');
		plant("audit/verifier/verify.ts", uses("./merkle.ts"));
		plant("adapters/stores/sqlite/index.ts", uses("./rows.ts"), uses("known"));
		plant("adapters/sandboxes/guest-image/image.ts");
		plant("adapters/sandboxes/a/a.ts", uses("../guest-image/image.ts"));
		plant("tools/define-tool.ts");
		plant("adapters/tools/rooted/root.ts", uses("../../../kit/digest.ts"));
		plant("adapters/tools/files/files.ts", uses("../rooted/root.ts"), uses("../../../tools/define-tool.ts"));
		plant("adapters/stores/sqlite/rows.ts", uses("../../../kit/digest.ts"));
		plant("index.ts", uses("./run/drive.ts"));
		plant("journal/journal.test.ts", uses("../policy/policy.ts"));
		plant("policy/policy.ts");
		expect(check()).toMatchObject({ code: 0 });
	});

	const planted: [rule: string, from: string, to: string, statement: string][] = [
		["no-cycles", "audit/audit.ts", "./entry.ts", knows("./entry.ts")],
		["resolvable", "journal/journal.ts", "./nowhere.ts", uses("./nowhere.ts")],
		["no-test-imports", "journal/journal.ts", "./some.test.ts", uses("./some.test.ts")],
		["spec-alone", "spec/events.ts", "../kit/digest.ts", knows("../kit/digest.ts")],
		["kit-low", "kit/digest.ts", "../audit/audit.ts", knows("../audit/audit.ts")],
		["rooms-apart", "journal/journal.ts", "../audit/audit.ts", knows("../audit/audit.ts")],
		["rooms-apart", "brand-new-room/thing.ts", "../run/drive.ts", uses("../run/drive.ts")],
		["verifier-alone", "audit/verifier/verify.ts", "../audit.ts", knows("../audit.ts")],
		["verifier-alone", "audit/verifier/verify.ts", "../../spec/events.ts", knows("../../spec/events.ts")],
		["verifier-alone", "audit/verifier/verify.ts", "node:fs", 'import "node:fs";'],
		["run-over-rooms", "run/drive.ts", "../index.ts", knows("../index.ts")],
		["harness-over-run", "harness/agent.ts", "../adapters/models/a.ts", uses("../adapters/models/a.ts")],
		["adapters-apart", "adapters/models/a.ts", "./b.ts", uses("./b.ts")],
		["adapters-apart", "adapters/sandboxes/a/a.ts", "../b/b.ts", uses("../b/b.ts")],
		[
			"guest-image-for-sandboxes",
			"adapters/models/a.ts",
			"../sandboxes/guest-image/image.ts",
			uses("../sandboxes/guest-image/image.ts"),
		],
		["tools-as-a-user-would", "adapters/tools/a/a.ts", "../b/b.ts", uses("../b/b.ts")],
		["tools-as-a-user-would", "adapters/tools/a/a.ts", "../../../run/drive.ts", uses("../../../run/drive.ts")],
		["adapters-apart", "adapters/models/a.ts", "../../tools/a.ts", uses("../../tools/a.ts")],
		["adapters-apart", "adapters/models/a.ts", "../../audit/audit.ts", knows("../../audit/audit.ts")],
		["front-door", "index.ts", "./cli/main.ts", uses("./cli/main.ts")],
		["testing-below-doors", "testing/index.ts", "../server/serve.ts", uses("../server/serve.ts")],
		["server-below-cli", "server/serve.ts", "../cli/main.ts", uses("../cli/main.ts")],
		["pure-part", "spec/events.ts", "node:crypto", 'import "node:crypto";'],
		["pure-part", "run/next.ts", "fs", 'import "fs";'],
		["third-party-at-the-edge", "journal/journal.ts", "known", uses("known")],
		["third-party-at-the-edge", "run/drive.ts", "known", 'export const later = () => import("known");'],
		["declared", "adapters/models/a.ts", "stranger", uses("stranger")],
	];

	test("every one of them is caught when it is broken", () => {
		const statements = Map.groupBy(planted, ([, from]) => from);
		for (const [from, breaches] of statements) {
			plant(from, ...breaches.map(([, , , statement], at) => statement.replaceAll(/used|Known|Here/g, `$&${at}`)));
		}
		plant("audit/entry.ts", knows("./audit.ts"));
		const sandboxes = ["adapters/sandboxes/b/b.ts", "adapters/sandboxes/guest-image/image.ts"];
		const tools = ["adapters/tools/b/b.ts", "tools/a.ts"];
		const plain = ["journal/some.test.ts", "adapters/models/b.ts", ...sandboxes, ...tools, "cli/main.ts"];
		for (const each of plain) plant(each);
		const { code, output } = check();
		expect(code).toBe(1);
		for (const [rule, from, to] of planted) {
			const name = to
				.replace(/^node:/, "")
				.split("/")
				.at(-1);
			const pattern = new RegExp(`^${rule}: ${src}/${from} → .*${name?.replaceAll(".", "\\.")}`, "m");
			expect(output).toMatch(pattern);
		}
	});

	test("the console may know our types and none of our code", () => {
		plant("spec/events.ts");
		const path = "../../holdpoint/src/spec/events.ts";
		write("packages/console/src/types.ts", knows(path));
		expect(check()).toMatchObject({ code: 0 });
		write("packages/console/src/code.ts", uses(path));
		expect(check().output).toMatch(/^console-types-only: packages\/console\/src\/code\.ts/m);
	});

	test("a cruise that finds nothing is a failure", () => {
		plant("spec/events.ts");
		const { code, output } = check();
		expect(code).toBe(1);
		expect(output).toContain("no import was found");
	});
});
