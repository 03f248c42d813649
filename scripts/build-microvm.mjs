/**
 * Builds the micro-VM from source: quickjs.wasm → C (wasm2c) → guest.elf, and the host process microvmd.
 *
 *   node scripts/build-microvm.mjs            builds what is not up to date and checks it against build.lock.json
 *   node scripts/build-microvm.mjs --record   writes the digests of what these tools build into build.lock.json
 *   node scripts/build-microvm.mjs --package  also puts the two files that are shipped into packages/microvm-linux-x64
 *   node scripts/build-microvm.mjs --into <folder>   builds everything anew into that folder
 *   node scripts/build-microvm.mjs --check    has gcc -fanalyzer and, where there is one, clang-tidy read the sources
 *
 * The same sources and tools give the same bytes. Exit codes: 0 built or up to date, 1 the build failed, 3 this machine
 * cannot build it (the reason is printed), 4 the result is not what build.lock.json says.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
	copyFileSync,
	cpSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bootBaseImage } from "../packages/holdpoint/src/adapters/sandboxes/wasm/base-image.ts";
import { instantiate } from "../packages/holdpoint/src/adapters/sandboxes/wasm/engine.ts";
import { Module } from "../packages/holdpoint/src/adapters/sandboxes/wasm/webassembly.ts";
import { guestPrelude } from "../packages/holdpoint/src/spec/guest.ts";
import { digestsSource, ownDigests } from "./digests-source.mjs";
import { digestOf, readJson } from "./fingerprint.mjs";
import { withLock } from "./lock.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const home = join(root, "packages/microvm");
const native = join(home, "native");
const work = join(root, ".cache/microvm");
const lockFile = join(native, "build.lock.json");
const digestsFile = join(root, "packages/holdpoint/src/adapters/sandboxes/microvm/binary-digests.ts");
const moduleFile = createRequire(join(root, "packages/holdpoint/package.json")).resolve("quickjs-wasi/quickjs.wasm");

const exitCodes = { failed: 1, unable: 3, different: 4 };

class BuildError extends Error {
	constructor(message, exitCode = exitCodes.failed) {
		super(message);
		this.exitCode = exitCode;
	}
}

const strict = ["-std=c17", "-O2", "-g0", "-Wall", "-Wextra", "-Werror"];
/** No library, no kernel below it, and nothing that a guest could use against itself is missed in ring 3 without one. */
const bare = [
	"-fno-pic -fno-pie -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables",
	"-fno-math-errno -fno-trapping-math -msse4.1 -mpopcnt",
	"-DWASM_RT_MEMCHECK_SIGNAL_HANDLER=1 -DWASM_RT_SKIP_SIGNAL_RECOVERY=1 -DNDEBUG",
].flatMap((line) => line.split(" "));
const guestFlags = [...strict, "-ffreestanding", ...bare];
/** wasm2c's output warns about much and is not ours. */
const engineFlags = ["-std=c17", "-O2", "-g0", "-w", ...bare];
const guestLink =
	"-static -nostdlib -no-pie -s -Wl,-Ttext-segment=0x400000 -Wl,-z,max-page-size=4096 -Wl,-z,separate-code -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro".split(
		" ",
	);
const hostFlags = [
	...strict,
	..."-D_GNU_SOURCE -fPIE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fcf-protection".split(" "),
];
const hostLink = "-static-pie -s -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id=none".split(" ");

const say = (text) => console.error(`build:microvm: ${text}`);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const cSources = (folder) =>
	readdirSync(join(native, folder))
		.filter((name) => name.endsWith(".c"))
		.sort()
		.map((name) => `${folder}/${name}`);

function firstLine(program, args) {
	const asked = spawnSync(program, args, { encoding: "utf8" });
	return asked.status === 0 ? asked.stdout.split("\n")[0].trim() : undefined;
}

