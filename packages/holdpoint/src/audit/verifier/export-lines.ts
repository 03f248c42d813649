/**
 * The lines of an export: JSON, one value a line, each in the form in which `JSON.stringify` writes it, so that a line has
 * one meaning: no second key of the same name, no white space, no other way to write a text.
 *
 * A head, the leaves in order, after each checkpointed leaf its checkpoint, and an end.
 */
export const exportFormat = "holdpoint-audit";
export const exportVersion = 1;
export const lineCharsMax = 16_777_216;
export const depthMax = 256;
/** Ids of runs and calls are much shorter; they stand in findings. */
const idCharsMax = 1_000;
/** 32 bytes in base64url. */
const hashChars = 43;

export type ExportLine = HeadLine | LeafLine | CheckpointLine | EndLine;

export interface HeadLine {
	readonly type: "head";
	readonly format: string;
	readonly v: number;
	/** The log's name. */
	readonly origin: string;
	/** How many leaves follow at least. */
	readonly size: number;
	/** Payloads are shown, but for those of erased runs; left out: facts alone. */
	readonly payloads?: true;
}

export interface LeafLine {
	readonly type: "leaf";
	/** Its index. */
	readonly i: number;
	/** SHA-256(0x00 ‖ leaf), so that a leaf that was altered can be told from its neighbours. Shape: base64url. */
	readonly hash: string;
	readonly leaf: Leaf;
	readonly salt?: string;
	readonly payload?: unknown;
	/** The payload without what is sensitive: it is shown, and nothing proves it. */
	readonly shown?: unknown;
}

/** A leaf of a run. */
export interface Leaf {
	readonly v: number;
	readonly run: string;
	/** Which of the run's events it is, from 1; left out where it tells of the run as a whole. */
	readonly n?: number;
	readonly at: number;
	readonly event: LeafFacts;
	/** SHA-256(salt ‖ new line ‖ payload). Shape: base64url. */
	readonly payload?: string;
}

export interface LeafFacts {
	readonly type: string;
	readonly [fact: string]: unknown;
}

/** A fact may be anything: what is no list of texts has none. */
export function texts(value: unknown): readonly string[] {
	return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

export function numberOr(value: unknown, other: number): number {
	return typeof value === "number" ? value : other;
}

/** A fact as it stands in a message. */
export function shownFact(value: unknown): string {
	return (typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing")).slice(0, 200);
}

export interface CheckpointLine {
	readonly type: "checkpoint";
	readonly note: string;
	/** Roots of the complete subtrees of the tree of this size; they make its root. Shape: base64. */
	readonly frontier: readonly string[];
}

export interface EndLine {
	readonly type: "end";
	readonly size: number;
}

/** A line, or what is wrong with it. Nothing is read that could be read in another way too. */
export function parseLine(text: string): ExportLine | string {
	let value: unknown;
	try {
		if (isTooDeep(text)) return `it is nested deeper than ${depthMax} levels`;
		value = JSON.parse(text);
		if (JSON.stringify(value) !== text) return "it is not written as an export writes it";
	} catch {
		return "it is no JSON";
	}
	if (!isRecord(value)) return "it is no object";
	switch (value["type"]) {
		case "head":
			return isHead(value) ? value : `it is no head of the format ${exportFormat}, version ${exportVersion}`;
		case "leaf":
			return isLeafLine(value) ? value : "it is no leaf of a version that is known here";
		case "checkpoint":
			return isCheckpoint(value) ? value : "it is no checkpoint";
		case "end":
			return isCount(value["size"]) ? (value as unknown as EndLine) : "it is no end";
		default:
			return "it is of a kind that is not known here";
	}
}

/** The text of the leaf of a line that was parsed: what is hashed. */
export function leafText(line: LeafLine, text: string): string {
	const before = `{"type":"leaf","i":${line.i},"hash":"${line.hash}","leaf":`;
	// The usual line, which is its leaf and what stands before it: what is written already is not written again.
	const isBare = text.startsWith(before) && Object.keys(line).length === 4;
	return isBare ? text.slice(before.length, -1) : JSON.stringify(line.leaf);
}

/** A short text cannot be deep enough to hurt; in a long one the levels are counted before anything is built of it. */
function isTooDeep(text: string): boolean {
	if (text.length < 4_096) return false;
	let depth = 0;
	for (let at = 0; at < text.length; at++) {
		const code = text.charCodeAt(at);
		if (code === 0x22) {
			at = endOfString(text, at);
			if (at < 0) return false;
		} else if (code === 0x5b || code === 0x7b) {
			if (++depth > depthMax) return true;
		} else if (code === 0x5d || code === 0x7d) depth--;
	}
	return false;
}

/** Where the string ends that begins at `start`; -1: nowhere. */
function endOfString(text: string, start: number): number {
	for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
		let slashes = 0;
		while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
		if (slashes % 2 === 0) return end;
	}
	return -1;
}

function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

type Raw = { readonly [key: string]: unknown };

function isHead(value: Raw): value is Raw & HeadLine {
	const { format, v, origin, size, payloads } = value;
	const isKnown = format === exportFormat && v === exportVersion && (payloads === undefined || payloads === true);
	return isKnown && typeof origin === "string" && isCount(size);
}

function isLeafLine(value: Raw): value is Raw & LeafLine {
	const { i, hash, leaf, salt } = value;
	return (
		isCount(i) &&
		typeof hash === "string" &&
		hash.length === hashChars &&
		isLeaf(leaf) &&
		(salt === undefined || typeof salt === "string")
	);
}

export function isLeaf(value: unknown): value is Leaf {
	if (!isRecord(value)) return false;
	const { v, run, n, at, event, payload } = value;
	const isKnown = v === 1 && isId(run) && (n === undefined || isCount(n)) && isCount(at);
	if (!isKnown || (payload !== undefined && typeof payload !== "string") || !isRecord(event)) return false;
	return typeof event["type"] === "string" && (typeof event["call"] !== "string" || isId(event["call"]));
}

function isId(value: unknown): value is string {
	return typeof value === "string" && value.length <= idCharsMax;
}

function isCheckpoint(value: Raw): value is Raw & CheckpointLine {
	const { note, frontier } = value;
	const isFrontier =
		Array.isArray(frontier) && frontier.length <= 64 && frontier.every((one) => typeof one === "string");
	return typeof note === "string" && isFrontier;
}
