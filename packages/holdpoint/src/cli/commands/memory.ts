import { counted } from "../../kit/counted.ts";
import type { HarnessMemory, MemoryOf } from "../../run/memory-doors.ts";
import type { MemoryAuthor, MemoryEntry } from "../../spec/memory.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { commandLine, shownPath } from "../command-line.ts";
import { findRun } from "../find-run.ts";
import { type Opened, openWithConfig, using } from "../open-harness.ts";
import { osApprover, osUser } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { age, dateTime } from "../render/duration.ts";
import { inlineText, proseText, visibleText } from "../render/safe-text.ts";
import { tableLines } from "../render/table.ts";
import { exportFolder, filesIn, writeFiles } from "./memory-files.ts";

interface Asked {
	readonly invocation: Invocation;
	readonly memory: HarnessMemory;
	readonly of: MemoryOf;
}

type Action = (asked: Asked) => Promise<number>;

const actions: { readonly [name: string]: Action } = {
	list,
	show,
	search,
	delete: drop,
	export: exportAll,
	import: importAll,
	forget,
};

/** What agents keep beyond a run: `holdpoint memory <what>`. */
export async function memory(invocation: Invocation): Promise<number> {
	const [what = ""] = invocation.positionals;
	const action = Object.hasOwn(actions, what) ? actions[what] : undefined;
	if (action) {
		return using(await openWithConfig(invocation), async (opened) =>
			action({ invocation, memory: opened.harness.memory, of: await ofOptions(invocation, opened) }),
		);
	}
	const names = Object.keys(actions).join(", ");
	throw usageInvalid(`memory does not know "${inlineText(what, 40)}"`, `It takes one of: ${names}.`);
}

/** Whose memory, as it was said; that of a run is its session's, where it has one. */
async function ofOptions(invocation: Invocation, { harness, store }: Opened): Promise<MemoryOf> {
	const names = ["principal", "session", "tenant"] as const;
	const of: MemoryOf = Object.fromEntries(
		names.flatMap((name) => {
			const value = textOption(invocation, name);
			return value === undefined ? [] : [[name, value]];
		}),
	);
	const given = textOption(invocation, "run");
	if (given === undefined) return of;
	if (of.session !== undefined || of.tenant !== undefined)
		throw usageInvalid("--run says whose session and tenant it is: give it alone");
	const run = await findRun(store, given);
	const { started } = (await harness.show(run)).state;
	const { session, tenant } = started ?? {};
	return { ...of, ...(session ? { session: session.id } : { run }), ...(tenant === undefined ? {} : { tenant }) };
}

function whoseText({ principal = osUser(), session, run, tenant }: MemoryOf): string {
	const ofSession = session === undefined ? `of ${principal}` : `of the session ${session}`;
	const whose = run === undefined ? ofSession : `of the run ${run}`;
	return inlineText(tenant === undefined ? whose : `${whose}, tenant ${tenant}`, 300);
}

function only({ positionals: [what, given] }: Invocation, name: string): string {
	if (given !== undefined) return given;
	throw usageInvalid(`memory ${what} needs <${name}>`);
}

async function list({ invocation, memory, of }: Asked): Promise<number> {
	const given = textOption(invocation, "limit") ?? "100";
	const limit = /^[1-9]\d{0,2}$|^1000$/.test(given) ? Number(given) : undefined;
	if (limit === undefined) throw usageInvalid("--limit is a whole number from 1 to 1000");
	return answerEntries(invocation, await memory.list({ ...of, limit }), `Nothing is in the memory ${whoseText(of)}.`);
}

async function search({ invocation, memory, of }: Asked): Promise<number> {
	const entries = await memory.search(only(invocation, "words"), of);
	return answerEntries(invocation, entries, `Nothing with one of these words is in the memory ${whoseText(of)}.`);
}

function answerEntries({ terminal }: Invocation, entries: readonly MemoryEntry[], none: string): number {
	terminal.answer({ entries }, () => {
		if (entries.length === 0) return [none];
		const { style, width } = terminal;
		const now = Date.now();
		const rows = entries.map((entry) => [
			{ text: inlineText(entry.name, 60), colour: style.bold },
			{ text: age(now - entry.at) },
			{ text: entry.label?.untrusted === undefined ? "" : "untrusted", colour: style.yellow },
			{ text: inlineText(entry.text, 300) },
		]);
		return tableLines(rows, { style, width, head: ["name", "changed", "", "text"] });
	});
	return exitCodes.done;
}

