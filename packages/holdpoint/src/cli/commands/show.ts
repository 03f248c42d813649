import { counted } from "../../kit/counted.ts";
import { waitsOf } from "../../run/conclude.ts";
import type { RunView } from "../../run/show-run.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { findRun, newestRun } from "../find-run.ts";
import { openInbox, using } from "../open-harness.ts";
import { isAbandoned } from "../ready-runs.ts";
import { heldLinesOf } from "../render/call-text.ts";
import { age, dateTime, duration } from "../render/duration.ts";
import { Timeline } from "../render/timeline.ts";
import { cardsOf, shownWait, waitLines } from "../show-result.ts";
import { shownRun } from "../shown-run.ts";

/** The timeline of a run. What it shows was verified: a journal that was tampered with is an error. */
export async function show(invocation: Invocation): Promise<number> {
	const { terminal, positionals } = invocation;
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const [given] = positionals;
		const run = given === undefined ? await newestRun(store) : await findRun(store, given);
		const view = await shownRun(harness, run);
		const open = await harness.approvals({ run });
		const { state, events } = view;
		terminal.answer(
			{
				run,
				status: statusOf(view),
				agent: state.started?.agent.name,
				usage: state.usage,
				unread: view.unread,
				approvals: open,
				events,
			},
			() => [
				...headLines(invocation, view),
				"",
				...timelineLines(invocation, view),
				...cardsOf(invocation, open).flatMap((card) => ["", ...card]),
				...waitsOf(state).flatMap((wait) =>
					wait.kind === "approval" ? [] : ["", ...waitLines(invocation, run, shownWait(view, wait))],
				),
			],
		);
		return exitCodes.done;
	});
}

function statusOf(view: RunView): string {
	const { state, lease } = view;
	if (state.status !== "running") return state.status;
	if (lease && lease.until > Date.now() && !isAbandoned(view)) return "running";
	// Nobody advances it: because it waits, or because a process died.
	return waitsOf(state).length > 0 ? "waiting" : "interrupted";
}

function headLines({ terminal }: Invocation, view: RunView): string[] {
	const { style } = terminal;
	const { events, state } = view;
	const first = events[0]?.at ?? 0;
	const last = events.at(-1)?.at ?? first;
	const took = state.status === "running" ? `began ${age(Date.now() - first)} ago` : `took ${duration(last - first)}`;
	const facts = `${dateTime(first)} · ${took} · ${counted(events.length, "event")}, verified`;
	return [`${style.bold(view.run)}  ${statusOf(view)}`, style.dim(facts)];
}

function timelineLines({ terminal }: Invocation, { run, events }: RunView): string[] {
	const { style, width } = terminal;
	const timeline = new Timeline({ run, style, width, heldLines: heldLinesOf(events) });
	return events.flatMap(({ at, event }) => timeline.lines(at, event));
}
