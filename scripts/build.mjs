/**
 * Builds packages/holdpoint into its dist: one file per public entry, chunks for what entries share, and a lazy chunk
 * for every dynamic import, because the time to import the front door is a promise of the product.
 *
 * The list of entries is the `exports` map of its package.json (the `@holdpoint/source` condition names the source);
 * the few files that are started rather than imported are named below. dist is flat, so that
 * `new URL("./x.js", import.meta.url)` means the same in an entry and in a chunk.
 *
 *   node scripts/build.mjs            an entry whose source does not exist is left out with a note
 *   node scripts/build.mjs --strict   such an entry, a type error or a fault in the package is a failure (CI)
 *   node scripts/build.mjs --api      also rewrites the report of the public API in etc/
 */
import { spawnSync } from "node:child_process";
import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { checkPackage, PackageError } from "./check-package.mjs";
import { buildDigest, filesBelow, readJson, writeStamp } from "./fingerprint.mjs";
import { withLock } from "./lock.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const packageRoot = join(root, "packages/holdpoint");
const dist = join(packageRoot, "dist");

/** Started by path (a bin, a worker thread), so no import names them. */
const started = { cli: "src/cli/main.ts", "wasm-worker": "src/adapters/sandboxes/wasm/worker.ts" };

/** Bundled into the command line tool and nowhere else, so that an installed package stays small. */
const bundled = ["@clack/prompts", "@clack/core", "yaml"];

/** Complaints of the bundler that are ours to mend: what is missing, and what is imported lazily and yet loaded with the rest. */
const faults = new Set(["UNRESOLVED_IMPORT", "INEFFECTIVE_DYNAMIC_IMPORT"]);

class BuildError extends Error {}

