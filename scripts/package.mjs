/**
 * What is published: the tarballs of holdpoint and of its micro-VM.
 *
 *   node scripts/package.mjs [--into <folder>]    default: .cache/packages
 *
 * Their manifests are completed here and nowhere else: the two have one version, and only the published holdpoint names the
 * other as an optional dependency (packages/microvm-linux-x64/README.md says why).
 * Exit codes: 0 both are there, 1 a failure, 3 this machine cannot build the micro-VM: holdpoint's is there, and is not to
 * be published alone.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildDigest, readJson, readStamp } from "./fingerprint.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const unable = 3;

class PackageError extends Error {
	constructor(message, exitCode = 1) {
		super(message);
		this.exitCode = exitCode;
	}
}

/** Copies what the manifest's `files` name, and what npm always takes, beside the completed manifest; packs that. */
function pack({ from, licence, change }, { staging, into }) {
	const manifest = change(readJson(join(from, "package.json")));
	const stage = join(staging, manifest.name);
	mkdirSync(stage, { recursive: true });
	for (const name of [...manifest.files, "README.md"]) {
		if (existsSync(join(from, name))) cpSync(join(from, name), join(stage, name), { recursive: true });
		else if (name !== "README.md") throw new PackageError(`${manifest.name} has no ${name}: npm run setup`);
	}
	cpSync(licence, join(stage, "LICENSE"));
	if (existsSync(join(stage, "bin/microvmd"))) chmodSync(join(stage, "bin/microvmd"), 0o755);
	writeFileSync(join(stage, "package.json"), `${JSON.stringify(manifest, undefined, "\t")}\n`);
	const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", into];
	const packed = spawnSync("npm", args, { cwd: stage, encoding: "utf8" });
	if (packed.status !== 0) throw new PackageError(`npm pack of ${manifest.name}: ${packed.stderr ?? packed.error}`);
	console.log(join(into, packed.stdout.trim()));
}

function main(args) {
	const at = args.indexOf("--into");
	const into = resolve(at < 0 ? join(root, ".cache/packages") : (args[at + 1] ?? "."));
	mkdirSync(into, { recursive: true });
	if (readStamp(root).build !== buildDigest(root))
		throw new PackageError("dist is not of these sources: npm run setup");
	const licence = join(root, "packages/holdpoint/LICENSE");
	const microvm = join(root, "packages/microvm-linux-x64");
	const { name } = readJson(join(microvm, "package.json"));
	const { version } = readJson(join(root, "packages/holdpoint/package.json"));
	const staging = mkdtempSync(join(tmpdir(), "holdpoint-package-"));
	try {
		const withMicrovm = (manifest) => ({
			...manifest,
			devDependencies: undefined,
			optionalDependencies: { ...manifest.optionalDependencies, [name]: version },
		});
		pack({ from: join(root, "packages/holdpoint"), licence, change: withMicrovm }, { staging, into });
		const built = spawnSync(process.execPath, [join(root, "scripts/build-microvm.mjs"), "--package"], {
			stdio: ["ignore", "inherit", "inherit"],
		});
		if (built.status === unable) throw new PackageError(`${name} is missing, see above`, unable);
		if (built.status !== 0) throw new PackageError(`${name} could not be built, see above`);
		const published = (manifest) => ({ ...manifest, private: undefined, version });
		pack({ from: microvm, licence, change: published }, { staging, into });
	} finally {
		rmSync(staging, { recursive: true, force: true });
	}
}

try {
	main(process.argv.slice(2));
} catch (error) {
	console.error(`package: ${error instanceof PackageError ? error.message : error.stack}`);
	process.exitCode = error instanceof PackageError ? error.exitCode : 1;
}
