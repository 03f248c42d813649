/**
 * Is what would be published right? Its imports, its manifest (publint), its types from a stranger's point of view
 * (attw), and its public API against the report in etc/, so that no change of it goes unseen in a review.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, relative } from "node:path";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { filesBelow } from "./fingerprint.mjs";

export class PackageError extends Error {}

/** Throws one `PackageError` that lists everything that is wrong. */
export async function checkPackage(build) {
	const faults = [
		...frontDoorFaults(build),
		...verifierFaults(build),
		...inliningFaults(build),
		...typeImportFaults(build),
		...(await manifestFaults(build)),
		...strangerFaults(build),
		...reportFaults(build),
	];
	if (faults.length > 0)
		throw new PackageError(`the package is not right:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
}

/** The chunks that are loaded before the first line of an entry runs. */
function staticClosure(chunks, name) {
	const byFile = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
	const closure = new Set([byFile.get(`${name}.js`)]);
	const outside = new Set();
	for (const chunk of closure) {
		for (const file of chunk.imports) {
			if (byFile.has(file)) closure.add(byFile.get(file));
			else outside.add(file);
		}
	}
	return { files: [...closure], outside: [...outside] };
}

/** `import "holdpoint"` loads our own code and Node's: everything else waits until it is used. */
function frontDoorFaults({ chunks }) {
	const { files, outside } = staticClosure(chunks, "index");
	const bytes = files.reduce((sum, chunk) => sum + Buffer.byteLength(chunk.code), 0);
	console.error(
		`build: the front door loads ${files.length} files, ${(bytes / 1024).toFixed(0)} KB, and ${outside.join(" ") || "nothing else"}`,
	);
	return outside
		.filter((id) => !isBuiltin(id))
		.map((id) => `the front door imports ${id} statically; import it where it is used`);
}

/** `holdpoint/verify` is for strangers: its own files and Node's cryptography, whatever chunks the bundler makes. */
function verifierFaults({ chunks }) {
	const { files, outside } = staticClosure(chunks, "verify");
	const foreign = files
		.flatMap(({ moduleIds }) => moduleIds)
		.filter((id) => !id.includes("/src/audit/verifier/") && !id.startsWith("\0"));
	const lazy = files.flatMap(({ dynamicImports }) => dynamicImports);
	return [...foreign, ...lazy, ...outside.filter((id) => id !== "node:crypto")].map(
		(id) => `the verifier loads ${id}; it may load nothing but its own files and node:crypto`,
	);
}

/** Everything that an entry may come to load. */
function reachable(chunks, entry) {
	const byFile = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
	const reached = new Set([entry]);
	for (const { imports, dynamicImports } of reached) {
		for (const file of [...imports, ...dynamicImports].filter((id) => byFile.has(id))) reached.add(byFile.get(file));
	}
	return [...reached];
}

/** Only the command line tool carries code of others inside it. */
function inliningFaults({ chunks, bundled, lonely }) {
	const imported = new Set(chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]));
	const faults = bundled.filter((id) => imported.has(id)).map((id) => `${id} is meant to be bundled but is imported`);
	for (const entry of chunks.filter((chunk) => chunk.isEntry && !lonely.includes(chunk.name))) {
		const foreign = reachable(chunks, entry).flatMap((chunk) =>
			chunk.moduleIds.filter((id) => id.includes("/node_modules/")),
		);
		for (const id of foreign)
			faults.push(`${entry.fileName} would carry a copy of ${id.split("/node_modules/").at(-1)}`);
	}
	return faults;
}

/** A type that a user's compiler cannot find is silently `any` for most, and an error for the others. */
function typeImportFaults({ packageRoot, manifest }) {
	const known = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
	const faults = new Set();
	for (const file of filesBelow(join(packageRoot, "dist/types"), (path) => path.endsWith(".d.ts"))) {
		for (const [, id] of readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"([^".][^"]*)"/g)) {
			const isKnown = isBuiltin(id) || known.some((name) => id === name || id.startsWith(`${name}/`));
			if (!isKnown)
				faults.add(`${relative(packageRoot, file)} needs the types of ${id}, which is neither a dependency nor a peer`);
		}
	}
	return [...faults];
}

async function manifestFaults({ packageRoot }) {
	const { messages, pkg } = await publint({ pkgDir: packageRoot, strict: true });
	return messages
		.filter((message) => message.type !== "suggestion")
		.map((message) => `publint: ${formatMessage(message, pkg, { color: false })}`);
}

function strangerFaults({ root, packageRoot }) {
	const attw = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
	const args = [attw, "--pack", packageRoot, "--profile", "esm-only", "--format", "ascii", "--no-emoji", "--no-color"];
	const result = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
	return result.status === 0 ? [] : [`attw:\n${result.stdout}${result.stderr}`];
}

function reportFaults({ root, packageRoot, updatesReport }) {
	const entry = join(packageRoot, "dist/types/index.d.ts");
	if (!existsSync(entry)) return ["there is no dist/types/index.d.ts to report the API of"];
	mkdirSync(join(root, "etc"), { recursive: true });
	const faults = [];
	const config = ExtractorConfig.prepare({
		packageJsonFullPath: join(packageRoot, "package.json"),
		configObjectFullPath: undefined,
		configObject: {
			projectFolder: packageRoot,
			mainEntryPointFilePath: entry,
			newlineKind: "lf",
			compiler: {
				overrideTsconfig: {
					compilerOptions: {
						target: "es2022",
						module: "nodenext",
						moduleResolution: "nodenext",
						types: ["node"],
						skipLibCheck: true,
					},
					files: [entry],
				},
			},
			apiReport: {
				enabled: true,
				reportFileName: "holdpoint.api.md",
				reportFolder: join(root, "etc"),
				reportTempFolder: join(root, ".cache"),
			},
			docModel: { enabled: false },
			dtsRollup: { enabled: false },
			tsdocMetadata: { enabled: false },
			messages: {
				compilerMessageReporting: { default: { logLevel: "error" } },
				extractorMessageReporting: { default: { logLevel: "none" } },
				tsdocMessageReporting: { default: { logLevel: "none" } },
			},
		},
	});
	const result = Extractor.invoke(config, {
		localBuild: updatesReport,
		messageCallback(message) {
			message.handled = true;
			if (message.logLevel === "error") faults.push(`api-extractor: ${message.text}`);
		},
	});
	if (result.apiReportChanged && !updatesReport)
		faults.push("the public API is not what etc/holdpoint.api.md says; if that is meant: npm run api");
	return faults;
}
