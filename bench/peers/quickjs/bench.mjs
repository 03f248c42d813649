/** QuickJS without a sandbox around it: the C sources of an npm package, compiled into `.cache`. */
import { spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cpuLoads } from "../../cpu-loads.ts";
import { serveRows, timed } from "../../subject.ts";
import { check } from "../../work.ts";

const here = import.meta.dirname;
const sources = join(here, "node_modules/qjsc/deps/quickjs_2021_03_27");
const driver = join(here, "run-program.c");
const folder = join(here, "../../../.cache/native-quickjs");
const names = ["quickjs", "libregexp", "libunicode", "cutils", "libbf"];
const flags = ["-O2", "-w", "-D_GNU_SOURCE", '-DCONFIG_VERSION="2021-03-27"', "-DCONFIG_BIGNUM", `-I${sources}`];

function run(program, args, input) {
	const done = spawnSync(program, args, { encoding: "utf8", input });
	if (done.error) throw new Error(`${program}: ${done.error.message}`);
	if (done.status !== 0) throw new Error(`${program} ended with ${done.status}: ${done.stderr.slice(0, 300)}`);
	return done.stdout;
}

/** Compiled once for each compiler. Errors: an Error that says what this machine lacks. */
function executable() {
	const { version } = JSON.parse(readFileSync(join(here, "node_modules/qjsc/package.json"), "utf8"));
	const key = hash("sha256", JSON.stringify([run("gcc", ["--version"]), version, flags, readFileSync(driver, "utf8")]));
	const file = join(folder, `run-program-${key.slice(0, 16)}`);
	if (existsSync(file)) return file;
	mkdirSync(folder, { recursive: true });
	const files = [driver, ...names.map((name) => join(sources, `${name}.c`))];
	run("gcc", [...flags, "-o", `${file}.new`, ...files, "-lm", "-lpthread"]);
	renameSync(`${file}.new`, file);
	return file;
}

let native;

await serveRows({
	cpu: timed({
		begin() {
			native ??= executable();
		},
		async run(_, { load }) {
			const { source, value } = cpuLoads[load];
			const [ms, got] = run(native, [], `(function () {\n${source}\n})()`).split(" ").map(Number);
			check(got === value, `${cpuLoads[load].name} is ${got}`);
			return ms;
		},
	}),
});
