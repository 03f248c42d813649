/**
 * An entry as a file: facts, each a line of JSON, and its text.
 *
 * 1. A file's name is made of letters, digits and a digest; the entry's name stands inside. No name leads out of a folder.
 * 2. A file is anybody's words unless its seal says that this store wrote it, for this principal, and that nothing of it was
 *    changed.
 */
import { digest } from "../kit/digest.ts";
import type { KeyRing } from "../kit/seal.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { MemoryEntry } from "../spec/memory.ts";
import { checkedName, checkedText, invalid } from "./checked-entry.ts";

/** One entry outside of a store. */
export interface MemoryFile {
	/** Its name in a folder. */
	readonly file: string;
	readonly text: string;
}

/** What a file says. */
export interface FiledEntry extends Pick<MemoryEntry, "name" | "text"> {
	/** As this store wrote it; undefined: nobody knows who wrote it. */
	readonly own: MemoryEntry | undefined;
}

export interface FileSeal {
	readonly storeId: string;
	readonly ring: KeyRing;
	/** Stands for the principal. */
	readonly owner: string;
}

const format = "holdpoint-memory: 1";
/** Facts are few and short. */
const headBytesMax = 16_384;
export const fileBytesMax: number = fixedLimits.memoryTextBytesMax + headBytesMax;

export function entryFile(entry: MemoryEntry, seal: FileSeal): MemoryFile {
	const { name, at, by, principal, label, text } = entry;
	const facts = { at: new Date(at).toISOString(), by, principal, label: label ?? null };
	const lines = Object.entries({ name, ...facts }).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
	const sealed = `${lines.join("\n")}\n---\n${text}`;
	const { current } = seal.ring;
	const code = `seal: ${JSON.stringify(`${current} ${codeOf(seal, current, sealed) ?? ""}`)}`;
	return { file: fileName(name), text: `---\n${format}\n${code}\n${sealed}` };
}

/** Errors: `memory.invalid`. */
export function readEntryFile({ file, text }: MemoryFile, seal: FileSeal): FiledEntry {
	const what = JSON.stringify(String(file).slice(0, 120));
	if (typeof text !== "string" || text.length > fileBytesMax || !text.isWellFormed())
		throw invalid(`The file ${what} is too long, or is no text`);
	const [, code = "", sealed = ""] = /^---\nholdpoint-memory: 1\n(?:seal: (.*)\n)?([\s\S]*)$/.exec(text) ?? [];
	const end = sealed.indexOf("\n---\n");
	if (end < 0)
		throw invalid(`The file ${what} is no entry of memory: it begins with ---, ${format}, and lines such as name: "…"`);
	const facts = new Map(
		sealed
			.slice(0, end)
			.split("\n")
			.map((line) => factOf(what, line)),
	);
	const name = checkedName(facts.get("name") as string);
	const body = checkedText(sealed.slice(end + 5));
	const own = isSealed(seal, code, sealed) ? ownEntry(facts, { name, text: body }) : undefined;
	return { name, text: body, own };
}

function ownEntry(facts: ReadonlyMap<string, unknown>, said: Pick<MemoryEntry, "name" | "text">): MemoryEntry {
	// Its seal was right, so we wrote it: no further check of its form.
	const { by, principal, label } = Object.fromEntries(facts) as unknown as MemoryEntry;
	return { ...said, at: Date.parse(String(facts.get("at"))), by, principal, label: label ?? undefined };
}

function factOf(what: string, line: string): readonly [string, unknown] {
	const [, key, value] = /^([a-z]{1,20}): (.*)$/.exec(line) ?? [];
	try {
		if (key !== undefined && value !== undefined) return [key, JSON.parse(value) as unknown];
	} catch {}
	throw invalid(`The file ${what} has a line among its facts that is none: they are like name: "orders/A-17"`);
}

function isSealed(seal: FileSeal, code: string, sealed: string): boolean {
	const [, key, mac] = /^"([A-Za-z0-9_-]{1,32}) ([A-Za-z0-9_-]{43})"$/.exec(code) ?? [];
	return key !== undefined && mac !== undefined && codeOf(seal, key, sealed) === mac;
}

function codeOf({ storeId, ring, owner }: FileSeal, key: string, sealed: string): string | undefined {
	return ring.code(key, `memory file\n${storeId}\n${owner}\n${sealed}`);
}

/** The digest tells apart what looks the same without case, accents and signs. */
function fileName(name: string): string {
	const plain = name
		.normalize("NFKD")
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, "-")
		.replace(/^-+|-+$/g, "")
		.slice(0, 40);
	const mark = Buffer.from(digest(name), "base64url").toString("hex").slice(0, 12);
	return `${plain === "" ? "entry" : plain}-${mark}.md`;
}
