/** A rehearsal for those who decide: what they see of it, and the rows that they name. */
import { HoldpointError } from "../spec/errors.ts";
import type { ProgramRehearsed, RehearsedCall } from "../spec/events.ts";
import { type CallEnd, endOf } from "./call-end.ts";
import type { CallState, RehearsalState, RowState } from "./call-state.ts";
import type { Redactor } from "./redactor.ts";
import { madeOf, rehearsalDigest, totalsOf } from "./rehearsed-rows.ts";
import { callOf, type RunState } from "./run-state.ts";

/** A rehearsal as the person who decides sees it. */
export interface RehearsalView {
	/** Of what is seen here: an answer to its rows is worth something for these rows only. */
	readonly digest: string;
	readonly rows: readonly (RehearsedCall & {
		/** Who approved it so far, in the order of their answers. */
		readonly approvedBy: readonly string[];
		readonly deniedBy?: string;
		/** A call of the program was this one: no other call rests on it. */
		readonly isSpent: boolean;
		/** What became of that call so far. */
		readonly became?: CallEnd;
		/** It is the call that is held: a yes to that is one to this row. */
		readonly isHeld: boolean;
	})[];
	/** By tool: how many calls that need an answer and are neither made nor denied, and the sums of their numbers. */
	readonly totals: readonly {
		readonly tool: string;
		readonly count: number;
		readonly sums: { readonly [field: string]: number };
	}[];
	/** Reads that were really made for it. */
	readonly reads: number;
	readonly end: ProgramRehearsed["end"];
	readonly why?: string;
}

export function rehearsalOf(
	{ state, redactor }: { readonly state: RunState; readonly redactor: Redactor },
	held: CallState,
): { readonly rehearsal?: RehearsalView } {
	const rehearsal = held.parent === undefined ? undefined : callOf(state, held.parent).program?.rehearsal;
	if (!rehearsal) return {};
	const { event } = rehearsal;
	const { reads, end, why } = event;
	const heldAt = heldRow(rehearsal, held);
	const rows = event.rows.map((row, i) => {
		const of: RowState = rehearsal.rows[i] ?? { answers: [] };
		const { answers, denied } = of;
		const made = madeOf(state, of);
		const approvedBy = answers.map(({ by }) => by.id);
		const args = redactor.value(row.args, { tool: row.tool });
		const said = redactedTexts(row, redactor);
		return {
			...row,
			...said,
			args,
			approvedBy,
			...(denied ? { deniedBy: denied.by.id } : {}),
			isSpent: made !== undefined,
			...(made ? { became: endOf(made) } : {}),
			isHeld: i === heldAt,
		};
	});
	const open = rows.filter(({ isSpent, deniedBy }) => !isSpent && deniedBy === undefined);
	return {
		rehearsal: {
			digest: rehearsalDigest(event),
			rows,
			totals: totalsOf(open),
			reads,
			end,
			...(why ? { why: redactor.text(why) } : {}),
		},
	};
}

/** The row that is this call: since it was held, or in the rehearsal that followed. */
function heldRow({ event, rows }: RehearsalState, held: CallState): number {
	return event.rows.findIndex(({ call }, i) => call === held.id || rows[i]?.spent === held.id);
}

function redactedTexts({ reason, fails }: RehearsedCall, redactor: Redactor): Pick<RehearsedCall, "reason" | "fails"> {
	return {
		...(reason === undefined ? {} : { reason: redactor.text(reason) }),
		...(fails === undefined ? {} : { fails: redactor.text(fails) }),
	};
}

interface Named {
	readonly rows?: readonly number[] | "all";
	/** Of the rehearsal that was seen, or the beginning of it. */
	readonly rehearsal?: string;
	readonly inOrder?: boolean;
}

const seenCharsMin = 8;

/** An answer to rows is worth something for the rows that were seen (I5). Errors: `approval.invalid`. */
export function rowsAnswered(
	{ rehearsal, approval }: { readonly rehearsal?: RehearsalView; readonly approval: string },
	{ rows = "all", rehearsal: seen, inOrder }: Named,
) {
	const invalid = (message: string, hint: string) =>
		new HoldpointError("approval.invalid", message, { hint, details: { approval } });
	if (!rehearsal)
		throw invalid(`Approval ${approval} was not rehearsed`, "Ask for a rehearsal, or answer the call alone.");
	if (seen === undefined || seen.length < seenCharsMin)
		throw invalid("Which rehearsal was seen is not said", "Pass its digest: `rehearsal`, or --seen as it was printed.");
	if (!rehearsal.digest.startsWith(seen))
		throw invalid(
			"What the program would do was found out anew since it was seen",
			"Look at the approval again, and answer what is shown now.",
		);
	const asked = rehearsal.rows.flatMap(({ verdict }, index) => (verdict === "ask" ? index : []));
	const chosen = rows === "all" ? asked.filter((index) => !rehearsal.rows[index]?.isSpent) : rows;
	const wrong = chosen.find((index) => !asked.includes(index));
	if (wrong === undefined)
		return { digest: rehearsal.digest, rows: chosen, ...(inOrder ? { inOrder: true as const } : {}) };
	throw invalid(
		`Row ${wrong} of the rehearsal is none that needs an answer`,
		`They are ${asked.join(", ") || "none"}.`,
	);
}
