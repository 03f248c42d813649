import type { Need } from "../approvals/need.ts";
import type { ApprovalRequested, ApprovalResolved, RunEvent } from "../spec/events.ts";
import type { ApprovalState, CallState, RehearsalState, RowState } from "./call-state.ts";
import { answerRows, bindRow } from "./rehearsal-events.ts";

type ApprovalEvent = Extract<RunEvent, { readonly type: `approval.${string}` | "grant.given"; readonly call: string }>;

/** What people are asked and say about a call, folded. */
export function applyApprovalEvent(
	{ asking, rehearsal }: { readonly asking: Set<string>; readonly rehearsal: RehearsalState | undefined },
	call: CallState,
	event: ApprovalEvent,
): void {
	switch (event.type) {
		case "approval.requested":
			asking.add(call.id);
			call.phase = "held";
			call.approvals++;
			call.approval = requested(call, event, rehearsal?.rows);
			return bindRow(rehearsal, call, event.row);
		case "approval.resolved":
			applyAnswer(call, event);
			return answerRows(rehearsal, event);
		case "approval.escalated":
			if (call.approval) call.approval.substitutes = event.roles;
			return;
		case "approval.closed":
			call.phase = "answered";
			if (call.approval) call.approval.closed = event.why;
			return;
		case "grant.given":
			if (call.approval) call.approval.granted = [...(call.approval.granted ?? []), event.by.id];
	}
}

function requested(call: CallState, event: ApprovalRequested, rows: readonly RowState[] | undefined): ApprovalState {
	const row = event.row === undefined ? undefined : rows?.[event.row];
	const before = row ? row.answers : (call.approval?.answers ?? []);
	// What was granted with an answer was granted then.
	const carried = before.flatMap(({ by, at, reason }) => (event.carries?.includes(by.id) ? [{ by, at, reason }] : []));
	return {
		id: event.approval,
		...neededFor(event),
		expiresAt: event.expiresAt,
		...(event.escalation ? { escalation: event.escalation } : {}),
		...(event.rehearse ? { rehearse: true as const } : {}),
		...(event.sources ? { sources: event.sources } : {}),
		answers: carried,
		carried: carried.length,
		denied: undefined,
		closed: undefined,
	};
}

function neededFor({ roles = [], count = 1, counts, people, except }: ApprovalRequested): Need {
	return {
		roles,
		count,
		...(counts ? { counts } : {}),
		...(people === undefined ? {} : { people }),
		...(except ? { except } : {}),
	};
}

function applyAnswer(call: CallState, event: ApprovalResolved): void {
	const approval = call.approval;
	if (!approval) return;
	const { by, at, reason, always } = event;
	const answer = { by, at, reason, ...(always ? { always } : {}) };
	if (event.answer === "deny") approval.denied = answer;
	else {
		if (event.answer === "edit") {
			// Editing voids what others answered to the arguments before.
			approval.answers.length = 0;
			call.args = event.args;
			call.digest = event.digest ?? call.digest;
			call.edited = true;
		}
		approval.answers.push(answer);
	}
	if (!event.open) call.phase = "answered";
}
