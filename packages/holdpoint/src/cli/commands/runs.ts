import { existsSync } from "node:fs";
import type { RunRow, RunStatus } from "../../spec/store.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { shownPath } from "../command-line.ts";
import { storePath } from "../open-harness.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { isAbandoned } from "../ready-runs.ts";
import { age, dateTime } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Style } from "../render/style.ts";
import { type Cell, tableLines } from "../render/table.ts";

const statuses: readonly RunStatus[] = ["running", "waiting", "completed", "failed", "cancelled"];
const limitDefault = 20;
const limitMax = 1_000;

/** Lists runs. Reads the store's index and nothing else, so that it is quick whatever the runs hold. */
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
		const shown = rows.map((row) => ({ ...row, held: held.filter((one) => one.run === row.run) }));
		terminal.answer({ runs: shown }, () => {
			if (rows.length === 0) return ["No runs."];
			const head = ["run", "status", "changed", "agent", "waits for"];
			const cells = shown.map((row) =>
				rowCells(
					row,
					row.held.map((one) => one.tool),
					terminal.style,
				),
			);
			return tableLines(cells, { style: terminal.style, width: terminal.width, head });
		});
	} finally {
		await store.close();
	}
	return exitCodes.done;
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

function rowCells(row: RunRow, held: readonly string[], style: Style): Cell[] {
	const now = Date.now();
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
		{ text: waitsText(row, held, now) },
	];
}

function waitsText(row: RunRow, held: readonly string[], now: number): string {
	if (row.status === "running")
		return row.lease && row.lease.until > now && !isAbandoned(row) ? "" : "its process is gone: resume it";
	if (row.status !== "waiting") return "";
	if (row.signals > 0) return "answered: resume it";
	if (held.length > 0) return `approval of ${[...new Set(held)].map((tool) => inlineText(tool, 60)).join(", ")}`;
	if (row.dueAt !== undefined) return row.dueAt <= now ? "due: resume it" : `until ${dateTime(row.dueAt)}`;
	return "see holdpoint show";
}
