/**
 * Runs dependency-cruiser and does not believe it blindly: with a compiler that it does not understand it cruises
 * nothing and passes. So every source file on disk must be among the modules that it looked at.
 *
 *   node scripts/check-imports.mjs [folder]     the repository by default
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { filesBelow } from "./fingerprint.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = resolve(process.argv[2] ?? root);
const roots = ["packages", "examples", "bench", "test"].filter((name) => existsSync(join(folder, name)));

const isSource = (file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts");
const isOurs = (file) => !/^(packages\/[^/]+\/(?!src\/)|bench\/peers\/)/.test(file);
const sources = roots
	.flatMap((name) => filesBelow(join(folder, name), isSource))
	.map((file) => relative(folder, file))
	.filter(isOurs);

function cruise() {
	const cli = join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs");
	const args = [cli, "--config", join(root, ".dependency-cruiser.mjs"), "--output-type", "json", ...sources];
	const result = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", maxBuffer: 256 * 1024 * 1024 });
	try {
		return JSON.parse(result.stdout);
	} catch {
		throw new Error(
			`dependency-cruiser gave no report (exit code ${result.status}):\n${result.stderr}${result.stdout.slice(0, 2_000)}`,
		);
	}
}

function describe({ rule, from, to, cycle }) {
	const path = cycle ? [from, ...cycle.map((step) => step.name)].join(" → ") : `${from} → ${to}`;
	return `${rule.name}: ${path}`;
}

const { modules, summary } = cruise();
const seen = new Set(modules.map((module) => module.source));
const unseen = sources.filter((file) => !seen.has(file));
const found = modules
	.filter((module) => sources.includes(module.source))
	.reduce((sum, module) => sum + module.dependencies.length, 0);

for (const violation of summary.violations) console.error(describe(violation));
for (const rule of new Set(summary.violations.map((violation) => violation.rule.name))) {
	console.error(`  ${rule}: ${summary.ruleSetUsed.forbidden.find((each) => each.name === rule)?.comment}`);
}
for (const file of unseen) console.error(`not cruised: ${file}`);
if (found === 0)
	console.error(
		"no import was found at all: dependency-cruiser and the installed TypeScript do not understand each other",
	);
console.log(
	`${sources.length} files, ${found} imports, ${summary.violations.length} violations, ${unseen.length} files not looked at`,
);
if (summary.violations.length > 0 || unseen.length > 0 || found === 0) process.exitCode = 1;
