/**
 * The set-up's share of the micro-VM: builds it where this machine could run it, and says why not where it could not.
 * Nothing here is needed: without it programs run in WebAssembly, and the tests of the micro-VM skip with their reason.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { digestOf, readStamp, writeStamp } from "./fingerprint.mjs";
import { installPackages, microvmPackages, missingPackages, SetupError } from "./system-packages.mjs";

/** What keeps this machine from running a micro-VM, as far as one sees it from outside. */
function findObstacle() {
	if (process.platform !== "linux" || process.arch !== "x64") {
		return `it is for Linux on x86-64, and this is ${process.platform} on ${process.arch}`;
	}
	try {
		accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
		return undefined;
	} catch (error) {
		return error.code === "EACCES" ? "this user may not use /dev/kvm" : "there is no /dev/kvm";
	}
}

const sources = [
	"packages/microvm/native",
	"packages/holdpoint/src/spec/guest.ts",
	"scripts/build-microvm.mjs",
	"package-lock.json",
];

/** Changes with the sources, and with what this machine can do. */
const stateOf = (root) =>
	`${digestOf(root, sources, (file) => !file.includes("/native/fuzz/"))}: ${findObstacle() ?? "KVM"}`;

/** Whether it is built, or known not to be possible: what failed once is not tried at every start. */
export function microvmIsSettled(root) {
	const { microvm } = readStamp(root);
	if (microvm?.state !== stateOf(root)) return false;
	return !microvm.isBuilt || existsSync(join(root, "packages/microvm/bin/microvmd"));
}

/** Never throws for what this machine lacks. */
export function settleMicrovm(root, { node, run, say }) {
	const obstacle = findObstacle() ?? build(root, { node, run, say });
	if (obstacle !== undefined) say(`no micro-VM, programs run in WebAssembly: ${obstacle}`);
	writeStamp(root, { microvm: { state: stateOf(root), isBuilt: obstacle === undefined } });
}

function build(root, { node, run, say }) {
	try {
		installPackages(missingPackages(microvmPackages), { isRoot: process.getuid?.() === 0, run, say });
	} catch (error) {
		if (error instanceof SetupError) return error.message;
		throw error;
	}
	say("building packages/microvm (half a minute the first time)");
	const script = join(root, "scripts/build-microvm.mjs");
	const { status, signal } = spawnSync(node, [script], { cwd: root, stdio: ["ignore", 2, 2] });
	return status === 0 ? undefined : `its build failed (${signal ?? `exit code ${status}`}); see above`;
}
