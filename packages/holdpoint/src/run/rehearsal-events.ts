/** What a rehearsal and the answers to its rows make of a program, folded. */
import { canonicalJson } from "../kit/canonical-json.ts";
import type { ApprovalResolved, ProgramRehearsed, RehearsedCall } from "../spec/events.ts";
import type { CallState, RehearsalState, RowState } from "./call-state.ts";

/** What people said of a call holds on where it is foreseen again; a row that was spent is gone. */
export function rehearsed(event: ProgramRehearsed, before: RehearsalState | undefined): RehearsalState {
	const open = (before?.rows ?? []).flatMap((row, i) => {
		const of = before?.event.rows[i];
		return of && row.spent === undefined && (row.answers.length > 0 || row.denied) ? [{ row, of: rowKey(of) }] : [];
	});
	const rows = event.rows.map((row): RowState => {
		const at = open.findIndex(({ of }) => of === rowKey(row));
		const [found] = at < 0 ? [] : open.splice(at, 1);
		if (!found) return { answers: [] };
		return { answers: found.row.answers, ...(found.row.denied ? { denied: found.row.denied } : {}) };
	});
	return { event, rows, inOrder: false };
}

function rowKey({ tool, version, args }: RehearsedCall): string {
	return canonicalJson([tool, version, args]);
}

/**
 * A call that is held or started takes its row with it: the one whose answers it rests on (`named`), or its own, or the
 * first that is left of what it is. I5: answered or not, the row is worth no other call.
 */
export function bindRow(rehearsal: RehearsalState | undefined, call: CallState, named: number | undefined): void {
	if (!rehearsal) return;
	const { event, rows } = rehearsal;
	const isOwn = (index: number) => event.rows[index]?.call === call.id || rows[index]?.spent === call.id;
	const indexes = rows.flatMap((_, index) => (index === named || isOwn(index) ? index : []));
	for (const index of indexes.length > 0 ? indexes : firstOpen(rehearsal, call)) {
		const row = rows[index];
		if (row) row.spent = call.id;
	}
}

/** Its tool's version is not asked: a row of another one answers no call any more. */
function firstOpen({ event, rows }: RehearsalState, call: CallState): readonly number[] {
	const text = canonicalJson(call.args ?? null);
	const found = event.rows.findIndex(
		(row, index) =>
			row.call === undefined &&
			rows[index]?.spent === undefined &&
			row.tool === call.tool &&
			canonicalJson(row.args) === text,
	);
	return found < 0 ? [] : [found];
}

export function answerRows(rehearsal: RehearsalState | undefined, event: ApprovalResolved): void {
	const { answer, by, at, reason, rows = [], inOrder } = event;
	if (!rehearsal || rows.length === 0) return;
	if (inOrder) rehearsal.inOrder = true;
	for (const index of rows) {
		const row = rehearsal.rows[index];
		if (answer === "deny" && row) row.denied = { by, at, reason };
		else row?.answers.push({ by, at, reason });
	}
}
