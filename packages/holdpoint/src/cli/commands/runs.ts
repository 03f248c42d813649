import { existsSync } from "node:fs";
import type { RunRow, RunStatus } from "../../spec/store.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { shownPath } from "../command-line.ts";
import { openInbox, storePath, using } from "../open-harness.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { isAbandoned } from "../ready-runs.ts";
import { age, dateTime } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Style } from "../render/style.ts";
import { type Cell, tableLines } from "../render/table.ts";
import { widthOf } from "../render/text-width.ts";
import type { Terminal } from "../terminal.ts";
import { type UnlistedWaits, unlistedWaits } from "../unlisted-waits.ts";

const statuses: readonly RunStatus[] = ["running", "waiting", "completed", "failed", "cancelled"];
const limitDefault = 20;
const limitMax = 1_000;

/** Lists runs from the store's index, so that it is quick; of those listed that wait, the journal as well. */
export async function runs(invocation: Invocation): Promise<number> {
	const { host, terminal } = invocation;
	const query = { limit: limitOf(invocation), ...statusOf(invocation) };
	const path = storePath(invocation);
	if (!existsSync(path)) {
		terminal.answer({ runs: [] }, () => [`No runs yet: there is no store at ${shownPath(path, host.cwd)}.`]);
		return exitCodes.done;
	}
	const { sqliteStore } = await import("../../adapters/stores/sqlite.ts");
	const store = sqliteStore(path);
	try {
		const rows = await store.runs(query);
		const held = await store.approvals({ limit: limitMax });
		const { unknown, asked } = await unlistedOf(invocation, rows);
		const ofRun = <T extends { run: string }>(all: readonly T[], run: string) => all.filter((one) => one.run === run);
		const shown = rows.map((row) => ({
			...row,
			held: ofRun(held, row.run),
			unknown: ofRun(unknown, row.run),
			asked: ofRun(asked, row.run),
		}));
		terminal.answer({ runs: shown }, () => {
			if (rows.length === 0) return ["No runs."];
			return runLines(shown, terminal);
		});
	} finally {
		await store.close();
	}
	return exitCodes.done;
}

/** No index knows whether the outcome of a call is unknown, or whether an agent waits for its user. */
async function unlistedOf(invocation: Invocation, rows: readonly RunRow[]): Promise<UnlistedWaits> {
	const waiting = rows.filter(({ status }) => status === "waiting");
	if (waiting.length === 0) return { unknown: [], asked: [] };
	const ids = waiting.map(({ run }) => run);
	return using(await openInbox(invocation), ({ harness }) => unlistedWaits(harness, ids));
}

function limitOf(invocation: Invocation): number {
	const given = textOption(invocation, "limit");
	const limit = given === undefined ? limitDefault : Number(given);
	if (Number.isInteger(limit) && limit >= 1 && limit <= limitMax) return limit;
	throw usageInvalid(`--limit is a whole number from 1 to ${limitMax}`);
}

function statusOf(invocation: Invocation): { readonly status?: readonly RunStatus[] } {
	const given = textOption(invocation, "status");
	if (given === undefined) return {};
	const known = statuses.find((status) => status === given);
	if (!known) throw usageInvalid(`There is no status "${inlineText(given, 40)}"`, `Statuses: ${statuses.join(", ")}.`);
	return { status: [known] };
}

interface ShownRow extends RunRow {
	readonly held: readonly { readonly tool: string }[];
	readonly unknown: readonly { readonly tool: string }[];
	readonly asked: readonly { readonly agent: string }[];
}

const head = ["run", "status", "changed", "agent", "waits for"] as const;
const agentAt = head.indexOf("agent");
/** Narrower than this, the agent is left out. */
const widthOfAgent = 54;
/** What a run waits for should be read to its end. */
const waitsColumns = 24;

/** Where there is no room for whole ids, their beginnings: every command takes them. */
function runLines(rows: readonly ShownRow[], { style, width }: Pick<Terminal, "style" | "width">): string[] {
	const now = Date.now();
	const cells = rows.map((row) => rowCells(row, style, now));
	const columns = head.map((title, at) => Math.max(title.length, ...cells.map((row) => widthOf(row[at]?.text ?? ""))));
	const last = Math.min(waitsColumns, columns.pop() ?? 0);
	const isTight = columns.reduce((sum, each) => sum + each + 2, last) > width;
	const ids = isTight ? shortIds(rows.map(({ run }) => run)) : rows.map(({ run }) => run);
	const keeps = (_: unknown, at: number): boolean => at !== agentAt || width >= widthOfAgent;
	const shown = cells.map(([, ...row], at) => [{ text: ids[at] ?? "" }, ...row].filter(keeps));
	return tableLines(shown, { style, width, head: head.filter(keeps) });
}

const idColumnsMin = 10;

/** The shortest beginnings that tell these ids apart, all of one length. */
function shortIds(ids: readonly string[]): string[] {
	const plain = ids.map((id) => id.replace(/^run_/, ""));
	const longest = Math.max(...plain.map((id) => id.length));
	for (let length = idColumnsMin; length < longest; length++) {
		const short = plain.map((id) => id.slice(0, length));
		if (new Set(short).size === short.length) return short;
	}
	return plain;
}

function rowCells(row: ShownRow, style: Style, now: number): Cell[] {
	const colours: Record<RunStatus, (text: string) => string> = {
		running: style.cyan,
		waiting: style.yellow,
		completed: style.green,
		failed: style.red,
		cancelled: style.dim,
	};
	return [
		{ text: row.run },
		{ text: row.status, colour: colours[row.status] },
		{ text: age(now - row.updatedAt) },
		{ text: inlineText(row.agent, 40) },
		{ text: waitsText(row, now) },
	];
}

function waitsText(row: ShownRow, now: number): string {
	if (row.status === "running")
		return row.lease && row.lease.until > now && !isAbandoned(row) ? "" : "its process is gone: resume it";
	if (row.status !== "waiting") return "";
	// Which signals they are is sealed: answers, messages, or the wish to end it.
	if (row.signals > 0) return "has news: resume it";
	const people = [namesOf("unknown: ", row.unknown), namesOf("approval of ", row.held)].filter(Boolean);
	const [asked] = row.asked;
	if (asked) people.push(`the user's reply to ${inlineText(asked.agent, 60)}`);
	if (people.length > 0) return people.join("; ");
	if (row.dueAt !== undefined) return row.dueAt <= now ? "due: resume it" : `until ${dateTime(row.dueAt)}`;
	return "see holdpoint show";
}

function namesOf(before: string, calls: readonly { readonly tool: string }[]): string {
	const names = [...new Set(calls.map(({ tool }) => inlineText(tool, 60)))];
	return names.length === 0 ? "" : before + names.join(", ");
}