function listEntries(manifest) {
	const entries = { ...started };
	for (const target of Object.values(manifest.exports)) {
		const source = target["@holdpoint/source"];
		if (source === undefined) continue;
		const name = /^\.\/dist\/([\w-]+)\.js$/.exec(target.default)?.[1];
		if (name === undefined) throw new BuildError(`exports: ${target.default} must lie flat in ./dist`);
		entries[name] = source.replace(/^\.\//, "");
	}
	return entries;
}

function isExternal(manifest) {
	const kept = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
	const builtin = new Set(builtinModules);
	const belongsTo = (id, name) => id === name || id.startsWith(`${name}/`);
	return (id) =>
		id.startsWith("node:") ||
		builtin.has(id) ||
		belongsTo(id, "zod") ||
		id.startsWith("@ai-sdk/") ||
		kept.some((name) => belongsTo(id, name));
}

/**
 * What an entry loads before its first line runs. The front door's share lies in one chunk, as far as the command line
 * and the worker thread do not start with the same modules: those two are to start without the rest.
 */
function chunkPlan(entries) {
	const loads = new Map();
	const watch = {
		name: "static-imports",
		buildEnd() {
			for (const name of ["index", "cli", "wasm-worker"].filter((each) => each in entries)) {
				const closure = new Set([join(packageRoot, entries[name])]);
				for (const id of closure) for (const next of this.getModuleInfo(id)?.importedIds ?? []) closure.add(next);
				loads.set(name, closure);
			}
		},
	};
	const isLoadedBy = (name) => (id) => loads.get(name)?.has(id) ?? false;
	const group = (name, priority, other = "index") => ({
		name,
		priority,
		test: (id) => isLoadedBy("index")(id) && isLoadedBy(other)(id),
	});
	return { watch, groups: [group("core-worker", 3, "wasm-worker"), group("core-cli", 2, "cli"), group("core", 1)] };
}

async function bundle(manifest, entries, folder) {
	if (Object.keys(entries).length === 0) return [];
	const { watch, groups } = chunkPlan(entries);
	const build = await rolldown({
		cwd: packageRoot,
		input: entries,
		platform: "node",
		external: isExternal(manifest),
		plugins: [watch],
		onLog(level, log, forward) {
			if (faults.has(log.code)) throw new BuildError(log.message);
			forward(level, log);
		},
	});
	try {
		const { output } = await build.write({
			dir: folder,
			format: "esm",
			entryFileNames: "[name].js",
			chunkFileNames: "chunk-[name]-[hash].js",
			codeSplitting: { groups },
			// The declarations carry the documentation; here it would only be read at every start.
			comments: { legal: true, annotation: true, jsdoc: false },
		});
		return output.filter((file) => file.type === "chunk");
	} finally {
		await build.close();
	}
}

function makeExecutable(file) {
	const text = readFileSync(file, "utf8");
	if (!text.startsWith("#!")) writeFileSync(file, `#!/usr/bin/env node\n${text}`);
	chmodSync(file, 0o755);
}

/** Declarations keep the `.ts` of their imports; what is published has no such files. */
const relativeImport = /((?:from|import)\s*\(?\s*")(\.{1,2}\/[^"]+)\.(?:ts|js)"/g;

/** Declarations of the public entries and of what they mention, and nothing else. */
function declare(folder, manifest) {
	const compiler = join(root, "node_modules/typescript-native/bin/tsc");
	const project = join(root, "tsconfig.build.json");
	const result = spawnSync(process.execPath, [compiler, "-p", project, "--outDir", folder], { encoding: "utf8" });
	const kept = new Set(
		Object.values(manifest.exports)
			.map(({ types }) => types && join(folder, types.replace("./dist/types/", "")))
			.filter((file) => file && existsSync(file)),
	);
	for (const file of kept) {
		const text = readFileSync(file, "utf8");
		const mentioned = [...text.matchAll(relativeImport)].map(([, , path]) => join(dirname(file), `${path}.d.ts`));
		for (const each of mentioned.filter((path) => existsSync(path))) kept.add(each);
		writeFileSync(file, text.replaceAll(relativeImport, '$1$2.js"'));
	}
	for (const file of filesBelow(folder)) if (!kept.has(file)) rmSync(file);
	return result.status === 0 ? undefined : `${result.stdout}${result.stderr}`;
}

function replaceDist(next) {
	const old = `${next}-old`;
	if (existsSync(dist)) renameSync(dist, old);
	renameSync(next, dist);
	rmSync(old, { recursive: true, force: true });
}

async function build({ isStrict, updatesReport }) {
	const startedAtMs = performance.now();
	const digest = buildDigest(root);
	const manifest = readJson(join(packageRoot, "package.json"));
	const all = Object.entries(listEntries(manifest));
	const missing = all.filter(([, source]) => !existsSync(join(packageRoot, source)));
	for (const [name, source] of missing) console.error(`build: no ${source} yet, so no ${name}.js`);
	if (isStrict && missing.length > 0) throw new BuildError(`${missing.length} entries have no source`);
	const present = Object.fromEntries(all.filter((entry) => !missing.includes(entry)));

	const next = join(root, ".cache/dist");
	// A build that was killed leaves its half; the lock says that nobody else is at it.
	for (const path of [next, `${next}-old`]) rmSync(path, { recursive: true, force: true });
	mkdirSync(next, { recursive: true });
	try {
		const chunks = await bundle(manifest, present, next);
		if ("cli" in present) makeExecutable(join(next, "cli.js"));
		const complaints = declare(join(next, "types"), manifest);
		if (complaints !== undefined) {
			console.error(complaints);
			if (isStrict) throw new BuildError("the sources do not type-check");
			console.error("build: the sources do not type-check; declarations may be incomplete");
		}
		replaceDist(next);
		writeStamp(root, { build: digest });
		const durationS = ((performance.now() - startedAtMs) / 1000).toFixed(1);
		console.error(
			`build: ${readdirSync(dist).length} files for ${Object.keys(present).length} entries in ${durationS} s`,
		);
		if (isStrict || updatesReport) {
			await checkPackage({ root, packageRoot, manifest, chunks, bundled, updatesReport, lonely: ["cli"] });
		}
	} finally {
		rmSync(next, { recursive: true, force: true });
	}
}

const flags = new Set(process.argv.slice(2));
try {
	await withLock(`${root}#build`, () => build({ isStrict: flags.has("--strict"), updatesReport: flags.has("--api") }));
} catch (error) {
	const isExpected = error instanceof BuildError || error instanceof PackageError || Array.isArray(error.errors);
	console.error(`build: ${isExpected ? error.message : error.stack}`);
	process.exitCode = 1;
}
