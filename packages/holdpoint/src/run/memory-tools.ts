/** The tools of memory. Every default tool costs tokens with every answer of a model: few words, and one tool that reads. */
import { joinLabels } from "../labels/label.ts";
import { firstLine } from "../memory/index-text.ts";
import type { JsonSchema } from "../spec/json.ts";
import type { Label } from "../spec/label.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { MemoryEntry } from "../spec/memory.ts";
import type { CallingRun, CallMemory, DoneInRun, Tool } from "../spec/tool.ts";
import { runTool } from "./own-tools.ts";

export interface MemoryToolsOptions {
	/** Memory of the session: `note`. Default: on. */
	readonly session?: boolean;
	/** Memory of the principal, beyond the session: `remember`. Default: on. */
	readonly principal?: boolean;
}

const {
	memoryListMax: listMax,
	memoryFoundMax: foundMax,
	memoryFoundCharsMax: foundCharsMax,
	memoryQueryCharsMax: queryCharsMax,
} = fixedLimits;

/**
 * Tools with which an agent reads and keeps entries of memory: `memory` lists, reads and searches; `note` keeps something for
 * the session, and is `internal`; `remember` keeps something for the principal's later sessions, and is a `write`.
 */
export function memoryTools({ session = true, principal = true }: MemoryToolsOptions = {}): readonly Tool[] {
	const kinds = [...(session ? (["session"] as const) : []), ...(principal ? (["principal"] as const) : [])];
	if (kinds.length === 0) return [];
	return [readingTool(kinds), ...(session ? [note] : []), ...(principal ? [remember] : [])];
}

type Kind = keyof CallingRun["memory"];
type Texts = { readonly [name: string]: string | undefined };

function readingTool(kinds: readonly Kind[]): Tool {
	const tool = runTool({
		name: "memory",
		description: "Memory: lists all entries, reads the one of that name, or searches for words.",
		inputSchema: textsSchema([], ["name", "search"]),
		inRun: (input, run) => read(input as Texts, run, kinds),
	});
	// It sends nothing to anybody.
	return { ...tool, effect: "read", labels: { audience: [] } };
}

const note = writingTool(
	"note",
	"session",
	"Keeps a text in memory under a name, for this session. Without a text: deletes it.",
);
const remember: Tool = {
	...writingTool("remember", "principal", "The same as note, for later sessions with this user, too."),
	effect: "write",
};

function writingTool(name: string, kind: Kind, description: string): Tool {
	const tool = runTool({
		name,
		description,
		inputSchema: textsSchema(["name"], ["text"]),
		inRun: (input, run) => change(input as Texts, run.memory[kind]),
	});
	return { ...tool, labels: { audience: [] }, simulate: (input: unknown) => said(input as Texts) };
}

/** An object with texts, some of which may be left out. */
function textsSchema(required: readonly string[], optional: readonly string[]): JsonSchema {
	const properties = Object.fromEntries([...required, ...optional].map((name) => [name, { type: "string" }]));
	return { type: "object", properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false };
}

async function change({ name = "", text }: Texts, memory: CallMemory): Promise<DoneInRun> {
	const write = text === undefined || text === "" ? await memory.drop(name) : await memory.write(name, text);
	if (!write) throw new Error("There is no entry of this name");
	return { value: said({ name, text }), writes: [write] };
}

function said({ text }: Texts): string {
	return text === undefined || text === "" ? "deleted" : "kept";
}

async function read({ name, search }: Texts, run: CallingRun, kinds: readonly Kind[]): Promise<DoneInRun> {
	const found: { readonly of: "session" | "user"; readonly entry: MemoryEntry }[] = [];
	let total = 0;
	for (const kind of kinds) {
		const memory = run.memory[kind];
		const entries = await entriesOf(memory, { name, search });
		if (name === undefined && search === undefined) total += await memory.count();
		found.push(
			...entries.map((entry) => ({ of: kind === "session" ? ("session" as const) : ("user" as const), entry })),
		);
	}
	const shown = found.map(({ of, entry }) => {
		if (name !== undefined) return { name: entry.name, of, text: entry.text };
		if (search !== undefined) return { name: entry.name, of, text: excerpt(entry.text, search) };
		return { name: entry.name, of, text: firstLine(entry.text) };
	});
	const more = Math.max(0, total - shown.length);
	const label = found.reduce<Label | undefined>((joined, { entry }) => joinLabels(joined, entry.label), undefined);
	return { value: { entries: shown, ...(more > 0 ? { more } : {}) }, label };
}

async function entriesOf(memory: CallMemory, { name, search }: Texts): Promise<readonly MemoryEntry[]> {
	if (search !== undefined) return memory.search(search, foundMax);
	if (name === undefined) return memory.list(listMax);
	const entry = await memory.get(name);
	return entry ? [entry] : [];
}

/** What stands around the first of the words; a short text is whole. */
function excerpt(text: string, search: string): string {
	if (text.length <= foundCharsMax) return text;
	const plain = text.toLowerCase();
	const words = search
		.slice(0, queryCharsMax)
		.toLowerCase()
		.split(/[^\p{L}\p{N}]+/u);
	const places = words.flatMap((word) => (word === "" ? [] : [plain.indexOf(word)]));
	const at = Math.max(0, Math.min(...places.filter((place) => place >= 0), text.length) - foundCharsMax / 4);
	const start = at + foundCharsMax > text.length ? text.length - foundCharsMax : at;
	const cut = text.slice(start, start + foundCharsMax).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
	return `${start > 0 ? "…" : ""}${cut}${start + foundCharsMax < text.length ? "…" : ""}`;
}
