/** What the tools that change nothing find. Everything is bounded, and says where it ended. */
import { wholeFrom, wholeUntil } from "../../../kit/text-size.ts";
import type { FileLimits } from "../../../spec/limits.ts";
import { textIn, wholeText } from "../rooted/read-text.ts";
import { pathOf } from "../rooted/relative-path.ts";
import type { RootFolder } from "../rooted/root-folder.ts";
import { entryPath, type WalkEntry, walkFolder } from "../rooted/walk-folder.ts";
import { pathPattern } from "./path-pattern.ts";

export interface Looking {
	readonly root: RootFolder;
	readonly limits: FileLimits;
	/** What may be read; anything else is left out. */
	mayRead(segments: readonly string[]): boolean;
}

/** What a call did not look at. */
interface Left {
	readonly truncated?: true;
	/** Folders that were not entered, and how to look there. */
	readonly leftOut?: string;
}

export interface Listing extends Left {
	/** Folders end with `/`. */
	readonly entries: readonly string[];
}

export interface ListArguments {
	readonly path?: string;
	readonly pattern?: string;
}

export async function listFiles(looking: Looking, args: ListArguments, signal: AbortSignal): Promise<Listing> {
	const entries: string[] = [];
	const left = await lookThrough(looking, { pattern: "*", ...args, signal }, async (entry) => {
		if (entries.length >= looking.limits.rowsMax) return false;
		entries.push(entryPath(entry));
		return true;
	});
	return { entries, ...left };
}

/** Not entered unless they are named: they hold more than all else does, and are rarely what is looked for. */
const rarelyMeant: ReadonlySet<string> = new Set([".git", "node_modules"]);

interface Place {
	readonly path?: string;
	/** Of paths below it. */
	readonly pattern: string;
	readonly signal: AbortSignal;
}

/** Everything of a place that may be read and fits a pattern. `visit`: false where it was seen enough. */
async function lookThrough(
	looking: Looking,
	{ path = ".", pattern, signal }: Place,
	visit: (entry: WalkEntry) => Promise<boolean>,
): Promise<Left> {
	const { root, limits } = looking;
	if (pattern.length > limits.pathCharsMax) throw new Error(`pattern is longer than ${limits.pathCharsMax} characters`);
	const start = root.segmentsOf(path, false);
	const wanted = pathPattern(pattern);
	const named = new Set([...start, ...pattern.split("/")]);
	const below = (segments: readonly string[]) => segments.slice(start.length);
	const leftOut: (readonly string[])[] = [];
	const { isWhole, rest } = await walkFolder(root, start, {
		visitsMax: limits.visitsMax,
		depthMax: limits.depthMax,
		signal,
		enters(segments) {
			if (!wanted.mayMatchBelow(below(segments))) return false;
			const name = segments.at(-1) ?? "";
			if (!rarelyMeant.has(name) || named.has(name)) return true;
			leftOut.push(segments);
			return false;
		},
		async visit(entry) {
			const segments = [...entry.folder.segments, entry.name];
			return !looking.mayRead(segments) || !wanted.matches(below(segments)) || visit(entry);
		},
	});
	const folders = [...rest, ...leftOut].filter((segments) => looking.mayRead(segments));
	return {
		...(isWhole ? {} : { truncated: true }),
		...(folders.length > 0 ? { leftOut: `${namesOf(folders)}; to look there, give path` } : {}),
	};
}

const namesMax = 5;

function namesOf(folders: readonly (readonly string[])[]): string {
	const names = folders.slice(0, namesMax).map((segments) => `${pathOf(segments)}/`);
	const others = folders.length - names.length;
	return names.join(", ") + (others > 0 ? ` and ${others} more` : "");
}

export interface ReadArguments {
	readonly path: string;
	readonly from?: number;
	/** Of the line `from`, from 1: what is before is left out. UTF-16 units. */
	readonly column?: number;
	readonly lines?: number;
}

export interface FilePart {
	readonly path: string;
	readonly text: string;
	/** The first line and the last one, from 1. */
	readonly from: number;
	readonly to: number;
	/** Of the file. */
	readonly lines: number;
	/** The line is too long for one read, and goes on there. */
	readonly nextColumn?: number;
}

