/**
 * Makes a fresh clone ready to run: Node modules, Debian packages, the build, the micro-VM where it can run. Says what it
 * does, does only what is missing, and is over in milliseconds when nothing is. With `--packages` it builds nothing.
 *
 * It runs on the machine's own Node (20 or newer) before anything is installed, so it imports nothing but Node.
 * Everything after it runs on the Node 24 that `npm ci` puts into node_modules/.bin. The package scripts therefore
 * say `node scripts/setup.mjs && env node …`: a shell remembers where it found the first `node`; `env` looks again.
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildDigest, digestOf, readJson, readStamp, writeStamp } from "./fingerprint.mjs";
import { microvmIsSettled, settleMicrovm } from "./setup-microvm.mjs";
import { installPackages, missingPackages, SetupError } from "./system-packages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const ownNode = join(root, "node_modules/.bin/node");
const nodeFloor = 20;
const npmFloor = 9;
const nodeNeeded = 24;

const say = (text) => console.error(`setup: ${text}`);
const major = (version) => Number.parseInt(version, 10);

/** Node and processor are part of it: a folder carried to another machine has the wrong binaries. */
const installDigest = () => `${process.platform}-${process.arch}-${digestOf(root, ["package-lock.json"])}`;

const installIsFresh = () => readStamp(root).install === installDigest() && nodeForTheRest() !== undefined;

const buildIsFresh = () =>
	process.argv.includes("--packages") ||
	(readStamp(root).build === buildDigest(root) && existsSync(join(root, "packages/holdpoint/dist")));

/**
 * Does node_modules hold what the lockfile says? Asked when the stamp does not match, because somebody may have run
 * npm by hand, and `npm ci` would pull the tree away under whoever is using it.
 */
function modulesMatchLockfile() {
	const wanted = readJson(join(root, "package-lock.json"))?.packages ?? {};
	const present = readJson(join(root, "node_modules/.package-lock.json"))?.packages ?? {};
	return Object.entries(wanted).every(([path, entry]) => {
		if (!path.includes("node_modules/")) return true;
		if (entry.link) return existsSync(join(root, path));
		const found = present[path];
		if (found === undefined) return entry.optional === true && !isForThisMachine(entry);
		return found.version === entry.version && existsSync(join(root, path, "package.json"));
	});
}

function isForThisMachine({ os = [], cpu = [], libc = [] }) {
	const fits = (list, value) => list.length === 0 || list.includes(value);
	return fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, "glibc");
}

/** The Node that runs everything after this file. */
function nodeForTheRest() {
	if (existsSync(ownNode)) return ownNode;
	return existsSync(join(root, "node_modules")) && major(process.versions.node) >= nodeNeeded
		? process.execPath
		: undefined;
}

/**
 * Puts Node 24 on the path of the package scripts. npm 10 forgets to: the package for the other processor fails, as it
 * must, and npm cleans up after it, together with the link of the same name that belongs to the package for this one.
 */
function linkNode() {
	const target = `node-${process.platform}-${process.arch}/bin/node`;
	if (!existsSync(ownNode) && existsSync(join(root, "node_modules", target))) {
		rmSync(ownNode, { force: true });
		symlinkSync(`../${target}`, ownNode);
	}
	if (nodeForTheRest() !== undefined) return;
	throw new SetupError(
		`Holdpoint runs on Node ${nodeNeeded}; this is ${process.version}, and npm has no Node ${nodeNeeded} for ` +
			`${process.platform}-${process.arch} among this repository's packages. Install Node ${nodeNeeded}: https://nodejs.org`,
	);
}

function run(command, args, environment = process.env) {
	// What tools print goes to stderr: stdout belongs to the command that setup is for.
	const result = spawnSync(command, args, { cwd: root, env: environment, stdio: ["ignore", 2, 2] });
	if (result.error?.code === "ENOENT") throw new SetupError(`there is no \`${command}\` on this machine`);
	if (result.error) throw result.error;
	if (result.status !== 0) {
		throw new SetupError(
			`\`${command} ${args.join(" ")}\` failed (${result.signal ?? `exit code ${result.status}`}); see above`,
		);
	}
}

/** npm names itself to the scripts it runs; asking it costs a third of a second. */
function npmVersion() {
	const named = /\bnpm\/(\S+)/.exec(process.env.npm_config_user_agent ?? "")?.[1];
	if (named !== undefined) return named;
	const asked = spawnSync("npm", ["--version"], { encoding: "utf8" });
	if (asked.status !== 0) throw new SetupError("npm is missing; it comes with Node (Debian: `apt-get install npm`)");
	return asked.stdout.trim();
}

function install() {
	const version = npmVersion();
	if (major(version) < npmFloor) {
		throw new SetupError(
			`npm ${npmFloor} or newer is needed to read the lockfile; this is ${version}. Run: npm install -g npm@11`,
		);
	}
	if (modulesMatchLockfile()) {
		say("node_modules matches package-lock.json");
	} else {
		say("npm ci (packages of package-lock.json; about half a minute)");
		// The workspace asks for Node 24, which is what npm is just installing: only errors are worth reading.
		// `include`: NODE_ENV=production, or a habit in somebody's npmrc, leaves out what everything here runs on.
		const flags = ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"];
		const cli = process.env.npm_execpath;
		if (cli?.endsWith(".js")) run(process.execPath, [cli, ...flags]);
		else run("npm", flags);
	}
	linkNode();
	writeStamp(root, { install: installDigest() });
}

function build() {
	say("building packages/holdpoint");
	const node = nodeForTheRest();
	const path = `${join(root, "node_modules/.bin")}${delimiter}${process.env.PATH ?? ""}`;
	run(node, [join(root, "scripts/build.mjs")], { ...process.env, PATH: path });
	// npm links a command only if its file is there when it installs; `npx holdpoint` is to work here too.
	const command = join(root, "node_modules/.bin/holdpoint");
	rmSync(command, { force: true });
	symlinkSync("../holdpoint/dist/cli.js", command);
}

async function main() {
	if (major(process.versions.node) < nodeFloor) {
		throw new SetupError(
			`Node ${nodeFloor} or newer is needed to begin; this is ${process.version} (${process.execPath}). See https://nodejs.org`,
		);
	}
	const needsMicrovm = () => !process.argv.includes("--packages") && !microvmIsSettled(root);
	const isReady = () => missingPackages().length === 0 && installIsFresh() && buildIsFresh() && !needsMicrovm();
	if (isReady()) return;
	const { withLock } = await import("./lock.mjs");
	await withLock(
		root,
		() => {
			installPackages(missingPackages(), { isRoot: process.getuid?.() === 0, run, say });
			if (!installIsFresh()) install();
			if (!buildIsFresh()) build();
			if (needsMicrovm()) settleMicrovm(root, { node: nodeForTheRest(), run, say });
			say("ready");
		},
		() => say("another process is setting up this folder; waiting for it"),
	);
}

try {
	await main();
} catch (error) {
	// An expected failure is one readable message; anything else is a defect of this script and shows its stack.
	say(error instanceof SetupError ? error.message : (error.stack ?? error));
	process.exitCode = 1;
}
