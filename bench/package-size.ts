import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

export interface InstallSize {
	readonly bytes: number;
	readonly packages: number;
}

interface Manifest {
	readonly name?: string;
	readonly files?: readonly string[];
	readonly dependencies?: { readonly [name: string]: string };
}

const readManifest = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

/** What a user's `npm install` of the package brings: what it publishes, and its dependencies with theirs. Optional peers are not among them. */
export function publishedSize(folder: string): InstallSize {
	const { files = [] } = readManifest(folder);
	const own = ["package.json", ...files].reduce((sum, name) => sum + bytesBelow(join(folder, name)), 0);
	const found = new Set<string>();
	collectDependencies(folder, found);
	const theirs = [...found].reduce((sum, dependency) => sum + bytesBelow(dependency), 0);
	return { bytes: own + theirs, packages: 1 + found.size };
}

function collectDependencies(folder: string, found: Set<string>): void {
	for (const name of Object.keys(readManifest(folder).dependencies ?? {})) {
		const dependency = findPackage(folder, name);
		if (found.has(dependency)) continue;
		found.add(dependency);
		collectDependencies(dependency, found);
	}
}

function findPackage(from: string, name: string): string {
	const paths = createRequire(join(realpathSync(from), "package.json")).resolve.paths(name) ?? [];
	const folder = paths.map((path) => join(path, name)).find((path) => existsSync(join(path, "package.json")));
	if (!folder) throw new Error(`${name}, a dependency of ${from}, is not installed`);
	return realpathSync(folder);
}

/** Everything in a `node_modules`. */
export function installedSize(modules: string): InstallSize {
	return { bytes: bytesBelow(modules), packages: countPackages(modules) };
}

function countPackages(modules: string): number {
	if (!existsSync(modules)) return 0;
	return readdirSync(modules, { withFileTypes: true }).reduce((sum, { name }) => {
		if (name.startsWith(".")) return sum;
		const path = join(modules, name);
		if (name.startsWith("@")) return sum + countPackages(path);
		if (!existsSync(join(path, "package.json"))) return sum;
		return sum + 1 + countPackages(join(path, "node_modules"));
	}, 0);
}

function bytesBelow(path: string): number {
	if (!existsSync(path)) return 0;
	const facts = lstatSync(path);
	if (!facts.isDirectory()) return facts.size;
	return readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0);
}
