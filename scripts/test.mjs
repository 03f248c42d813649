/**
 * Everything that must hold before a change is taken, stage by stage, one line each. Its last line is always
 *
 *   <N> passed, <N> failed, <N> skipped
 *
 * Tests count one by one, as vitest's JSON report has them; every other stage counts as one check. A test run that
 * leaves no report, or a report of no tests, has crashed and is one failure. Reasons for skips stand before the end.
 *
 *   node scripts/test.mjs                  all stages
 *   node scripts/test.mjs --only <stage>   set-up and that one (again for another)
 *
 * It starts on the machine's own Node (20 or newer) and imports nothing but Node; what it runs has Node 24.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const minuteMs = 60_000;
const totalLimitMs = 14 * minuteMs;
const outputCharsMax = 200_000;
const report = ".cache/vitest.json";

/** `limitMs` is for a stage that hangs. `count` reads more than "one check, by its exit code". */
const stages = [
	{ name: "setup", limitMs: 5 * minuteMs, commands: ["node scripts/setup.mjs"] },
	{ name: "lint", limitMs: minuteMs, commands: ["biome check --error-on-warnings .", "oxlint --deny-warnings ."] },
	{
		name: "types",
		limitMs: 2 * minuteMs,
		commands: ["node node_modules/typescript-native/bin/tsc --noEmit -p tsconfig.json"],
	},
	{ name: "imports", limitMs: minuteMs, commands: ["node scripts/check-imports.mjs"] },
	{ name: "tidy", limitMs: minuteMs, commands: ["vitest run test/tidy.test.ts"], count: countTests },
	{ name: "build", limitMs: 2 * minuteMs, commands: ["node scripts/build.mjs --strict"] },
	{ name: "tests", limitMs: 11 * minuteMs, commands: ["vitest run --exclude test/tidy.test.ts"], count: countTests },
	{ name: "docs", limitMs: 3 * minuteMs, commands: ["node scripts/check-docs.mjs"], needs: "README.md" },
	{ name: "examples", limitMs: 2 * minuteMs, commands: ["node scripts/check-examples.mjs"], needs: "examples" },
	{ name: "bench", limitMs: 3 * minuteMs, commands: ["node bench/main.ts --smoke"], needs: "bench/main.ts" },
];

const environment = {
	...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_API_KEY$|^FORCE_COLOR$/.test(name))),
	PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env.PATH ?? ""}`,
	CI: "1",
	NO_COLOR: "1",
	HOLDPOINT_TEST_REPORT: report,
};

/** The process group that runs now: it ends with us, whatever it started. */
let running;
function endRunning() {
	try {
		if (running !== undefined) process.kill(-running, "SIGKILL");
	} catch {
		// It has just ended by itself.
	}
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
	process.on(signal, () => {
		endRunning();
		process.exit(1);
	});
}

function run(command, limitMs) {
	return new Promise((resolve) => {
		const [program, ...args] = command.split(" ");
		const child = spawn(program, args, {
			cwd: root,
			env: environment,
			stdio: ["ignore", "pipe", "pipe"],
			detached: true,
		});
		running = child.pid;
		let output = "";
		const keep = (chunk) => {
			output = (output + chunk).slice(-outputCharsMax);
		};
		child.stdout.setEncoding("utf8").on("data", keep);
		child.stderr.setEncoding("utf8").on("data", keep);
		const timer = setTimeout(() => {
			keep(`\n\`${command}\` was ended after ${(limitMs / 1000).toFixed(0)} s\n`);
			endRunning();
		}, limitMs);
		const end = (code, note = "") => {
			clearTimeout(timer);
			running = undefined;
			resolve({ code: code ?? 1, output: output + note });
		};
		child.on("error", (error) => end(1, `${command}: ${error.message}\n`));
		child.on("close", (code, signal) => end(code, signal ? `\`${command}\` ended by ${signal}\n` : ""));
	});
}

function readReport() {
	try {
		return JSON.parse(readFileSync(join(root, report), "utf8"));
	} catch {
		return undefined;
	}
}

