import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import type { AskSource, ProgramRehearsed, RehearsedCall } from "../spec/events.ts";
import { isJsonObject } from "../spec/json.ts";
import type { Tool } from "../spec/tool.ts";
import type { ApprovalAnswer, CallState, RehearsalState, RowState } from "./call-state.ts";
import { callOf, type RunState } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/** What people said of a call before it was made. */
export interface FittingRow {
	readonly index: number;
	readonly answers: readonly ApprovalAnswer[];
	readonly denied: ApprovalAnswer | undefined;
	/** What asks beside the policy, as it was shown with the row. */
	readonly sources: readonly AskSource[] | undefined;
}

/**
 * The row of its program's rehearsal that foresaw this call: the same tool in the same version with the same arguments,
 * answered, and not that of another call. I5: a row is worth one call.
 */
export function rowFor(
	segment: Segment,
	call: CallState,
	{ tool, text }: { readonly tool: Tool; readonly text: string },
): FittingRow | undefined {
	const rehearsal = call.parent === undefined ? undefined : callOf(segment.state, call.parent).program?.rehearsal;
	if (!rehearsal) return undefined;
	const oldest = segment.ports.clock.now() - segment.readyOf(call.thread).limits.approvalSpendWithinMs;
	for (const [index, row] of rehearsal.rows.entries()) {
		if (row.answers.length === 0 && !row.denied) continue;
		if (row.spent !== undefined && row.spent !== call.id) continue;
		if (foresaw(rehearsal, index, { call, tool, text })) {
			// A repetition is the same call: what allowed it the first time counts on.
			const isRepeated = call.attempt > 0 && call.row === index;
			const answers = row.answers.filter(({ at }) => isRepeated || at > oldest);
			return { index, answers, denied: row.denied, sources: rehearsal.event.rows[index]?.sources };
		}
		if (rehearsal.inOrder) return undefined;
	}
	return undefined;
}

/** The call that this row was, once it was started or is over: what is said of the row from then on counts for nothing. */
export function madeOf(state: RunState, { spent }: RowState): CallState | undefined {
	const call = spent === undefined ? undefined : callOf(state, spent);
	return call && (call.attempt > 0 || call.phase === "finished") ? call : undefined;
}

interface Made {
	readonly call: CallState;
	readonly tool: Tool;
	readonly text: string;
}

function foresaw({ event }: RehearsalState, index: number, { call, tool, text }: Made): boolean {
	const row = event.rows[index];
	if (row === undefined || (row.call !== undefined && row.call !== call.id)) return false;
	return row.tool === tool.name && row.version === tool.version && canonicalJson(row.args) === text;
}

/** Whether some row that no other call has spent is this held call, answered or not. */
export function isForeseen(segment: Segment, call: CallState): boolean {
	const rehearsal = call.parent === undefined ? undefined : callOf(segment.state, call.parent).program?.rehearsal;
	const tool = segment.toolOf(call);
	if (!rehearsal || !tool) return false;
	const made = { call, tool, text: canonicalJson(call.args ?? null) };
	return rehearsal.rows.some(({ spent }, index) => {
		if (spent !== undefined) return spent === call.id;
		return foresaw(rehearsal, index, made);
	});
}

/** I5: what an approver saw of a rehearsal. */
export function rehearsalDigest({ rows }: ProgramRehearsed): string {
	return digest(canonicalJson(rows));
}

interface Total {
	readonly tool: string;
	readonly count: number;
	readonly sums: { readonly [field: string]: number };
}

/** By tool: the calls that need an answer, and the sums of the numbers among their arguments. */
export function totalsOf(rows: readonly RehearsedCall[]): Total[] {
	const totals = new Map<string, { count: number; sums: Map<string, number> }>();
	for (const { tool, verdict, args } of rows) {
		if (verdict !== "ask") continue;
		const total = totals.get(tool) ?? { count: 0, sums: new Map() };
		totals.set(tool, total);
		total.count++;
		for (const [field, value] of isJsonObject(args) ? Object.entries(args) : []) {
			if (typeof value === "number") total.sums.set(field, rounded((total.sums.get(field) ?? 0) + value));
		}
	}
	return [...totals].map(([tool, { count, sums }]) => ({ tool, count, sums: Object.fromEntries(sums) }));
}

/** 0.1 and 0.2 are 0.3 to whoever decides on them. */
function rounded(sum: number): number {
	return Number(sum.toPrecision(15));
}
