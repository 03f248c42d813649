/**
 * Debian packages that this repository needs beside Node and npm. To require another one, add a line:
 *
 *   { package: "postgresql", why: "tests of the PostgreSQL store", check: () => onPath("psql") },
 *
 * `check` says whether the machine already has it, however it got there; it runs at every start and must be cheap.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

export const systemPackages = [
	{
		package: "bubblewrap",
		why: "tests of commands that are confined without root",
		check: () => onPath("bwrap") || !canInstall(),
	},
];

/** Those that the micro-VM is built with; asked for only where it could run, and nothing fails without them. */
export const microvmPackages = [
	{ package: "gcc", why: "compiles the micro-VM", check: () => onPath("gcc") },
	{ package: "binutils", why: "links the micro-VM", check: () => onPath("ld") },
	{ package: "libc6-dev", why: "is part of the micro-VM's process", check: () => existsSync("/usr/include/stdio.h") },
	{ package: "wabt", why: "translates the micro-VM's engine", check: () => onPath("wasm2c") },
];

/** A message for the person at the keyboard; no stack needed. */
export class SetupError extends Error {}

/** Is there an executable of this name? */
export function onPath(name) {
	return (process.env.PATH ?? "").split(delimiter).some((folder) => {
		try {
			accessSync(join(folder, name), constants.X_OK);
			return folder !== "";
		} catch {
			return false;
		}
	});
}

/** Where packages cannot be installed, tests that want one skip and say so. */
const canInstall = () => process.getuid?.() === 0 && onPath("apt-get");

/** The rows of the table that this machine lacks. */
export function missingPackages(table = systemPackages) {
	return table.filter((row) => !row.check());
}

/** Installs what is missing when that is allowed, and otherwise throws with the command to type. */
export function installPackages(missing, { isRoot, run, say }) {
	if (missing.length === 0) return;
	const names = missing.map((row) => row.package);
	const reasons = missing.map((row) => `  ${row.package}: ${row.why}`).join("\n");
	if (!isRoot) {
		throw new SetupError(
			`this machine lacks Debian packages:\n${reasons}\nRun: sudo apt-get install -y ${names.join(" ")}`,
		);
	}
	say(`installing Debian packages:\n${reasons}`);
	const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
	run("apt-get", ["update", "-qq"], environment);
	run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], environment);
	const still = missingPackages(missing);
	if (still.length > 0)
		throw new SetupError(`installed, but still not found: ${still.map((row) => row.package).join(", ")}`);
}
