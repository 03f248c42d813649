/** Whose answers to a call count, and with which roles, as of now. */
import { authorityOf, type CountedToday, countedToday, type KnownAuthority } from "../approvals/authority.ts";
import type { Answering, Approver } from "../spec/approver.ts";
import type { Json } from "../spec/json.ts";
import type { ApprovalAnswer, CallState } from "./call-state.ts";
import type { Segment } from "./segment.ts";

/** What this person may say to a call of this run. Synchronous where the approvers port is. */
export function authorityFor(
	segment: Segment,
	by: Approver,
	about: Pick<Answering, "agent" | "tool" | "args" | "answer">,
): KnownAuthority | Promise<KnownAuthority> {
	const { ports, state } = segment;
	const { principal = "", tenant } = state.started ?? {};
	return authorityOf(ports.approvers, {
		by,
		about: { ...about, principal, tenant },
		timeoutMs: segment.readyOf(about).limits.policyTimeoutMs,
	});
}

/**
 * The valid answers, or those to the row that foresaw the call, with the roles that their givers have today: who lost a role since fills no seat of it. What allowed
 * an attempt that was made before is spent, and stays as it was.
 */
export function answersToday(
	segment: Segment,
	call: CallState,
	known?: { readonly answers: readonly ApprovalAnswer[]; readonly args: Json },
): CountedToday<ApprovalAnswer> | Promise<CountedToday<ApprovalAnswer>> {
	const { answers, args } = known ?? { answers: validAnswers(segment, call), args: call.args ?? null };
	if (answers.length === 0 || !segment.ports.approvers) return { answers, lost: [] };
	const spent = spentAnswers(call);
	const about = { agent: call.thread.agent, tool: call.tool, args, answer: "approve" } as const;
	return countedToday(answers, (answer) => {
		const place = call.approval?.answers.indexOf(answer) ?? -1;
		const isSpent = place < 0 ? call.attempt > 0 && call.row !== undefined : place < spent;
		return isSpent ? { roles: answer.by.roles ?? [] } : authorityFor(segment, answer.by, about);
	});
}

/**
 * Answers that are not void or too old. A repetition is the same call under the same key: what allowed it the first
 * time counts on; what was answered since then lapses like any other answer.
 */
export function validAnswers(segment: Segment, call: CallState): readonly ApprovalAnswer[] {
	const { approval } = call;
	if (!approval || approval.denied || approval.closed) return [];
	const oldest = segment.ports.clock.now() - segment.readyOf(call.thread).limits.approvalSpendWithinMs;
	const spent = spentAnswers(call);
	return approval.answers.filter((answer, i) => i < spent || answer.at > oldest);
}

/** So many, the first ones, have allowed an attempt already. */
function spentAnswers({ attempt, phase, approval }: CallState): number {
	if (attempt === 0 || !approval) return 0;
	return phase === "started" ? approval.answers.length : approval.carried;
}