async function show({ invocation, memory, of }: Asked): Promise<number> {
	const { terminal } = invocation;
	const entry = await memory.get(only(invocation, "name"), of);
	if (!entry) throw noEntry(of);
	terminal.answer(entry, () => [
		terminal.style.bold(visibleText(entry.name, 200)),
		`  written ${dateTime(entry.at)} by ${authorText(entry.by)} for ${inlineText(entry.principal, 100)}`,
		`  ${labelText(entry.label)}`,
		"",
		...proseText(entry.text, 20_000).split("\n"),
	]);
	return exitCodes.done;
}

function authorText(by: MemoryAuthor): string {
	if ("person" in by) return inlineText(by.person, 100);
	return inlineText(`${by.agent} in call ${by.call} of run ${by.run}`, 300);
}

function labelText(label: MemoryEntry["label"]): string {
	if (!label) return "trusted, for everyone to read";
	const integrity = label.untrusted === undefined ? "trusted" : "untrusted: somebody else's words may be in it";
	return inlineText(
		`${integrity}; ${label.readers ? `for ${label.readers.join(", ") || "nobody"} to read` : "for everyone to read"}`,
		300,
	);
}

function noEntry(of: MemoryOf) {
	return usageInvalid(
		`There is no entry of this name in the memory ${whoseText(of)}`,
		"`holdpoint memory list` lists them.",
	);
}

async function drop({ invocation, memory, of }: Asked): Promise<number> {
	const name = only(invocation, "name");
	osApprover(invocation);
	if (!(await memory.delete(name, of))) throw noEntry(of);
	const { terminal } = invocation;
	terminal.answer({ deleted: name }, () => [`${terminal.style.green("✓")} Deleted: ${visibleText(name, 200)}`]);
	return exitCodes.done;
}

async function exportAll({ invocation, memory, of }: Asked): Promise<number> {
	const { host, terminal } = invocation;
	const folder = exportFolder(host.cwd, only(invocation, "folder"));
	const entries = await writeFiles(folder, memory.export(of));
	terminal.answer({ folder, entries }, () => [
		`${terminal.style.green("✓")} ${shownPath(folder, host.cwd)}: ${counted(entries, "entry", "entries")} of the memory ${whoseText(of)}, a file each`,
		`  Back with: ${commandLine(invocation, "memory", "import", shownPath(folder, host.cwd), ...optionWords(of))}`,
	]);
	return exitCodes.done;
}

function optionWords(of: MemoryOf): string[] {
	return Object.entries(of).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

async function importAll({ invocation, memory, of }: Asked): Promise<number> {
	const { host, terminal } = invocation;
	const files = filesIn(host.cwd, only(invocation, "folder"));
	const done = await memory.import(files, { ...of, by: osApprover(invocation).id });
	terminal.answer(done, () => [
		`${terminal.style.green("✓")} ${counted(done.entries, "entry", "entries")} in the memory ${whoseText(of)}`,
		...(done.untrusted > 0 ? [`  ${done.untrusted} of them untrusted: somebody else's words may be in them`] : []),
	]);
	return exitCodes.done;
}

async function forget({ invocation, memory, of }: Asked): Promise<number> {
	const { terminal, options } = invocation;
	const by = osApprover(invocation).id;
	if (textOption(invocation, "run") !== undefined)
		throw usageInvalid(
			"memory forget takes no --run",
			"`holdpoint audit erase` drops a run with the notes that it alone has.",
		);
	const { principal, session, tenant } = of;
	if ((principal === undefined) === (session === undefined))
		throw usageInvalid("memory forget needs --principal or --session, and not both");
	const whose = {
		...(session === undefined ? { principal: principal ?? "" } : { session }),
		...(tenant === undefined ? {} : { tenant }),
	};
	const what = whoseText(whose);
	if (options["yes"] === undefined)
		throw usageInvalid(`To forget the memory ${what} cannot be undone`, "Say so with --yes.");
	const { entries } = await memory.forget({ ...whose, by });
	const where = session === undefined ? "written on behalf" : "of the memory";
	const also = session === undefined ? ", in sessions and runs, too" : "";
	terminal.answer({ ...whose, forgotten: entries, by }, () => [
		`${terminal.style.green("✓")} Forgotten: ${counted(entries, "entry", "entries")} ${where} ${what}${also}`,
	]);
	return exitCodes.done;
}
