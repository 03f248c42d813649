import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** House rules that no linter has. Each check lists every place that breaks it, as `file:line text`. */

const root = fileURLToPath(new URL("..", import.meta.url));

/** Exceptions to the lint rules. Each carries its reason after `--` or `:`. This number may only fall. */
const suppressionsMax = 0;

const textual = /\.(ts|tsx|mjs|js|json|jsonc|md|yml|yaml|css|html|sh)$|^\.ci\/|^\.[a-z]+rc$|^(LICENSE|\.editorconfig)$/;
/** Written by tools, or kept as it is for ever. */
const generated = /^(package-lock\.json|etc\/|bench\/results\/)|\.golden\./;

/** Tests that speak of programs or sandboxes and are not run in each of them: why. */
const runOnce: Readonly<Record<string, string>> = {
	"packages/holdpoint/src/best-sandbox.test.ts": "chooses between sandboxes",
	"packages/holdpoint/src/run/define-agent.test.ts": "defines agents and runs none",
	"packages/holdpoint/src/run/golden.test.ts": "folds journals; runs something only to record a new one",
	"packages/holdpoint/src/run/microvm-programs.test.ts": "names its sandboxes, and moves programs between them",
	"packages/holdpoint/src/testing/sandbox-contract.test.ts": "looks at the suite and not at a sandbox",
	"packages/holdpoint/src/testing/scripted-model.test.ts": "asks the model alone",
	"test/package.test.ts": "installs what is published, once with and once without the micro-VM",
};

/** There the type checker is expected to refuse what follows, and says so where it does not: no error is hidden. */
const whatMustNotCompile = "packages/holdpoint/src/routing/handoff.test.ts";

interface Source {
	readonly path: string;
	readonly lines: readonly string[];
}

/** Everything that git has or would add. */
const files: readonly Source[] = listFiles()
	.filter((path) => textual.test(path) && !generated.test(path) && existsSync(join(root, path)))
	.map((path) => ({ path, lines: readFileSync(join(root, path), "utf8").split("\n") }));

const code = files.filter(({ path }) => /\.(ts|tsx|mjs)$/.test(path));
const tests = code.filter(({ path }) => path.endsWith(".test.ts"));
const published = code.filter(({ path }) => path.startsWith("packages/holdpoint/src/") && !path.endsWith(".test.ts"));
/** This file names what it forbids. */
const others = files.filter(({ path }) => path !== "test/tidy.test.ts");

