/**
 * What the demo claims, held against what can be asked: the operating system's process ids, the run's verified journal,
 * and the shop's own database, which knows nothing of Holdpoint.
 */
import { counted } from "../../kit/counted.ts";
import type { CallState } from "../../run/call-state.ts";
import { executeCodeName } from "../../run/execute-code-name.ts";
import { emptyState } from "../../run/run-state.ts";
import { apply } from "../../run/state.ts";
import type { RunEvent } from "../../spec/events.ts";
import type { DemoProcess } from "./demo-process.ts";
import { euros } from "./euros.ts";
import type { ShopRecords } from "./shop-records.ts";

export interface DemoFacts {
	readonly run: string;
	readonly events: readonly StoredEvent[];
	/** In the order in which they ran. */
	readonly processes: readonly DemoProcess[];
	readonly ownPid: number;
	/** What was seen each time before somebody decided. */
	readonly pauses: readonly Pause[];
	readonly shop: ShopRecords;
}

export interface StoredEvent {
	readonly seq: number;
	readonly at: number;
	readonly event: RunEvent;
}

export interface Pause {
	readonly pid: number;
	readonly isGone: boolean;
	readonly status: string;
	readonly isLeased: boolean;
}

export interface Check {
	readonly name: string;
	readonly ok: boolean;
	readonly says: string;
}

export function proveDemo(facts: DemoFacts): Check[] {
	const calls = callsOf(facts);
	return [
		separateProcesses(facts),
		nothingRan(facts),
		wentOnInTheMiddle(facts),
		everythingOnce(facts, calls),
		moneyOnce(facts, calls),
		messageOnce(facts, calls),
		finished(facts),
	];
}

export function callsOf({ run, events }: DemoFacts): CallState[] {
	const state = emptyState(run, [], new Map());
	for (const { event } of events) apply(state, event);
	return [...state.calls.values()].filter((call) => call.tool !== executeCodeName);
}

export function separateProcesses({ processes, ownPid }: DemoFacts): Check {
	const pids = processes.map(({ pid }) => pid);
	const ok = pids.length >= 3 && new Set([...pids, ownPid]).size === pids.length + 1;
	const words = {
		run: "worked until the hold",
		approve: "decided",
		deny: "decided",
		tell: "replied",
		resume: "went on",
	} as const;
	return { name: "processes", ok, says: processes.map(({ does, pid }) => `${pid} ${words[does]}`).join(", ") };
}

export function nothingRan({ pauses }: DemoFacts): Check {
	const ok =
		pauses.length > 0 && pauses.every(({ isGone, isLeased, status }) => isGone && !isLeased && status === "waiting");
	const [pause] = pauses;
	if (!pause) return { name: "nothing-ran", ok, says: "the run never waited" };
	const gone = `process ${pause.pid} was ${pause.isGone ? "gone" : "still there"}`;
	const row = `the run was a row: ${pause.status}, ${pause.isLeased ? "leased" : "no lease"}`;
	return { name: "nothing-ran", ok, says: `while it waited, ${gone} and ${row}` };
}

function wentOnInTheMiddle({ events }: DemoFacts): Check {
	const started = events.filter(({ event }) => event.type === "program.started").length;
	const programs = new Set(events.flatMap(({ event }) => (event.type === "program.started" ? [event.call] : [])));
	const restored = events.flatMap(({ event }) => (event.type === "program.restored" ? [event] : []));
	const frozen = events.filter(({ event }) => event.type === "program.suspended").length;
	const fromSnapshot = restored.filter(({ from }) => from === "snapshot").length;
	const ok = frozen > 0 && restored.length > 0 && fromSnapshot === restored.length && started === programs.size;
	const wentOn = `went on from its snapshot ${times(fromSnapshot)}`;
	const says = `the program was started ${times(started)}, frozen ${times(frozen)}, and ${wentOn}`;
	return { name: "went-on-in-the-middle", ok, says };
}

/** The journal's intents and the shop's own log say the same: each call that ran, ran once. */
function everythingOnce({ events, shop, processes }: DemoFacts, calls: readonly CallState[]): Check {
	const ids = new Set(calls.map((call) => call.id));
	const intents = events.flatMap(({ event }) =>
		event.type === "call.started" && ids.has(event.call) ? [event.call] : [],
	);
	const done = calls.filter(wasDone);
	const keys = new Set(shop.accesses.map(({ key }) => key));
	const once = new Set(intents).size === intents.length && keys.size === shop.accesses.length;
	const per = processes.flatMap(({ pid, does }) => {
		const count = shop.accesses.filter((access) => access.pid === pid).length;
		return does === "run" || does === "resume" ? [`${count} in process ${pid}`] : [];
	});
	const log = `${shop.accesses.length} in the shop's own log (${per.join(", ")})`;
	const says = `${counted(done.length, "call")} in the journal, ${log}, ${once ? "none of them twice" : "some of them twice"}`;
	return { name: "every-call-once", ok: once && done.length > 0 && shop.accesses.length === done.length, says };
}

function wasDone({ outcome }: CallState): boolean {
	return outcome !== undefined && ("ok" in outcome || "blob" in outcome);
}

export function moneyOnce({ shop }: DemoFacts, calls: readonly CallState[]): Check {
	const done = calls.filter((call) => call.tool === "refund_order" && wasDone(call));
	const wanted = done.map((call) => refundOf(call)).sort();
	const found = shop.refunds.map(({ orderId, amountCents }) => `${orderId} ${euros(amountCents)}`).sort();
	const denied = calls.filter((call) => call.tool === "refund_order" && call.outcome && "denied" in call.outcome);
	const ok = wanted.length + denied.length > 0 && wanted.join() === found.join();
	const not = denied.map((call) => `${refundOf(call)} was denied and is not there`);
	const says = [...found.map((refund) => `${refund} is in the shop's database once`), ...not].join("; ");
	return { name: "money-once", ok, says: says || "no refund is in the shop's database" };
}

function refundOf(call: CallState): string {
	const { orderId, amountCents } = (call.args ?? call.asked) as { orderId: string; amountCents: number };
	return `${orderId} ${euros(amountCents)}`;
}

function messageOnce({ shop }: DemoFacts, calls: readonly CallState[]): Check {
	const sent = calls.filter((call) => call.tool === "send_message" && wasDone(call)).length;
	return {
		name: "message-once",
		ok: sent === shop.messages && sent > 0,
		says: `the customer was written to ${times(shop.messages)}`,
	};
}

export function finished({ events }: DemoFacts): Check {
	const last = events.findLast(({ event }) => event.type === "run.finished")?.event;
	const status = last?.type === "run.finished" ? last.status : "not finished";
	return {
		name: "finished",
		ok: status === "completed",
		says: `the run is ${status}; its journal of ${counted(events.length, "event")} is verified`,
	};
}

export function times(count: number): string {
	return count === 1 ? "once" : count === 2 ? "twice" : `${count} times`;
}

/** The journal around the hold: from the question to what became of the call. */
export function excerptOf(events: readonly StoredEvent[]): StoredEvent[] {
	const from = events.findIndex(({ event }) => event.type === "approval.requested");
	const asked = events[from]?.event;
	if (asked?.type !== "approval.requested") return [];
	const after = events.slice(from);
	const over = after.findIndex(({ event }) => event.type === "program.restored");
	const done = after.findIndex(({ event }) => event.type === "call.finished" && event.call === asked.call);
	return after.slice(0, Math.max(over, done) + 1);
}