/** What decides the bytes beside the sources. Errors: says which of it this machine lacks. */
function findTools() {
	if (process.platform !== "linux" || process.arch !== "x64") {
		throw new BuildError(`the micro-VM is for Linux on x86-64, this is ${process.platform} on ${process.arch}`, 3);
	}
	const gcc = firstLine("gcc", ["--version"]);
	const wasm2c = firstLine("wasm2c", ["--version"]);
	const linker = firstLine("ld", ["--version"]);
	const missing = [gcc ? "" : "gcc", linker ? "" : "binutils", wasm2c ? "" : "wabt"].filter(Boolean);
	const library = gcc ? spawnSync("gcc", ["-print-file-name=libc.a"], { encoding: "utf8" }).stdout.trim() : "";
	if (gcc && !existsSync(library)) missing.push("libc6-dev");
	if (missing.length > 0) {
		const packages = missing.join(" ");
		throw new BuildError(`this machine lacks Debian packages: sudo apt-get install -y ${packages}`, exitCodes.unable);
	}
	const compiler = `${gcc}, ${linker}`;
	return {
		"guest.elf": `${compiler}, wasm2c ${wasm2c}`,
		microvmd: `${compiler}, libc.a ${sha256(readFileSync(library)).slice(0, 16)}`,
	};
}

/** Steps of the engine between two looks at whether it is to stop. */
const stepsPerLook = 10_000;

/**
 * The word of the base image in which the engine counts down its steps. A loop of n turns lowers it by n or 2 n, and by a
 * few more; no other word does that twice.
 */
function findCountdown(moduleBytes) {
	const module = new Module(moduleBytes);
	const base = bootBaseImage(moduleBytes, module);
	const { exports, stackPointer } = instantiate(module);
	exports.memory.grow((base.memory.length - exports.memory.buffer.byteLength) / 65_536);
	new Uint8Array(exports.memory.buffer).set(base.memory);
	stackPointer.value = base.stackPointer;
	const words = () => new Int32Array(exports.memory.buffer).slice(0, base.memory.length / 4);
	const isCounted = (by, turns) =>
		[turns, 2 * turns].some((least) => {
			const beyond = (((by - least) % stepsPerLook) + stepsPerLook) % stepsPerLook;
			return beyond < 50;
		});
	const afterLoop = (turns) => {
		const code = Buffer.from(`for (let i = 0; i < ${turns}; i++);\0`);
		const address = exports.wasm_malloc(code.length);
		new Uint8Array(exports.memory.buffer).set(code, address);
		exports.qjs_free_value(exports.qjs_eval(address, code.length - 1, address + code.length - 1, 0));
		exports.wasm_free(address);
		return words();
	};
	let before = words();
	let found = Array.from(before.keys()).slice(base.stackPointer / 4);
	for (const turns of [311, 1_103, 739, 2_027]) {
		const after = afterLoop(turns);
		found = found.filter((at) => isCounted(before[at] - after[at], turns));
		before = after;
	}
	if (found.length !== 1) throw new BuildError(`the engine's count of steps cannot be told from ${found.length} words`);
	return found[0] * 4;
}

const cBytes = (bytes) => [...bytes].map((byte, at) => (at % 24 === 0 ? `\n\t${byte},` : `${byte},`)).join("");

/** The prelude and the engine's digest as C, from the one source that the other providers use. */
function writeHeaders(folder) {
	const prelude = Buffer.from(guestPrelude);
	const note = "/* Written by scripts/build-microvm.mjs. */\n#pragma once\n";
	writeFileSync(
		join(folder, "prelude.h"),
		`${note}#define ENGINE_COUNTDOWN ${findCountdown(readFileSync(moduleFile))}u\n#define PRELUDE_BYTES ${prelude.length}u\nstatic const char prelude_text[PRELUDE_BYTES] = {${cBytes(prelude)}\n};\n`,
	);
	const digest = createHash("sha256").update(readFileSync(moduleFile)).digest();
	writeFileSync(
		join(folder, "guest-identity.h"),
		`${note}#include <stdint.h>\n\n#include "prelude.h"\n\nstatic const uint8_t engine_digest[32] = {${cBytes(digest)}\n};\n`,
	);
}