export async function readFilePart(looking: Looking, args: ReadArguments): Promise<FilePart> {
	const { readLinesMax, readCharsMax, readBytesMax } = looking.limits;
	const text = await wholeText(looking.root, looking.root.segmentsOf(args.path, false), readBytesMax);
	const lines = linesOf(text);
	const { from = 1, column = 1 } = args;
	if (from > Math.max(1, lines.length))
		throw new Error(`${args.path} has ${lines.length} lines; there is no line ${from}`);
	const [first = "", ...others] = lines.slice(from - 1, from - 1 + Math.min(args.lines ?? readLinesMax, readLinesMax));
	if (column > Math.max(1, first.length))
		throw new Error(`Line ${from} of ${args.path} has ${first.length} characters; there is no column ${column}`);
	const start = wholeUntil(first, column - 1);
	// One line that is longer than all that may be read is read in part; a sign of two units is not parted.
	const end = wholeUntil(first, start + Math.max(2, readCharsMax));
	const kept = [first.slice(start, end)];
	if (end >= first.length) kept.push(...within(others, readCharsMax - (first.length - start)));
	return {
		path: args.path,
		text: kept.join(""),
		from,
		to: lines.length === 0 ? 0 : from + kept.length - 1,
		lines: lines.length,
		...(end < first.length ? { nextColumn: end + 1 } : {}),
	};
}

/** The first ones, as many as fit. */
function within(lines: readonly string[], charsMax: number): readonly string[] {
	let [count, chars] = [0, 0];
	for (const line of lines) {
		chars += line.length;
		if (chars > charsMax) break;
		count++;
	}
	return lines.slice(0, count);
}

/** With their ends, so that joined they are the text. */
function linesOf(text: string): string[] {
	const lines = text.split(/(?<=\n)/);
	return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

export interface SearchArguments {
	readonly text: string;
	readonly path?: string;
	readonly pattern?: string;
	readonly ignoreCase?: boolean;
}

interface Match {
	readonly path: string;
	readonly line: number;
	readonly text: string;
	/** Where in the line the text begins, of a line that is cut; from 1. */
	readonly column?: number;
}

export interface Found extends Left {
	readonly matches: readonly Match[];
	/** Files that are too large, or no text. */
	readonly skipped?: number;
}

const lineCharsMax = 300;

export async function searchFiles(looking: Looking, args: SearchArguments, signal: AbortSignal): Promise<Found> {
	const { root, limits } = looking;
	const { text: wanted, ignoreCase, ...place } = args;
	const fold = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
	const needle = fold(wanted);
	const matches: Match[] = [];
	let [skipped, bytes] = [0, 0];
	const left = await lookThrough(looking, { pattern: "**", ...place, signal }, async (entry) => {
		if (entry.kind !== "file") return true;
		if (bytes >= limits.searchBytesMax) return false;
		const file = { name: entry.name, bytesMax: limits.readBytesMax };
		const read = await textIn(root, entry.folder, file).catch(() => undefined);
		bytes += read?.bytes ?? 0;
		const text = read && "text" in read ? read.text : undefined;
		if (text === undefined) skipped++;
		if (text === undefined || !fold(text).includes(needle)) return true;
		for (const [at, line] of linesOf(text).entries()) {
			const found = fold(line).indexOf(needle);
			if (found < 0) continue;
			if (matches.length >= limits.rowsMax) return false;
			matches.push({ path: entryPath(entry), line: at + 1, ...around(line, found) });
		}
		return true;
	});
	return { matches, ...(skipped > 0 ? { skipped } : {}), ...left };
}

/** The part of a long line where it is. */
function around(line: string, place: number): Pick<Match, "text" | "column"> {
	const text = line.replace(/\r?\n$/, "");
	if (text.length <= lineCharsMax) return { text };
	// Without case a line may be longer than it is.
	const from = wholeFrom(text, Math.max(0, Math.min(place - lineCharsMax / 3, text.length - lineCharsMax)));
	return { text: text.slice(from, wholeUntil(text, from + lineCharsMax)), column: from + 1 };
}
