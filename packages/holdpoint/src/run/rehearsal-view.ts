/** A rehearsal for those who decide: what they see of it, and the rows that they name. */
import { HoldpointError } from "../spec/errors.ts";
import type { ProgramRehearsed, RehearsedCall } from "../spec/events.ts";
import type { Redactor } from "./redactor.ts";
import { rehearsalDigest, totalsOf } from "./rehearsed-rows.ts";
import { callOf, type RunState } from "./state.ts";

/** A rehearsal as the person who decides sees it. */
export interface RehearsalView {
	/** Of what is seen here: an answer to its rows is worth something for these rows only. */
	readonly digest: string;
	readonly rows: readonly (RehearsedCall & {
		/** Who approved it so far, in the order of their answers. */
		readonly approvedBy: readonly string[];
		readonly deniedBy?: string;
		readonly isSpent: boolean;
	})[];
	/** By tool: how many calls that need an answer, and the sums of their numbers. */
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
	program: string | undefined,
): { readonly rehearsal?: RehearsalView } {
	const rehearsal = program === undefined ? undefined : callOf(state, program).program?.rehearsal;
	if (!rehearsal) return {};
	const { event } = rehearsal;
	const { reads, end, why } = event;
	const rows = event.rows.map((row, i) => {
		const { answers = [], denied, spent } = rehearsal.rows[i] ?? {};
		const approvedBy = answers.map(({ by }) => by.id);
		const args = redactor.value(row.args, { tool: row.tool });
		return { ...row, args, approvedBy, ...(denied ? { deniedBy: denied.by.id } : {}), isSpent: spent !== undefined };
	});
	return {
		rehearsal: {
			digest: rehearsalDigest(event),
			rows,
			totals: totalsOf(event.rows),
			reads,
			end,
			...(why ? { why } : {}),
		},
	};
}

interface Named {
	readonly rows?: readonly number[] | "all";
	readonly inOrder?: boolean;
}

/** Errors: `approval.invalid`. */
export function rowsAnswered(
	{ rehearsal, approval }: { readonly rehearsal?: RehearsalView; readonly approval: string },
	{ rows = "all", inOrder }: Named,
) {
	const invalid = (message: string, hint: string) =>
		new HoldpointError("approval.invalid", message, { hint, details: { approval } });
	if (!rehearsal)
		throw invalid(`Approval ${approval} was not rehearsed`, "Ask for a rehearsal, or answer the call alone.");
	const asked = rehearsal.rows.flatMap(({ verdict }, index) => (verdict === "ask" ? index : []));
	const chosen = rows === "all" ? asked : rows;
	const wrong = chosen.find((index) => !asked.includes(index));
	if (wrong === undefined)
		return { digest: rehearsal.digest, rows: chosen, ...(inOrder ? { inOrder: true as const } : {}) };
	throw invalid(
		`Row ${wrong} of the rehearsal is none that needs an answer`,
		`They are ${asked.join(", ") || "none"}.`,
	);
}
