/**
 * Patterns of paths: `*` is any part of a name, `?` one character of it with its marks, `**` any number of folders; all else
 * is itself. Matching takes at most (length of the pattern) × (length of the path) steps, whatever either says, and of paths
 * in one folder, asked about one after the other, × (length of the name).
 */
import { foldText } from "../rooted/relative-path.ts";

export interface PathPattern {
	matches(segments: readonly string[]): boolean;
	/** Whether something in this folder may match. */
	mayMatchBelow(segments: readonly string[]): boolean;
}

export function pathPattern(pattern: string): PathPattern {
	return compile(pattern, { forms: [asItIs], namesOf: (name) => [name] });
}

/**
 * A pattern that also fits what some file system, or a person, takes for a name that it fits, and all that is below a folder
 * that it fits. What `pathPattern` fits it fits, too.
 */
export function loosePattern(pattern: string): PathPattern {
	// Ends of names that are nothing to some file systems; of `*.` nothing would be left to tell names by.
	const plain = pattern.replace(/([^*?/. ])[. ]+(?=\/|$)/g, "$1");
	const forms = [asItIs, (text: string) => text.normalize("NFC").toLowerCase(), foldText];
	const namesOf = (name: string) =>
		forms.map((form) => form(name)).flatMap((each) => [each, each.replace(/[. ]+$/, "")]);
	return compile(`${plain}/**`, { forms, namesOf });
}

interface Writing {
	/** What is done to the parts of a pattern that stand for themselves. One of these must fit. */
	readonly forms: readonly ((text: string) => string)[];
	/** All that a name is taken for. */
	namesOf(name: string): readonly string[];
}

const asItIs = (text: string): string => text;

function compile(pattern: string, { forms, namesOf }: Writing): PathPattern {
	const parts = pattern
		.split("/")
		.filter((part) => part !== "" && part !== ".")
		// Any number of folders, and then any number, is any number.
		.filter((part, at, all) => part !== "**" || all[at - 1] !== "**")
		.map((part) => (part === "**" ? part : forms.map((form) => wantedBy(part, form))));
	/** All that is left open at once, so that nothing is retried. */
	const after = (open: ReadonlySet<number>, segment: string): ReadonlySet<number> => {
		const names = [...new Set(namesOf(segment))].map(charactersOf);
		const next = new Set<number>();
		for (const at of open) {
			const part = parts[at];
			if (part === "**") next.add(at);
			else if (part?.some((wanted) => names.some((name) => nameMatches(wanted, name)))) next.add(at + 1);
		}
		return skipping(parts, next);
	};
	const start: ReadonlySet<number> = skipping(parts, new Set([0]));
	/** The folder that was last asked about. */
	let [known, knownOpen] = ["", start];
	const reached = (segments: readonly string[]): ReadonlySet<number> => {
		const name = segments.at(-1);
		if (name === undefined) return start;
		const folder = segments.slice(0, -1);
		const key = folder.map((each) => `${each}/`).join("");
		if (key !== known) [knownOpen, known] = [reached(folder), key];
		return after(knownOpen, name);
	};
	return {
		matches: (segments) => reached(segments).has(parts.length),
		mayMatchBelow: (segments) => [...reached(segments)].some((at) => at < parts.length),
	};
}

/** `**` may stand for no folder at all. */
function skipping(parts: readonly unknown[], open: Set<number>): Set<number> {
	for (const at of open) if (parts[at] === "**") open.add(at + 1);
	return open;
}

/** What stands for something is kept. */
function wantedBy(part: string, form: (text: string) => string): readonly string[] {
	return part.split(/([*?])/).flatMap((piece, at) => (at % 2 === 1 ? [piece] : charactersOf(form(piece))));
}

/** With their marks, so that a character is one however it is composed. */
function charactersOf(text: string): readonly string[] {
	return text.match(/\P{M}\p{M}*|\p{M}+/gu) ?? [];
}

/** The last `*` takes as little as it can, and one more each time that the rest does not fit: never a tree of choices. */
function nameMatches(wanted: readonly string[], name: readonly string[]): boolean {
	let [at, star, taken] = [0, -1, 0];
	for (let i = 0; i < name.length; ) {
		if (wanted[at] === "*") {
			star = at++;
			taken = i;
		} else if (wanted[at] === "?" || wanted[at] === name[i]) {
			at++;
			i++;
		} else if (star >= 0) {
			at = star + 1;
			i = ++taken;
		} else return false;
	}
	while (wanted[at] === "*") at++;
	return at === wanted.length;
}
