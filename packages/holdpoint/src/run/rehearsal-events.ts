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

/** `row`: whose answers it spends; a row that is this very call is over in any case. */
export function spendRow(rehearsal: RehearsalState | undefined, call: CallState, row: number | undefined): void {
	if (row !== undefined) call.row = row;
	rehearsal?.event.rows.forEach((foreseen, index) => {
		const state = rehearsal.rows[index];
		if (state && (index === row || foreseen.call === call.id)) state.spent = call.id;
	});
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