function listFiles(): string[] {
	const list = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
		cwd: root,
		encoding: "utf8",
	});
	if (list.status === 0) return list.stdout.split("\0").filter(Boolean);
	// An unpacked archive has no git: the same folders, walked.
	const walk = spawnSync(
		"find",
		[".", "-type", "f", "-not", "-path", "*/node_modules/*", "-not", "-path", "*/dist/*", "-not", "-path", "./.*/*"],
		{ cwd: root, encoding: "utf8" },
	);
	return walk.stdout
		.split("\n")
		.map((line) => line.replace(/^\.\//, ""))
		.filter(Boolean);
}

/** Every line that the pattern finds. */
function linesWith(pattern: RegExp, where: readonly Source[]): string[] {
	return where.flatMap(({ path, lines }) =>
		lines.flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1} ${line.trim().slice(0, 160)}`] : [])),
	);
}

/** Lines that are neither blank nor comment. */
function codeLines({ lines }: Source): number {
	let isInComment = false;
	let count = 0;
	for (const line of lines.map((each) => each.trim())) {
		if (isInComment) isInComment = !line.includes("*/");
		else if (line.startsWith("/*")) isInComment = !line.includes("*/");
		else if (line !== "" && !line.startsWith("//")) count += 1;
	}
	return count;
}

describe("names", () => {
	test("there are files to look at", () => {
		expect(code.length).toBeGreaterThan(20);
		expect(tests.length).toBeGreaterThan(1);
	});

	test("files and folders are kebab-case", () => {
		const isKebab = (part: string): boolean => /^[.]?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*$/.test(part);
		const inFolders = code.map(({ path }) => path).filter((path) => !path.split("/").every(isKebab));
		expect(inFolders).toEqual([]);
	});

	test("no file or folder has a name that says nothing", () => {
		const empty = /^(utils?|helpers?|common|misc|managers?|services?|base|types|shared|lib)$/;
		const emptyEnd = /-(utils?|helpers?|misc|manager|service)$/;
		const found = code
			.map(({ path }) => path)
			.filter((path) => {
				const name = basename(path).replace(/(\.test)?\.[a-z]+$/, "");
				const isVocabulary = path.includes("/spec/");
				return !isVocabulary && (emptyEnd.test(name) || [...path.split("/"), name].some((part) => empty.test(part)));
			});
		expect(found).toEqual([]);
	});

	test("the only default exports are those that a tool demands", () => {
		const demanded = /(^|\/)(vite|vitest)\.config\.ts$|^\.dependency-cruiser\.mjs$|^bench\/peers\/[\w-]+\/worker\.mjs$/;
		const configured = code.filter(({ path }) => !demanded.test(path));
		expect(linesWith(/^export default\b|\bas default\s*[,}]/, configured)).toEqual([]);
	});

	test("an index.ts holds named re-exports and nothing else", () => {
		const wrong = code
			.filter(({ path }) => basename(path) === "index.ts")
			.filter(({ lines }) => {
				const text = lines.join("\n").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
				return text.replaceAll(/export\s+(type\s+)?\{[^}]*\}\s*from\s*"[^"]+";/g, "").trim() !== "";
			});
		expect(wrong.map(({ path }) => path)).toEqual([]);
	});
});

describe("text", () => {
	test("nothing is left to do", () => {
		expect(linesWith(/\b(TODO|FIXME|XXX|HACK)\b/, others)).toEqual([]);
	});

	test("no trailing white space, one newline at the end", () => {
		expect(linesWith(/[ \t\r]$/, files)).toEqual([]);
		const ends = files.filter(({ lines }) => lines.at(-1) !== "" || lines.at(-2) === "");
		expect(ends.map(({ path }) => path)).toEqual([]);
	});

	test("no path of one machine", () => {
		expect(linesWith(/(^|[\s"'`(=:])\/(work|home|root|Users|tmp)\/[a-z]/, others)).toEqual([]);
	});

	test("the project speaks of itself alone", () => {
		const words =
			/\b(as an ai|the lead (says|said|wants|asked|writes|will)|(this|the|my) chat|co-authored-by|issue #?\d+)\b|(^|\s)#\d{1,5}\b/i;
		const prose = others.filter(({ path }) => !/\.(json|jsonc|css|html)$/.test(path));
		expect(linesWith(words, prose)).toEqual([]);
	});

	test("a comment names only documents that exist", () => {
		const exists = (name: string, from: string): boolean =>
			name === "SKILL.md" || existsSync(join(root, name)) || existsSync(join(root, dirname(from), name));
		const missing = code.flatMap(({ path, lines }) =>
			lines
				.filter((line) => /^\s*(\*|\/\*|\/\/)/.test(line))
				.flatMap((line) =>
					[...line.matchAll(/(?<![\w*<>-])((?:[\w.-]+\/)*[\w-]+\.md)\b/g)].map((match) => match[1] ?? ""),
				)
				.filter((name) => !exists(name, path))
				.map((name) => `${path}: ${name}`),
		);
		expect(missing).toEqual([]);
	});
});

