/**
 * Fuzzes what reads frames and mail: node packages/microvm/fuzz.mjs [seconds] [--keep]
 * Runs the kept corpus once:         node packages/microvm/fuzz.mjs --replay [another folder of inputs]
 *
 * Needs clang with libFuzzer (Debian: clang, libclang-rt-14-dev). Starts from the kept corpus in native/fuzz/corpus;
 * `--keep` adds to it what reached new code, as few and as short inputs as reach it. A crash ends the run with exit code 1
 * and leaves its input in .cache/microvm.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const native = fileURLToPath(new URL("native", import.meta.url));
const work = fileURLToPath(new URL("../../.cache/microvm", import.meta.url));
const [mode, ...others] = process.argv.slice(2);
const isReplay = mode === "--replay";
const target = join(work, `fuzz-frames-${process.pid}`);
const kept = join(native, "fuzz/corpus");
const found = join(work, "corpus");
const seconds = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 60);
/** Longer than the largest message of interest; images of some pages fit. */
const inputBytesMax = 20_000;

const sources = ["fuzz/frames.c", "microvmd/serve.c", "vmm/mail.c", "vmm/changed-pages.c", "vmm/slice.c"];
const flags =
	"-std=c17 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined";

function run(program, args, stdio = "inherit") {
	const result = spawnSync(program, args, { cwd: native, stdio, encoding: "utf8" });
	if (result.error) throw result.error;
	return result;
}

/** Each input of the corpus once, and nothing new. */
function replay() {
	const args = ["-runs=0", "-rss_limit_mb=1024", `-artifact_prefix=${work}/`, kept, ...others];
	const { status, stderr } = run(target, args, "pipe");
	const loaded = /INFO: seed corpus: files: (\d+)/.exec(stderr)?.[1];
	console.log(`${loaded} inputs, ${status === 0 ? "no crash" : "a crash"}`);
	if (status !== 0) console.log(stderr.slice(-6_000));
	return status === 0;
}

function fuzz() {
	rmSync(found, { recursive: true, force: true });
	mkdirSync(found, { recursive: true });
	const args = [
		`-max_total_time=${seconds}`,
		`-max_len=${inputBytesMax}`,
		"-print_final_stats=1",
		"-rss_limit_mb=1024",
		`-artifact_prefix=${work}/`,
	];
	const { status, stderr } = run(target, [...args, found, kept], "pipe");
	const number = (name) => Number(new RegExp(`stat::${name}:\\s+(\\d+)`).exec(stderr)?.[1] ?? Number.NaN);
	const reached = /.*cov: (\d+) ft: (\d+)/s.exec(stderr);
	console.log(`${number("number_of_executed_units")} executions, ${status === 0 ? "no crash" : "a crash"}`);
	console.log(`${reached?.[1]} edges, ${reached?.[2]} features, ${readdirSync(found).length} new inputs`);
	if (status !== 0) console.log(stderr.slice(-6_000));
	return status === 0;
}

/** The kept corpus becomes what of both reaches all that they reach. */
function keep() {
	const fewest = join(work, "corpus-fewest");
	rmSync(fewest, { recursive: true, force: true });
	mkdirSync(fewest);
	if (run(target, ["-merge=1", fewest, kept, found], "ignore").status !== 0)
		throw new Error("the corpora did not merge");
	rmSync(kept, { recursive: true });
	cpSync(fewest, kept, { recursive: true });
}

function main() {
	if (run("clang", [...flags.split(" "), ...sources, "-o", target]).status !== 0) return 2;
	const isWell = isReplay ? replay() : fuzz();
	if (isWell && !isReplay && process.argv.includes("--keep")) keep();
	return isWell ? 0 : 1;
}

mkdirSync(kept, { recursive: true });
mkdirSync(work, { recursive: true });
try {
	process.exitCode = main();
} finally {
	rmSync(target, { force: true });
}
