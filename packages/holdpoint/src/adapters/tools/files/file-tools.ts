import { limitProblem } from "../../../kit/limit-problem.ts";
import { reasonOf } from "../../../kit/reason-of.ts";
import { AskedCalls, type CallIds } from "../../../policy/asked-calls.ts";
import type { PolicyLike } from "../../../policy/decide.ts";
import { ruledPolicy } from "../../../policy/ruled-policy.ts";
import { defaultFileLimits, type FileLimits } from "../../../spec/limits.ts";
import type { Policy } from "../../../spec/policy.ts";
import type { Effect, Labels, Lookup, Tool, ToolContext } from "../../../spec/tool.ts";
import { defineTool } from "../../../tools/define-tool.ts";
import { jsonSchema } from "../../../tools/json-schema.ts";
import { wholeText, wholeTextIn } from "../rooted/read-text.ts";
import { pathOf } from "../rooted/relative-path.ts";
import { invalid, RootFolder } from "../rooted/root-folder.ts";
import { checkRoom, deleteFile, replaceFile } from "./change-file.ts";
import { type FileAccess, type FileRule, FileRules, fileToolRules } from "./file-rules.ts";
import {
	type FilePart,
	type Found,
	type ListArguments,
	type Listing,
	type Looking,
	listFiles,
	type ReadArguments,
	readFilePart,
	type SearchArguments,
	searchFiles,
} from "./look-into-files.ts";

export type { FileLimits } from "../../../spec/limits.ts";
export type { FileRule, FileVerdict } from "./file-rules.ts";

export interface FileToolsOptions {
	/** The folder that the agent works in; nothing outside of it can be named. */
	readonly root: string;
	/** The first one that speaks of a path decides. Without any: reads are allowed, changes ask. */
	readonly rules?: readonly FileRule[];
	/** Files and folders that no tool comes near, besides `.holdpoint` and what HOLDPOINT_STORE names: keys, other stores. */
	readonly forbid?: readonly string[];
	/** Only list, read and search. */
	readonly isReadOnly?: boolean;
	/** Says `trusted` only where nobody else's words can be in these files. Default: untrusted. */
	readonly integrity?: Labels["integrity"];
	/** Who may read the folder: its results, and what is written into it. Default: nobody knows. */
	readonly readers?: readonly string[];
	/** Before the names of the tools, for a second folder: `notes_` makes `notes_read_file`. */
	readonly prefix?: string;
	readonly limits?: Partial<FileLimits>;
}

export interface FileTools {
	/** For the agent. */
	readonly tools: readonly Tool[];
	/** For the harness: what the rules allow or ask, joined with a policy of your own, which no rule loosens. */
	policy(own?: PolicyLike): Policy;
}

/**
 * Tools for the files of one folder: list, read, search, write, edit, delete. Links are not followed, and what belongs to a
 * store cannot be reached. What a rule denies is refused by the tools themselves.
 * Errors: `tool.invalid` where the folder or a rule cannot be used.
 */
export function fileTools(options: FileToolsOptions): FileTools {
	const what = `fileTools({ root: ${JSON.stringify(options.root)} })`;
	const problem = limitProblem(options.limits ?? {}, defaultFileLimits);
	if (problem) throw invalid(what, `limits sets ${problem}`);
	const limits = { ...defaultFileLimits, ...options.limits };
	const { root: folder, forbid = [], prefix = "" } = options;
	const root = new RootFolder({ root: folder, forbid, limits, what });
	const desk = new Desk(root, limits, rulesOf(options.rules ?? [], what));
	const { integrity, readers } = options;
	const labels = { ...(integrity ? { integrity } : {}), ...(readers ? { readers } : {}) };
	const looking = lookingTools(desk, prefix, { ...labels, audience: [] });
	const changing = options.isReadOnly
		? []
		: changingTools(desk, prefix, { ...labels, ...(readers ? { audience: readers } : {}) });
	const tools = [...looking, ...changing];
	const access = new Map(tools.map(({ name, effect }) => [name, accessOf(name.slice(prefix.length), effect)]));
	const placeOf = (path: string, kind: FileAccess) => root.segmentsOf(path, kind === "write");
	const ruled = fileToolRules(desk.rules, { tools, access, asked: desk.asked, placeOf });
	return { tools, policy: (own) => ruledPolicy(ruled, own) };
}

/** An edit tells what a file holds. */
function accessOf(name: string, effect: Effect): readonly FileAccess[] {
	if (name === "edit_file") return ["write", "read"];
	return [effect === "read" ? "read" : "write"];
}

function rulesOf(rules: readonly FileRule[], what: string): FileRules {
	try {
		return new FileRules(rules);
	} catch (error) {
		throw invalid(what, reasonOf(error), error);
	}
}

type Call = CallIds & Pick<ToolContext, "signal">;

/** One folder with its rules; changes of it come one after the other. */
class Desk {
	readonly asked = new AskedCalls();
	readonly root: RootFolder;
	readonly limits: FileLimits;
	readonly rules: FileRules;
	#last: Promise<unknown> = Promise.resolve();