function run(program, args, cwd) {
	return new Promise((done, fail) => {
		const child = spawn(program, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
		child.on("error", (error) => fail(new BuildError(`${program}: ${error.message}`)));
		child.on("close", (code) =>
			code === 0 ? done() : fail(new BuildError(`\`${program} ${args.join(" ")}\` ended with ${code}`)),
		);
	});
}

/** Runs tasks, as many at a time as there are processors. */
async function inParallel(tasks) {
	const waiting = [...tasks];
	const lanes = Array.from({ length: Math.min(waiting.length, availableParallelism()) }, async () => {
		for (let task = waiting.shift(); task; task = waiting.shift()) await task();
	});
	// All of them end before the folder that they work in goes away.
	const failed = (await Promise.allSettled(lanes)).find((lane) => lane.status === "rejected");
	if (failed) throw failed.reason;
}

const objectOf = (source) => `${basename(source, ".c")}.o`;

/** Paths in the compiler's command are relative, so that no folder of this machine gets into the bytes. */
async function compile(folder, sources, flags) {
	const task = (source) => () =>
		run("gcc", [...flags, "-I", ".", "-c", join("native", source), "-o", objectOf(source)], folder);
	await inParallel(sources.map(task));
	return sources.map(objectOf);
}

/** The engine is most of the time of a build, and changes with the module and the tools alone. */
async function compileEngine(folder, tools) {
	await run("wasm2c", ["--module-name=engine", moduleFile, "-o", "engine.c"], folder);
	const key = sha256(
		JSON.stringify([readFileSync(join(folder, "engine.c"), "utf8"), engineFlags, tools["guest.elf"]]),
	).slice(0, 32);
	const kept = join(work, `engine-${key}.o`);
	if (!existsSync(kept)) {
		say("compiling the engine (half a minute)");
		await run("gcc", [...engineFlags, "-c", "engine.c", "-o", "engine.o"], folder);
		renameSync(join(folder, "engine.o"), kept);
	}
	writeFileSync(join(folder, "engine.o"), readFileSync(kept));
	return "engine.o";
}

async function buildGuest(folder, tools) {
	const engine = await compileEngine(folder, tools);
	const objects = await compile(folder, cSources("guest"), guestFlags);
	await run("gcc", [...guestLink, "-o", "guest.elf", ...objects, engine], folder);
}

async function buildHost(folder) {
	const objects = await compile(folder, [...cSources("vmm"), ...cSources("microvmd")], hostFlags);
	await run("gcc", [...hostFlags, ...hostLink, "-o", "microvmd", ...objects], folder);
}

/** A guest that attacks its machine: part of the tests, built with them so that they need no compiler. */
async function buildHostileGuest(folder) {
	const objects = await compile(folder, cSources("test"), guestFlags);
	await run("gcc", [...guestLink, "-o", "hostile.elf", ...objects], folder);
}

/** Makes system calls behind the lock-down of microvmd, for the same reason. */
async function buildTryCall(folder) {
	const objects = await compile(folder, [...cSources("locked"), "microvmd/lockdown.c"], hostFlags);
	await run("gcc", [...hostFlags, ...hostLink, "-o", "try-call", ...objects], folder);
}

/** The real microvmd on a KVM that cannot run, for the same reason. */
async function buildBrokenKvm(folder) {
	// What the last of the guest and of the host have in common by name is the host's by now.
	const objects = await compile(folder, cSources("broken"), hostFlags);
	const real = [...cSources("vmm"), ...cSources("microvmd")].map(objectOf);
	await run("gcc", [...hostFlags, ...hostLink, "-Wl,--wrap=ioctl", "-o", "broken-kvm", ...objects, ...real], folder);
}

const results = ["guest.elf", "microvmd", "hostile.elf", "try-call", "broken-kvm"];

/** The compiler sees the sources as `native/…`, wherever they are. */
async function inWorkFolder(task) {
	const folder = join(work, `build-${process.pid}`);
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	try {
		cpSync(native, join(folder, "native"), { recursive: true });
		writeHeaders(folder);
		await task(folder);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

const buildInto = (target, tools) =>
	inWorkFolder(async (folder) => {
		await buildGuest(folder, tools);
		await buildHost(folder);
		await buildHostileGuest(folder);
		await buildBrokenKvm(folder);
		await buildTryCall(folder);
		mkdirSync(target, { recursive: true });
		// In one step each: a machine that runs has its code mapped from the file that was there.
		for (const name of results) {
			const fresh = join(target, `.${name}.${process.pid}`);
			copyFileSync(join(folder, name), fresh);
			renameSync(fresh, join(target, name));
		}
	});

const shipped = ["guest.elf", "microvmd"];

/** Only what build.lock.json names is shipped: the provider runs nothing else. */
function fillPackage(bin) {
	const lock = readJson(lockFile) ?? {};
	const target = join(root, "packages/microvm-linux-x64/bin");
	mkdirSync(target, { recursive: true });
	for (const name of shipped) {
		const digest = digestIn(bin, name);
		if (!lock[name]?.some((each) => each.sha256 === digest)) {
			throw new BuildError(
				`${name} has the SHA-256 ${digest}, which build.lock.json does not have`,
				exitCodes.different,
			);
		}
		copyFileSync(join(bin, name), join(target, name));
	}
}

const pedantic = ["-fanalyzer", "-Wshadow", "-Wconversion", "-Wstrict-prototypes", "-Wmissing-prototypes"];

const checkSources = () =>
	inWorkFolder(async (folder) => {
		await run("wasm2c", ["--module-name=engine", moduleFile, "-o", "engine.c"], folder);
		const host = ["vmm", "microvmd", "locked", "broken"].flatMap(cSources);
		const guest = [...cSources("guest"), ...cSources("test")];
		await compile(folder, host, [...hostFlags, ...pedantic]);
		await compile(folder, cSources("guest"), [...guestFlags, ...pedantic]);
		if (firstLine("clang-tidy", ["--version"]) === undefined) {
			say("clang-tidy is not here; gcc -fanalyzer found nothing");
			return;
		}
		const paths = (sources) => sources.map((source) => join("native", source));
		const common = ["-std=c17", "-I", "."];
		await run("clang-tidy", ["--quiet", ...paths(host), "--", "-D_GNU_SOURCE", ...common], folder);
		await run("clang-tidy", ["--quiet", ...paths(guest), "--", "-ffreestanding", "-msse4.1", ...common], folder);
		say("gcc -fanalyzer and clang-tidy found nothing");
	});

const digestIn = (folder, name) => sha256(readFileSync(join(folder, name)));

/**
 * Compares with what is recorded for these tools. Other tools build other bytes: those this checkout alone runs, for as
 * long as the record is what it is now. The image that the guest boots to is the same, or no machine is used.
 */
function checkLock(folder, tools) {
	const built = Object.entries(tools).map(([name, by]) => [name, { tools: by, sha256: digestIn(folder, name) }]);
	const file = join(folder, "own-digests.json");
	rmSync(file, { force: true });
	let own;
	try {
		own = ownDigests(readJson(lockFile) ?? {}, Object.fromEntries(built));
	} catch (error) {
		throw new BuildError(error.message, exitCodes.different);
	}
	if (own === undefined) return;
	writeFileSync(file, `${JSON.stringify(own, undefined, "\t")}\n`);
	for (const name of Object.keys(own)) {
		say(`${name}: build.lock.json has no digest for these tools (${tools[name]}); this checkout runs its own build`);
	}
}

function recordLock(folder, tools) {
	const lock = readJson(lockFile) ?? {};
	for (const [name, by] of Object.entries(tools)) {
		// What other tools made of other sources is not true any more.
		const isSame = lock[name]?.some((each) => each.tools === by && each.sha256 === digestIn(folder, name));
		if (!isSame) lock[name] = [{ tools: by, sha256: digestIn(folder, name) }];
	}
	writeFileSync(lockFile, `${JSON.stringify(lock, undefined, "\t")}\n`);
	writeFileSync(digestsFile, digestsSource(lock));
}

function fingerprint(tools) {
	const isBuilt = (file) => file !== lockFile && !file.startsWith(join(native, "fuzz"));
	const sources = digestOf(root, ["packages/microvm/native", "scripts/build-microvm.mjs"], isBuilt);
	return sha256(JSON.stringify([sources, sha256(guestPrelude), sha256(readFileSync(moduleFile)), tools]));
}

async function main(args) {
	const tools = findTools();
	const into = args.indexOf("--into");
	mkdirSync(work, { recursive: true });
	if (args.includes("--check")) {
		await checkSources();
		return;
	}
	if (into >= 0) {
		await buildInto(resolve(args[into + 1]), tools);
		return;
	}
	const bin = join(home, "bin");
	const stampFile = join(bin, "built-from");
	const stamp = fingerprint(tools);
	const isFresh =
		results.every((name) => existsSync(join(bin, name))) &&
		existsSync(stampFile) &&
		readFileSync(stampFile, "utf8") === stamp;
	if (!isFresh) {
		await buildInto(bin, tools);
		writeFileSync(stampFile, stamp);
	}
	if (args.includes("--record")) recordLock(bin, tools);
	checkLock(bin, tools);
	if (args.includes("--package")) fillPackage(bin);
	say(isFresh ? "up to date" : "built packages/microvm/bin");
}

try {
	await withLock(`${root} microvm`, () => main(process.argv.slice(2)));
} catch (error) {
	say(error instanceof BuildError ? error.message : (error.stack ?? error));
	process.exitCode = error instanceof BuildError ? error.exitCode : exitCodes.failed;
}
