/** What the tools that change nothing find. Everything is bounded, and says where it ended. */
import { wholeFrom, wholeUntil } from "../../../kit/text-size.ts";
import type { FileLimits } from "../../../spec/limits.ts";
import { textIn, wholeText } from "../rooted/read-text.ts";
import type { RootFolder } from "../rooted/root-folder.ts";
import { entryPath, walkFolder } from "../rooted/walk-folder.ts";
import { pathPattern } from "./path-pattern.ts";

export interface Looking {
	readonly root: RootFolder;
	readonly limits: FileLimits;
	/** What may be read; anything else is left out. */
	mayRead(segments: readonly string[]): boolean;
}

export interface Listing {
	/** Folders end with `/`. */
	readonly entries: readonly string[];
	readonly truncated?: true;
}

export interface ListArguments {
	readonly path?: string;
	readonly pattern?: string;
}

export async function listFiles(looking: Looking, args: ListArguments, signal: AbortSignal): Promise<Listing> {
	const start = looking.root.segmentsOf(args.path ?? ".", false);
	const wanted = args.pattern === undefined ? undefined : pathPattern(args.pattern);
	const below = (segments: readonly string[]) => segments.slice(start.length);
	const entries: string[] = [];
	const { isWhole } = await walkFolder(looking.root, start, {
		visitsMax: looking.limits.visitsMax,
		depthMax: looking.limits.depthMax,
		signal,
		enters: (segments) => wanted?.mayMatchBelow(below(segments)) ?? false,
		async visit(entry) {
			const segments = [...entry.folder.segments, entry.name];
			if (!looking.mayRead(segments) || (wanted && !wanted.matches(below(segments)))) return true;
			if (entries.length >= looking.limits.rowsMax) return false;
			entries.push(entryPath(entry));
			return true;
		},
	});
	return { entries, ...(isWhole ? {} : { truncated: true }) };
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

export interface Found {
	readonly matches: readonly Match[];
	/** Files that are too large, or no text. */
	readonly skipped?: number;
	readonly truncated?: true;
}

const lineCharsMax = 300;

export async function searchFiles(looking: Looking, args: SearchArguments, signal: AbortSignal): Promise<Found> {
	const { root, limits } = looking;
	const start = root.segmentsOf(args.path ?? ".", false);
	const wanted = pathPattern(args.pattern ?? "**");
	const fold = (text: string): string => (args.ignoreCase ? text.toLowerCase() : text);
	const needle = fold(args.text);
	const matches: Match[] = [];
	let [skipped, bytes] = [0, 0];
	const { isWhole } = await walkFolder(root, start, {
		visitsMax: limits.visitsMax,
		depthMax: limits.depthMax,
		signal,
		enters: (segments) => wanted.mayMatchBelow(segments.slice(start.length)),
		async visit(entry) {
			const segments = [...entry.folder.segments, entry.name];
			if (entry.kind !== "file" || !looking.mayRead(segments) || !wanted.matches(segments.slice(start.length)))
				return true;
			if (bytes >= limits.searchBytesMax) return false;
			const file = { name: entry.name, bytesMax: limits.readBytesMax };
			const read = await textIn(root, entry.folder, file).catch(() => undefined);
			bytes += read?.bytes ?? 0;
			const text = read && "text" in read ? read.text : undefined;
			if (text === undefined) skipped++;
			if (text === undefined || !fold(text).includes(needle)) return true;
			for (const [at, line] of linesOf(text).entries()) {
				const place = fold(line).indexOf(needle);
				if (place < 0) continue;
				if (matches.length >= limits.rowsMax) return false;
				matches.push({ path: entryPath(entry), line: at + 1, ...around(line, place) });
			}
			return true;
		},
	});
	return { matches, ...(skipped > 0 ? { skipped } : {}), ...(isWhole ? {} : { truncated: true }) };
}

/** The part of a long line where it is. */
function around(line: string, place: number): Pick<Match, "text" | "column"> {
	const text = line.replace(/\r?\n$/, "");
	if (text.length <= lineCharsMax) return { text };
	// Without case a line may be longer than it is.
	const from = wholeFrom(text, Math.max(0, Math.min(place - lineCharsMax / 3, text.length - lineCharsMax)));
	return { text: text.slice(from, wholeUntil(text, from + lineCharsMax)), column: from + 1 };
}
