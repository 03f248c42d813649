/** Where the texts of a policy come from, and whether they changed. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { reasonOf } from "../../../kit/reason-of.ts";
import { HoldpointError } from "../../../spec/errors.ts";
import { fixedLimits } from "../../../spec/limits.ts";

export interface PolicyText {
	/** As it is named in messages. */
	readonly name: string;
	readonly text: string;
}

/** One of the three. A relative path is taken from the working directory. */
export interface PolicyPlace {
	readonly files?: readonly (string | URL)[];
	/** Every `*.cedar` in it, not in folders below. */
	readonly folder?: string | URL;
	readonly text?: string;
}

export interface PolicySource {
	/** Errors: `policy.invalid` where a file cannot be read, or changes while it is. */
	read(): readonly PolicyText[];
	/** Another one whenever a file was written, and when it was written last; undefined: it never changes. */
	look(): Look | undefined;
}

export interface Look {
	readonly signature: string;
	/** Units: milliseconds since 1970. */
	readonly changedAt: number;
}

/** Errors: `config.invalid`. */
export function policySource(place: PolicyPlace, what: string): PolicySource {
	const { files, folder, text } = place;
	if ([files, folder, text].filter((one) => one !== undefined).length !== 1) {
		const message = `${what} takes one of files, folder and text`;
		throw new HoldpointError("config.invalid", message, { hint: 'Such as cedarPolicy({ folder: "policies" }).' });
	}
	if (text !== undefined) return { read: () => bounded([{ name: "policy", text }]), look: () => undefined };
	const list = folder === undefined ? () => (files ?? []).map(pathOf) : () => listFolder(pathOf(folder));
	return { read: () => readAll(list), look: () => lookAt(list) };
}

function pathOf(place: string | URL): string {
	return place instanceof URL ? fileURLToPath(place) : resolve(place);
}

function listFolder(folder: string): string[] {
	const names = readdirSync(folder).filter((name) => name.endsWith(".cedar"));
	return names.sort().map((name) => join(folder, name));
}

function readAll(list: () => readonly string[]): readonly PolicyText[] {
	try {
		for (let tries = 0; tries < 3; tries++) {
			const before = lookAt(list).signature;
			const paths = list();
			if (paths.length > fixedLimits.policyFilesMax)
				throw new Error(`there are ${paths.length} files (policyFilesMax)`);
			const texts = paths.map((path) => ({ name: shownName(path), text: decoded(path) }));
			// One set, as it stood at one moment.
			if (lookAt(list).signature === before) return bounded(texts);
		}
		throw new Error("the files change while they are read");
	} catch (cause) {
		throw new HoldpointError("policy.invalid", `The policy cannot be read: ${reasonOf(cause)}`, { cause });
	}
}

function decoded(path: string): string {
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
	} catch (cause) {
		if (!(cause instanceof TypeError)) throw cause;
		throw new Error(`${shownName(path)} is no UTF-8 text`, { cause });
	}
}

function shownName(path: string): string {
	const near = relative(process.cwd(), path);
	return near.startsWith("..") ? basename(path) : near;
}

function bounded(texts: readonly PolicyText[]): readonly PolicyText[] {
	const bytes = texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
	if (bytes < fixedLimits.policyBytesMax) return texts;
	const message = `The policy has ${bytes} bytes; the limit is ${fixedLimits.policyBytesMax} (policyBytesMax)`;
	throw new HoldpointError("policy.invalid", message);
}

/** Size, times and identity of every file. A file that is not there is a change like any other. */
function lookAt(list: () => readonly string[]): Look {
	let changedAt = 0;
	try {
		const signature = list().map((path) => {
			const { ino, size, mtimeMs, ctimeMs } = statSync(path);
			changedAt = Math.max(changedAt, ctimeMs);
			return `${path}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;
		});
		return { signature: signature.join("\n"), changedAt };
	} catch (error) {
		// When it went away cannot be told: it is looked at twice.
		return { signature: `unreadable: ${reasonOf(error)}`, changedAt: Number.POSITIVE_INFINITY };
	}
}