function countTests({ code, output }) {
	const result = readReport();
	if (result === undefined || result.numTotalTests === 0) {
		return { passed: 0, failed: 1, skipped: 0, reasons: [], output: `${output}\nvitest left no report of any test\n` };
	}
	// A file that could not be loaded, or whose process died, has no failed test; what it did not get to is no skip.
	const brokenFiles = result.testResults.filter((file) => file.status === "failed" && !hasFailedTest(file));
	const skips = result.testResults.filter((file) => !brokenFiles.includes(file)).flatMap(skipsOf);
	const failed = result.numFailedTests + brokenFiles.length;
	return {
		passed: result.numPassedTests,
		// An error outside of any test leaves every test green and the exit code red.
		failed: code !== 0 && failed === 0 ? 1 : failed,
		skipped: skips.length,
		reasons: skipReasons(skips, output),
		output,
	};
}

const hasFailedTest = (file) => file.assertionResults.some((each) => each.status === "failed");

const skipsOf = ({ name, assertionResults }) =>
	assertionResults
		.filter((test) => ["skipped", "pending", "todo"].includes(test.status))
		.map((test) => ({
			file: relative(root, name),
			title: test.fullName,
			note: test.meta?.skipped?.replace(/\s+/g, " "),
		}));

/** A test notes its reason with `context.skip("why")`; a file prints `skipped: why` for what it skips as a whole. */
function skipReasons(skips, output) {
	const printed = new Map();
	let from;
	for (const line of output.split("\n")) {
		from = /^(?:stdout|stderr) \| (\S+)/.exec(line)?.[1] ?? from;
		const reason = /^skipped: (.+)/.exec(line)?.[1];
		if (reason !== undefined) printed.set(from, reason);
	}
	const counts = new Map();
	for (const { file, title, note } of skips) {
		const reason = `${file}: ${note ?? printed.get(file) ?? `${title} (no reason was printed)`}`;
		counts.set(reason, (counts.get(reason) ?? 0) + 1);
	}
	return [...counts].map(([reason, count]) => (count === 1 ? reason : `${reason} (${count} tests)`));
}

/** One check, by exit code; the commands of a stage all run, so that one look shows all that is wrong. */
async function runStage(stage, limitMs) {
	if (stage.needs !== undefined && !existsSync(join(root, stage.needs))) {
		return {
			passed: 0,
			failed: 0,
			skipped: 1,
			reasons: [`${stage.name}: ${stage.needs} does not exist yet`],
			output: "",
		};
	}
	rmSync(join(root, report), { force: true });
	let code = 0;
	let output = "";
	for (const command of stage.commands) {
		const result = await run(command, limitMs);
		code ||= result.code;
		output += result.output;
	}
	if (stage.count !== undefined) return stage.count({ code, output });
	return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, reasons: [], output };
}

function line(name, result, durationMs) {
	const state = result.failed > 0 ? "FAILED" : result.passed === 0 ? "skipped" : "ok";
	const counts = `${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`;
	const isMany = result.passed + result.failed + result.skipped > 1;
	return `${name.padEnd(9)} ${state.padEnd(7)} ${(durationMs / 1000).toFixed(1).padStart(6)} s${isMany ? `  ${counts}` : ""}`;
}

function choose(args) {
	const wanted = args.flatMap((arg, at) => (args[at - 1] === "--only" ? [arg] : []));
	const isClear = args.every((arg, at) => arg === "--only" || args[at - 1] === "--only") && args.at(-1) !== "--only";
	const unknown = wanted.filter((name) => !stages.some((stage) => stage.name === name));
	if (!isClear || unknown.length > 0) {
		console.error(
			`usage: node scripts/test.mjs [--only <stage>]…\nstages: ${stages.map((stage) => stage.name).join(" ")}`,
		);
		process.exit(2);
	}
	return wanted.length === 0 ? stages : stages.filter(({ name }) => name === "setup" || wanted.includes(name));
}

async function main() {
	const total = { passed: 0, failed: 0, skipped: 0 };
	const reasons = [];
	const deadlineMs = performance.now() + totalLimitMs;
	for (const stage of choose(process.argv.slice(2))) {
		const startedMs = performance.now();
		const limitMs = Math.max(1_000, Math.min(stage.limitMs, deadlineMs - startedMs));
		const result = await runStage(stage, limitMs);
		if (result.failed > 0) console.log(result.output.trimEnd());
		console.log(line(stage.name, result, performance.now() - startedMs));
		for (const key of Object.keys(total)) total[key] += result[key];
		reasons.push(...result.reasons);
		// Without the packages there is nothing to run the other stages with; without a build there is.
		if (result.failed > 0 && !existsSync(join(root, "node_modules/.bin/vitest"))) break;
	}
	for (const reason of reasons) console.log(`skipped: ${reason}`);
	console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
	if (total.failed > 0) process.exitCode = 1;
}

await main();
