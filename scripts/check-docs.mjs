/**
 * The documents do not lie: every `ts` block of README.md and docs/ is type-checked and run against the built package,
 * and every link inside the repository leads somewhere.
 *
 *   ```ts           type-checked, run, must end well
 *   ```ts no-run    a fragment: must parse
 *   ```ts file=NAME, ```console: a document that is followed step by step (follow-guide.mjs); NAME may be a file of
 *                   another language, too: ```cedar file=shop.cedar
 *
 * Any other block stands alone: it imports what it uses, runs in an empty folder and has no key of any model provider.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { filesBelow } from "./fingerprint.mjs";
import { followGuide } from "./follow-guide.mjs";
import { forEachAtOnce, runScript } from "./run-all.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Inside the repository, so that `holdpoint` is found as it is from a user's file. */
const blocksFolder = join(root, `.cache/docs-${process.pid}`);
const limitMs = 30_000;

const isMarkdown = (file) => file.endsWith(".md");
const documents = ["README.md", "docs", "examples", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "packages"]
	.flatMap((path) => filesBelow(join(root, path), isMarkdown))
	.filter((file) => existsSync(file));
const faults = [];

/** Fenced blocks with the line they begin on, and the text without them. */
function readBlocks(file) {
	const blocks = [];
	const prose = [];
	let open;
	readFileSync(file, "utf8")
		.split("\n")
		.forEach((line, at) => {
			const fence = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(line);
			if (open === undefined && fence) {
				open = { fence: fence[2], indent: fence[1].length, info: fence[3].trim(), line: at + 1, lines: [] };
			} else if (open !== undefined && fence && fence[3] === "" && fence[2].startsWith(open.fence)) {
				blocks.push(open);
				open = undefined;
			} else if (open !== undefined) {
				open.lines.push(line.slice(open.indent));
			} else {
				prose.push(line);
			}
		});
	if (open !== undefined) faults.push(`${relative(root, file)}:${open.line} this block is never closed`);
	return { blocks, prose: prose.join("\n") };
}

function extract(file) {
	const name = relative(root, file);
	return readBlocks(file).blocks.flatMap(({ info, line, lines }) => {
		const [language, ...words] = info.split(/\s+/);
		if (["typescript", "js", "javascript", "mjs", "tsx"].includes(language)) {
			faults.push(`${name}:${line} a block in \`${language}\` is not checked; fence it as \`ts\``);
		}
		const place = `${name}:${line}`;
		if (language === "console") return [{ file, place, line, lines, kind: "step" }];
		const fileName = words.find((word) => word.startsWith("file="))?.slice("file=".length);
		if (language !== "ts" && fileName === undefined) return [];
		const unknown = words.find((word) => word !== "no-run" && !word.startsWith("file="));
		if (unknown !== undefined) faults.push(`${place} what is \`${unknown}\`? Known: \`no-run\`, \`file=NAME\``);
		if (fileName !== undefined) return [{ file, place, line, text: lines.join("\n"), fileName, kind: "step" }];
		const isRun = !words.includes("no-run");
		// The file is named for its place, so that every message about it says where to look.
		const target = join(blocksFolder, isRun ? "run" : "no-run", `${name.replaceAll("/", "__")}__line-${line}.ts`);
		const text = lines.join("\n");
		return [
			{
				place,
				target,
				kind: isRun ? "run" : "no-run",
				text: /^\s*(import|export)\b/m.test(text) ? text : `${text}\nexport {};`,
			},
		];
	});
}

function checkParse({ place, text }) {
	const { diagnostics = [] } = ts.transpileModule(text, {
		reportDiagnostics: true,
		compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ESNext },
	});
	for (const { messageText } of diagnostics) {
		faults.push(`${place} does not parse: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`);
	}
}

/** As a user's strict project would, against the published declarations. */
function checkTypes() {
	const project = join(blocksFolder, "tsconfig.json");
	const compilerOptions = { customConditions: [], noUnusedLocals: false, rootDir: root };
	const include = ["run/*.ts", "steps/**/*.ts"];
	writeFileSync(project, JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include, exclude: [] }));
	const compiler = join(root, "node_modules/typescript-native/bin/tsc");
	const result = spawnSync(process.execPath, [compiler, "-p", project, "--pretty", "false"], {
		cwd: blocksFolder,
		encoding: "utf8",
	});
	if (result.status !== 0)
		faults.push(
			`the blocks do not type-check (line numbers count from the block's fence):\n${result.stdout}${result.stderr}`,
		);
}

/** Documents whose blocks are steps, each in a folder of its own. */
function followAll() {
	for (const file of executed) {
		const steps = ofKind("step").filter((block) => block.file === file);
		if (steps.length === 0) continue;
		const folder = join(blocksFolder, "steps", relative(root, file).replaceAll("/", "__"));
		mkdirSync(folder, { recursive: true });
		faults.push(...followGuide(steps, { root, folder, file, isWriting: process.argv.includes("--write") }));
	}
}

/** The anchors of a document, as GitHub makes them. */
function anchorsOf(file) {
	const seen = new Map();
	const anchors = new Set();
	for (const line of readBlocks(file).prose.split("\n")) {
		const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
		for (const [, id] of line.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) anchors.add(id);
		if (heading === undefined) continue;
		const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
		const slug = plain.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
		const times = seen.get(slug) ?? 0;
		seen.set(slug, times + 1);
		anchors.add(times === 0 ? slug : `${slug}-${times}`);
	}
	return anchors;
}

function checkLinks(file) {
	const prose = readBlocks(file).prose.replaceAll(/`[^`\n]*`/g, "");
	const links = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)|(?:href|src)="([^"]+)"/gm)];
	for (const link of links.map((match) => match[1] ?? match[2] ?? match[3])) {
		if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(link)) continue;
		const [path, anchor] = decodeURIComponent(link).split("#");
		const target = path === "" ? file : resolve(path.startsWith("/") ? root : dirname(file), path.replace(/^\//, ""));
		if (!existsSync(target)) faults.push(`${relative(root, file)}: ${link} leads nowhere`);
		else if (anchor && isMarkdown(target) && !anchorsOf(target).has(anchor)) {
			faults.push(`${relative(root, file)}: ${basename(target)} has no heading for #${anchor}`);
		}
	}
	return links.length;
}

for (const kind of ["run", "no-run"]) mkdirSync(join(blocksFolder, kind), { recursive: true });
const executed = documents.filter((file) => /^(README\.md$|docs\/)/.test(relative(root, file)));
const blocks = executed.flatMap(extract);
const ofKind = (wanted) => blocks.filter(({ kind }) => kind === wanted);
for (const block of [...ofKind("run"), ...ofKind("no-run")]) writeFileSync(block.target, block.text);

for (const block of ofKind("no-run")) checkParse(block);
followAll();
checkTypes();
await forEachAtOnce(ofKind("run"), 2, async ({ place, target }) => {
	const { fault, output } = await runScript(target, limitMs);
	if (fault !== undefined) faults.push(`${place} ${fault}\n${output.trimEnd()}`);
});
rmSync(blocksFolder, { recursive: true, force: true });
const links = documents.reduce((sum, file) => sum + checkLinks(file), 0);

for (const fault of faults) console.error(fault);
console.log(
	`${documents.length} documents: ${ofKind("run").length} blocks run, ${ofKind("step").length} followed, ` +
		`${ofKind("no-run").length} parsed, ${links} links, ${faults.length} faults`,
);
if (faults.length > 0 || documents.length === 0) process.exitCode = 1;