describe("code", () => {
	test("spec/ uses nothing of Node", () => {
		const spec = published
			.filter(({ path }) => path.startsWith("packages/holdpoint/src/spec/"))
			.map(({ path, lines }) => ({ path, lines: lines.map((line) => line.replace(/^\s*(\*|\/\*|\/\/).*/, "")) }));
		expect(spec.length).toBeGreaterThan(0);
		expect(linesWith(/from "node:|\b(Buffer|process|setTimeout|setInterval|setImmediate|require)[.(]/, spec)).toEqual(
			[],
		);
	});

	test("no file is longer than 400 lines of code", () => {
		// A test file may be twice as long: it is a list.
		const long = code.filter((source) => codeLines(source) > (source.path.endsWith(".test.ts") ? 800 : 400));
		expect(long.map((source) => `${source.path}: ${codeLines(source)}`)).toEqual([]);
	});

	test("the number of lint exceptions only falls, and each has its reason", () => {
		const exceptions = linesWith(/(biome-ignore|(oxlint|eslint)-disable)\b/, others);
		expect(exceptions.filter((line) => !/(biome-ignore[^:]*:\s*\S|disable\S*\s.*--\s*\S)/.test(line))).toEqual([]);
		expect(exceptions.length, exceptions.join("\n")).toBeLessThanOrEqual(suppressionsMax);
		const plain = others.filter(({ path }) => path !== whatMustNotCompile);
		expect(linesWith(/@ts-(ignore|nocheck|expect-error)/, plain)).toEqual([]);
		expect(linesWith(/@ts-(ignore|nocheck)/, others)).toEqual([]);
	});
});

describe("tests", () => {
	test("none is the only one, and none is skipped without a reason that is printed", () => {
		const where = tests.filter(({ path }) => path !== "test/tidy.test.ts");
		expect(linesWith(/\b(test|it|describe|suite)(\.\w+)*\.only\b/, where)).toEqual([]);
		// `context.skip("why")` says it, and a file that has `skipIf` prints `skipped: why`; the others say nothing.
		expect(linesWith(/\b(test|it|describe|suite)(\.\w+)*\.(skip|todo)\(/, where)).toEqual([]);
		expect(linesWith(/\b(context|ctx|t|task)\.skip\(\s*\)|^\s*skip\(\s*\)/, where)).toEqual([]);
		const conditional = where.filter(({ lines }) => /\.(skipIf|runIf)\(/.test(lines.join("\n")));
		const mute = conditional.filter(({ lines }) => !/["'`]skipped: /.test(lines.join("\n")));
		expect(mute.map(({ path }) => path)).toEqual([]);
	});

	test("a test whose programs run does so in every sandbox", () => {
		// Tests of one sandbox lie beside it.
		const own = /^packages\/(microvm|holdpoint\/src\/adapters\/sandboxes)\//;
		const isEverywhere = ({ lines }: Source): boolean =>
			/from "[^"]*\/testing\/sandbox-under-test\.ts"/.test(lines.join("\n"));
		const here = tests.filter(({ path }) => path !== "test/tidy.test.ts" && !own.test(path));
		const programs = /\b(wasm|microvm|best)Sandbox\(|\bprogram\(|\bprograms: (true|\{)/;
		const once = here.filter((source) => !isEverywhere(source) && linesWith(programs, [source]).length > 0);
		// Each with its reason, and none that has become needless.
		expect(once.map(({ path }) => path).toSorted()).toEqual(Object.keys(runOnce));
		expect(here.filter(isEverywhere).length).toBeGreaterThan(10);
		const besideTests = code.filter(({ path }) => path.startsWith("test/") && !path.endsWith(".test.ts"));
		expect(linesWith(/\b(wasm|microvm|best)Sandbox\(/, besideTests)).toEqual([]);
	});

	test("every invariant is cited by the title of a test", () => {
		const titles = tests.flatMap(
			({ lines }) => lines.join("\n").match(/\b(test|it|describe)(\.\w+(\([^)]*\))?)*\(\s*["'`][^\n]*/g) ?? [],
		);
		const uncited = [1, 2, 3, 4, 5, 6, 7, 8]
			.map((number) => `I${number}`)
			.filter((name) => !titles.some((title) => new RegExp(`\\b${name}\\b`).test(title)));
		expect(uncited).toEqual([]);
	});
});