	constructor(root: RootFolder, limits: FileLimits, rules: FileRules) {
		this.root = root;
		this.limits = limits;
		this.rules = rules;
	}

	/** What can be seen from a place that the policy let be looked at. Errors: where the rules do not let it. */
	looking(path: string, call: CallIds): Looking {
		const { root, limits } = this;
		const isAsked = this.#check(root.segmentsOf(path, false), "read", call) === "ask";
		const mayRead = (segments: readonly string[]): boolean => {
			const verdict = this.rules.verdictOf(segments, "read") ?? "allow";
			return verdict === "allow" || (verdict === "ask" && isAsked);
		};
		return { root, limits, mayRead };
	}

	/** Errors: where the rules do not let it be changed, or its call is stopped before its turn comes. */
	change<T>(path: string, call: Call, work: (segments: readonly string[]) => Promise<T>): Promise<T> {
		const segments = this.root.segmentsOf(path, true);
		if (segments.length === 0) throw new Error("The root folder is no file");
		this.#check(segments, "write", call);
		const done = this.#last.then(() => {
			call.signal.throwIfAborted();
			return work(segments);
		});
		this.#last = done.catch(() => undefined);
		return done;
	}

	/** An ask is the policy's: where that of this call's harness has not the rules in it, nobody was asked. */
	#check(segments: readonly string[], access: FileAccess, call: CallIds): string | undefined {
		const verdict = this.rules.verdictOf(segments, access);
		const doing = access === "read" ? "read" : "changed";
		if (verdict === "deny") throw new Error(`${pathOf(segments)} may not be ${doing}: a rule denies it`);
		if (verdict === "ask" && !this.asked.has(call)) {
			throw new Error(
				`${pathOf(segments)} may not be ${doing}: a rule asks a person, and the harness has no policy() of it`,
			);
		}
		return verdict;
	}
}

const count = { type: "integer" } as const;
const place = { type: "integer", minimum: 1 } as const;
const flag = { type: "boolean" } as const;
const list = (items: object) => ({ type: "array", items }) as const;
const text = (description?: string) => ({ type: "string", ...(description ? { description } : {}) }) as const;
const path = text();

function lookingTools(desk: Desk, prefix: string, labels: Labels): Tool[] {
	const { rowsMax, readLinesMax } = desk.limits;
	return [
		defineTool({
			name: `${prefix}list_files`,
			description: `Lists a folder, or with pattern (**/*.md) all below it that fits; at most ${rowsMax}.`,
			effect: "read",
			labels,
			input: schema<ListArguments>({ path, pattern: text() }),
			output: schema<Listing>({ entries: list(text("folders end with /")), truncated: flag, leftOut: text() }, [
				"entries",
			]),
			execute: (args, call) => listFiles(desk.looking(args.path ?? ".", call), args, call.signal),
		}),
		defineTool({
			name: `${prefix}read_file`,
			description: `Reads lines of a text file; at most ${readLinesMax} at once.`,
			effect: "read",
			labels,
			input: schema<ReadArguments>({ path, from: place, column: place, lines: place }, ["path"]),
			output: schema<FilePart>({ path, text: text(), from: count, to: count, lines: count, nextColumn: count }, [
				"path",
				"text",
				"from",
				"to",
				"lines",
			]),
			execute: (args, call) => readFilePart(desk.looking(args.path, call), args),
		}),
		defineTool({
			name: `${prefix}search_files`,
			description: "Finds lines that hold a text (no regular expression) in the files of a folder.",
			effect: "read",
			labels,
			input: schema<SearchArguments>(
				{
					text: { type: "string", minLength: 1 },
					path,
					pattern: text("of paths: **/*.md"),
					ignoreCase: { type: "boolean" },
				},
				["text"],
			),
			output: schema<Found>({ matches: list(match), skipped: count, truncated: flag, leftOut: text() }, ["matches"]),
			execute: (args, call) => searchFiles(desk.looking(args.path ?? ".", call), args, call.signal),
		}),
	];
}

const match = {
	type: "object",
	properties: { path, line: count, text: text(), column: count },
	required: ["path", "line", "text"],
	additionalProperties: false,
};

interface Written {
	readonly path: string;
	readonly bytes: number;
	readonly isNew?: true;
}

interface Edited {
	readonly path: string;
	readonly bytes: number;
	/** Where the passage begins. */
	readonly line: number;
}

interface Deleted {
	readonly path: string;
	readonly isDeleted: true;
}

interface WriteArguments {
	readonly path: string;
	readonly text: string;
}

interface EditArguments {
	readonly path: string;
	readonly old: string;
	readonly new: string;
}

