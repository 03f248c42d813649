import { proseText } from "../render/safe-text.ts";
import { wrap } from "../render/text-width.ts";

/** What somebody says, as it comes: lines that are whole, and the one that is being written. */
export interface Speech {
	/** More of it. Returns the lines that are whole now. */
	add(text: string): string[];
	/** All of it, where it is known: the lines that were not given yet. */
	end(whole: string): string[];
	/** The line that is being written. */
	readonly last: string;
	readonly isEmpty: boolean;
}

export interface Speaker {
	readonly name: string;
	/** The name as it is shown. */
	readonly voice: string;
	readonly width: number;
}

const speechCharsMax = 100_000;

/**
 * Made safe as a whole each time: an escape sequence may come in pieces. A line is given when a later one has begun, so
 * that no word of it can move any more.
 */
export function createSpeech({ name, voice, width }: Speaker): Speech {
	let raw = "";
	let given = 0;
	const lines = (text: string): string[] => {
		const [first = "", ...rest] = wrap(`${name}: ${proseText(text, speechCharsMax).trim()}`, width - 2);
		return [voice + first.slice(name.length), ...rest.map((line) => `  ${line}`.trimEnd())];
	};
	const take = (all: readonly string[]): string[] => {
		const fresh = all.slice(given);
		given = Math.max(given, all.length);
		return fresh;
	};
	return {
		add: (text) => {
			raw = (raw + text).slice(0, speechCharsMax);
			return take(lines(raw).slice(0, -1));
		},
		end: (whole) => take(lines(whole)),
		get last() {
			return lines(raw).at(-1) ?? "";
		},
		get isEmpty() {
			return raw.trim() === "";
		},
	};
}
