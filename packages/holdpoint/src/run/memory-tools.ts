/** The tools of memory. Every default tool costs tokens with every answer of a model: few words, and one tool that reads. */
import { joinLabels } from "../labels/label.ts";
import { byAge, firstLine, type IndexedEntry } from "../memory/index-text.ts";
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
	return [readingTool(kinds), ...(session ? [note] : []), ...(principal ? [rememberBeside(session)] : [])];
}

type Kind = keyof CallingRun["memory"];
interface ToRead {
	readonly name?: string;
	readonly search?: string;
	readonly skip?: number;
}
type Texts = { readonly [name: string]: string | undefined };

function readingTool(kinds: readonly Kind[]): Tool {
	const tool = runTool({
		name: "memory",
		description: `Memory: lists the newest ${listMax} entries after \`skip\` ones, reads the one of that name, or finds the best ${foundMax} for words.`,
		inputSchema: {
			type: "object",
			properties: { name: { type: "string" }, search: { type: "string" }, skip: { type: "integer", minimum: 0 } },
			additionalProperties: false,
		},
		misfit: ({ name, search, skip }) =>
			skip && (name ?? search) !== undefined ? "skip is for the list, without name and search" : undefined,
		inRun: (input, run) => read(input as ToRead, run, kinds),
	});
	// It sends nothing to anybody.
	return { ...tool, effect: "read", labels: { audience: [] } };
}

const note = writingTool(
	"note",
	"session",
	"Keeps a text in memory under a name, for this session. Without a text: deletes it.",
);
function rememberBeside(hasNote: boolean): Tool {
	const what = hasNote ? "The same as note," : "Keeps a text in memory under a name,";
	const description = `${what} for later sessions with this user, too. Without a text: deletes it.`;
	return { ...writingTool("remember", "principal", description), effect: "write" };
}

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

async function read({ name, search, skip = 0 }: ToRead, run: CallingRun, kinds: readonly Kind[]): Promise<DoneInRun> {
	const isList = name === undefined && search === undefined;
	const found: IndexedEntry[] = [];
	let total = 0;
	for (const kind of kinds) {
		const memory = run.memory[kind];
		const of = kind === "session" ? "session" : "user";
		if (isList) total += await memory.count();
		const entries = isList ? await newestOf(memory, skip + listMax) : await entriesOf(memory, { name, search });
		found.push(...entries.map((entry) => ({ of, entry }) as const));
	}
	const shown = isList ? found.sort(byAge).slice(skip, skip + listMax) : found;
	const entries = shown.map(({ of, entry }) => ({ name: entry.name, of, text: textOf(entry, { name, search }) }));
	const more = isList ? Math.max(0, total - skip - shown.length) : 0;
	const label = shown.reduce<Label | undefined>((joined, { entry }) => joinLabels(joined, entry.label), undefined);
	return { value: { entries, ...(more > 0 ? { more } : {}) }, label };
}

function textOf({ text }: MemoryEntry, { name, search }: Texts): string {
	if (name !== undefined) return text;
	return search === undefined ? firstLine(text) : excerpt(text, search);
}

async function newestOf(memory: CallMemory, count: number): Promise<readonly MemoryEntry[]> {
	const found: MemoryEntry[] = [];
	while (found.length < count) {
		const limit = Math.min(count - found.length, fixedLimits.queryLimitMax);
		const page = await memory.list(limit, found.at(-1));
		found.push(...page);
		if (page.length < limit) break;
	}
	return found;
}

async function entriesOf(memory: CallMemory, { name = "", search }: Texts): Promise<readonly MemoryEntry[]> {
	if (search !== undefined) return memory.search(search, foundMax);
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
