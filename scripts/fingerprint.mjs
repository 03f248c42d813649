/** What the build and the installation are made from, as digests, so that "is it up to date?" is one comparison. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";

/** The files below a folder (or the file itself), sorted; none when there is no such path. */
export function filesBelow(path, keep = () => true) {
	let entries;
	try {
		entries = readdirSync(path, { withFileTypes: true });
	} catch (error) {
		if (error.code === "ENOTDIR") return keep(path) ? [path] : [];
		if (error.code === "ENOENT") return [];
		throw error;
	}
	const files = [];
	for (const entry of entries) {
		if (entry.name === "node_modules" || entry.name === "dist" || entry.name === ".git") continue;
		const child = join(path, entry.name);
		if (entry.isDirectory()) files.push(...filesBelow(child, keep));
		else if (keep(child)) files.push(child);
	}
	return files.sort();
}

/** SHA-256 over names and contents. */
export function digestOf(root, paths, keep) {
	const hash = createHash("sha256");
	for (const path of paths) {
		for (const file of filesBelow(join(root, path), keep)) {
			const bytes = readFileSync(file);
			hash.update(`${file.slice(root.length).split(sep).join("/")}\0${bytes.length}\0`).update(bytes);
		}
	}
	return hash.digest("hex");
}

/** Everything that the built package depends on. Tests are not built. */
export function buildDigest(root) {
	return digestOf(
		root,
		[
			"package-lock.json",
			"tsconfig.json",
			"tsconfig.build.json",
			"scripts/build.mjs",
			"packages/holdpoint/package.json",
			"packages/holdpoint/src",
		],
		(file) => !file.endsWith(".test.ts"),
	);
}

export function readJson(file) {
	try {
		return JSON.parse(readFileSync(file, "utf8"));
	} catch {
		return undefined;
	}
}

const stampFile = (root) => join(root, ".cache/stamp.json");

/** Digests of what was installed and built last; empty when nothing was. */
export const readStamp = (root) => readJson(stampFile(root)) ?? {};

export function writeStamp(root, change) {
	mkdirSync(join(root, ".cache"), { recursive: true });
	writeFileSync(stampFile(root), `${JSON.stringify({ ...readStamp(root), ...change }, undefined, "\t")}\n`);
}
