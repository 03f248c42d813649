/** Where the two files are that a micro-VM is made of, and whether they are the ones that this version names. */
import { hash } from "node:crypto";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { binaryDigests } from "./binary-digests.ts";

/** What was checked, which is not what its path may lead to a moment later. */
export interface Binaries {
	readonly microvmd: Buffer;
	readonly guest: Buffer;
}

/** Why a micro-VM cannot be had, and what can be done about it. */
export class Obstacle extends Error {
	override readonly name = "Obstacle";
	readonly hint: string;
	constructor(reason: string, hint: string) {
		super(reason);
		this.hint = hint;
	}
}

const optionalPackage = "@holdpoint/microvm-linux-x64";
const names = { microvmd: "microvmd", guest: "guest.elf" } as const;
type FileName = (typeof names)[keyof typeof names];

/**
 * In this order: the folder of the option, that of HOLDPOINT_MICROVM_DIR, the optional package, this repository. A
 * folder that is named is the only one looked at. Errors: `Obstacle`; files that are not as published are never run, but
 * for those that a checkout of this repository built for itself with other tools.
 */
export function findBinaries(binDir: string | undefined, digests: typeof binaryDigests = binaryDigests): Binaries {
	const named = binDir ?? process.env.HOLDPOINT_MICROVM_DIR;
	const folders = named ? [named] : [packageFolder(), repositoryFolder()].filter((each) => each !== undefined);
	const folder = folders.find((each) => existsSync(join(each, names.microvmd)));
	if (!folder) {
		throw new Obstacle(
			`the micro-VM's files are not installed${named ? ` in ${named}` : ""}`,
			named
				? "Let it name the folder that has microvmd and guest.elf."
				: `Install ${optionalPackage}; in the repository: npm run build:microvm.`,
		);
	}
	const own = folder === repositoryFolder() && !named ? ownDigests(folder) : {};
	const found = (name: FileName) => {
		const built = own[name];
		const isInPlace = JSON.stringify(built?.insteadOf) === JSON.stringify(digests[name]);
		return checked(join(folder, name), isInPlace ? [...digests[name], `${built?.sha256}`] : digests[name]);
	};
	return { microvmd: found(names.microvmd), guest: found(names.guest) };
}

/** What scripts/build-microvm.mjs says of a build with tools that are not recorded, and which record it goes with. */
type OwnDigests = Partial<Record<FileName, { readonly sha256?: string; readonly insteadOf?: unknown }>>;

function ownDigests(folder: string): OwnDigests {
	try {
		return (JSON.parse(readFileSync(join(folder, "own-digests.json"), "utf8")) as OwnDigests | null) ?? {};
	} catch {
		return {};
	}
}

function checked(named: string, digests: readonly string[]): Buffer {
	const hint =
		"Install it again, of the version that Holdpoint has; in the repository: npm run build:microvm, and after a change of " +
		"its sources: node scripts/build-microvm.mjs --record.";
	let file: string;
	let bytes: Buffer;
	try {
		file = realpathSync(resolve(named));
		bytes = readFileSync(file);
	} catch (error) {
		throw new Obstacle(`${named} cannot be read: ${error instanceof Error ? error.message : String(error)}`, hint);
	}
	const digest = hash("sha256", bytes);
	if (!digests.includes(digest)) throw new Obstacle(`${file} is not as published: its SHA-256 is ${digest}`, hint);
	return bytes;
}

function packageFolder(): string | undefined {
	try {
		return join(dirname(createRequire(import.meta.url).resolve(`${optionalPackage}/package.json`)), "bin");
	} catch {
		return undefined;
	}
}

/** Sources and their build lie at different depths; elsewhere there is another package of that name, or none. */
function repositoryFolder(): string | undefined {
	const up = import.meta.url.endsWith(".ts") ? "../../../../../microvm" : "../../microvm";
	const folder = fileURLToPath(new URL(up, import.meta.url));
	try {
		const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { readonly name?: unknown };
		return name === "@holdpoint/microvm" ? join(folder, "bin") : undefined;
	} catch {
		return undefined;
	}
}