function changingTools(desk: Desk, prefix: string, labels: Labels): Tool[] {
	return [
		defineTool({
			name: `${prefix}write_file`,
			description: "Makes a file, or replaces all of its text.",
			effect: "write",
			labels,
			input: schema<WriteArguments>({ path, text: text() }, ["path", "text"]),
			output: schema<Written>({ path, bytes: count, isNew: flag }, ["path", "bytes"]),
			simulate: (args) => ({ path: args.path, bytes: Buffer.byteLength(args.text) }),
			execute: (args, call) => write(desk, args, call),
			// The same text is there: whoever put it there, the call has what it wanted.
			lookup: (_key, args) =>
				found(desk, args.path, (now) => now === args.text && { path: args.path, bytes: Buffer.byteLength(now) }),
		}),
		defineTool({
			name: `${prefix}edit_file`,
			description: "Replaces one passage of a file; old must occur exactly once.",
			effect: "write",
			labels,
			input: schema<EditArguments>({ path, old: { type: "string", minLength: 1 }, new: text() }, [
				"path",
				"old",
				"new",
			]),
			output: schema<Edited>({ path, bytes: count, line: count }, ["path", "bytes", "line"]),
			execute: (args, call) => edit(desk, args, call),
		}),
		defineTool({
			name: `${prefix}delete_file`,
			description: "Deletes a file for good.",
			effect: "destructive",
			labels,
			input: schema<{ path: string }>({ path }, ["path"]),
			output: schema<Deleted>({ path, isDeleted: flag }, ["path", "isDeleted"]),
			simulate: (args) => ({ path: args.path, isDeleted: true as const }),
			execute: (args, call) => remove(desk, args.path, call),
		}),
	];
}

function schema<T>(properties: Record<string, object>, required: string[] = []) {
	return jsonSchema<T>({ type: "object", properties, required, additionalProperties: false } as never);
}

function write(desk: Desk, args: WriteArguments, call: Call): Promise<Written> {
	return desk.change(args.path, call, async (segments) => {
		checkText(desk, args.path, args.text);
		const [folders, name] = split(segments);
		const work = async (folder: Parameters<typeof replaceFile>[1]) => {
			if (!(await desk.root.lookAt(folder, name))) await checkRoom(folder, desk.limits.folderEntriesMax);
			return replaceFile(desk.root, folder, { name, text: args.text });
		};
		const { bytes, isNew } = await desk.root.inFolder(folders, work, { makes: true });
		return { path: args.path, bytes, ...(isNew ? { isNew: true as const } : {}) };
	});
}

function edit(desk: Desk, args: EditArguments, call: Call): Promise<Edited> {
	return desk.change(args.path, call, async (segments) => {
		const [folders, name] = split(segments);
		return desk.root.inFolder(folders, async (folder) => {
			const was = await desk.root.lookAt(folder, name);
			const { root, limits } = desk.looking(args.path, call);
			const before = await wholeTextIn(root, folder, { name, bytesMax: limits.readBytesMax });
			const at = before.indexOf(args.old);
			if (at < 0) throw new Error(`${args.path} does not hold old; read it again`);
			if (before.indexOf(args.old, at + 1) >= 0)
				throw new Error(`${args.path} holds old more than once; take more of the text around it`);
			const after = before.slice(0, at) + args.new + before.slice(at + args.old.length);
			checkText(desk, args.path, after);
			const { bytes } = await replaceFile(desk.root, folder, { name, text: after, ...(was ? { was } : {}) });
			return { path: args.path, bytes, line: before.slice(0, at).split("\n").length };
		});
	});
}

function remove(desk: Desk, place: string, call: Call): Promise<Deleted> {
	return desk.change(place, call, async (segments) => {
		const [folders, name] = split(segments);
		await desk.root.inFolder(folders, (folder) => deleteFile(desk.root, folder, name));
		return { path: place, isDeleted: true as const };
	});
}

function split(segments: readonly string[]): [folders: readonly string[], name: string] {
	return [segments.slice(0, -1), segments.at(-1) ?? ""];
}

/** What could not be read again is not written. */
function checkText({ limits: { writeBytesMax } }: Desk, place: string, value: string): void {
	const bytes = Buffer.byteLength(value);
	if (bytes > writeBytesMax) throw new Error(`${place} would have ${bytes} bytes; the limit is ${writeBytesMax}`);
	if (!value.isWellFormed()) throw new Error(`${place} would have half of a surrogate pair in its text`);
	if (value.includes("\0")) throw new Error(`${place} would have a NUL in its text`);
}

async function found(desk: Desk, place: string, answer: (now: string) => object | false): Promise<Lookup> {
	const nobodyKnows: Lookup = {
		unknown: `${place} is not as the call would have left it; it may have been changed since`,
	};
	try {
		const segments = desk.root.segmentsOf(place, false);
		if (desk.rules.verdictOf(segments, "read") === "deny") return nobodyKnows;
		// It says no more than that the text is the call's own: nobody has to be asked for that.
		const now = await wholeText(desk.root, segments, desk.limits.readBytesMax);
		const happened = answer(now);
		return happened ? { happened } : nobodyKnows;
	} catch {
		return nobodyKnows;
	}
}
