/**
 * The journal of one run: turns events into sealed, chained entries and back.
 *
 * Owns: the form of a stored entry, head and signal, their authentication, and which index rows follow from which
 * event. Does not own: what events mean (`run/state.ts`), where bytes lie (the store).
 *
 * 1. An entry's code covers store, run, sequence number, the previous entry's code and the body: an entry that was
 *    changed, dropped, reordered, swapped or brought from elsewhere does not verify.
 * 2. The head's code covers the last entry's code and the index fields: dropping the tail does not verify either.
 *    A signal's code covers store, run, id and body: one that was changed does not verify. Signals are no chain: one
 *    that is dropped before the run read it is not missed.
 * 3. Nothing that does not verify is folded. Rolling back a whole run with its old head is seen only against a
 *    checkpoint that was kept elsewhere.
 */
import type { KeyRing } from "../kit/seal.ts";
import { HoldpointError } from "../spec/errors.ts";
import {
	type CallFinished,
	type CallSettled,
	type Hold,
	journalVersion,
	type Outcome,
	type RunEvent,
} from "../spec/events.ts";
import type { Signal } from "../spec/signals.ts";
import type { RunHead, StoredRun, StoredSignal, Write } from "../spec/store.ts";

/** What became durable together. */
export interface Entry {
	readonly seq: number;
	/** When its first event happened; in journals without `t`, when it was written. Units: milliseconds since 1970. */
	readonly at: number;
	/**
	 * How long after `at` each event from the second on happened: the last one stands for all that follow it. Left out
	 * where all are 0. Units: milliseconds.
	 */
	readonly t?: readonly number[] | undefined;
	/** Of the lease under which it was written, in the first entry of each lease from the second one on. */
	readonly epoch?: number | undefined;
	readonly events: readonly RunEvent[];
}

/** In the shortest form, when the events of an entry happened that is written now. */
export function timesOf(times: readonly number[], now: number): Pick<Entry, "at" | "t"> {
	const at = times[0] ?? now;
	let count = times.length;
	while (count > 1 && times[count - 1] === times[count - 2]) count--;
	return count > 1 ? { at, t: times.slice(1, count).map((time) => time - at) } : { at };
}

/** When the event at this place of an entry happened. */
export function timeOf({ at, t }: Pick<Entry, "at" | "t">, index: number): number {
	return index === 0 ? at : at + (t?.[index - 1] ?? t?.at(-1) ?? 0);
}

export interface ReceivedSignal {
	readonly id: string;
	/** Undefined: it does not verify, and is to be ignored and said so. */
	readonly signal: Signal | undefined;
	/** It is sealed with this key, which is not here: nobody can say here what it is worth. */
	readonly foreignKey?: string;
}

/** Writes and reads the sealed form for one run of one store. */
export interface RunSeal {
	entry(previous: string, entry: Entry): { readonly body: string; readonly mac: string };
	head(lastMac: string, fields: Omit<RunHead, "mac">): RunHead;
	signal(id: string, signal: Signal): StoredSignal;
	/** The head of a run that was erased: it has no entry. */
	erased(fields: Omit<RunHead, "mac" | "seq" | "dueAt">): RunHead;
	/** Errors: `run.erased`, `journal.tampered`, `journal.key_missing`, `journal.damaged`, `journal.newer`. */
	open(stored: StoredRun): { readonly entries: readonly Entry[]; readonly lastMac: string };
	openSignal(stored: StoredSignal): ReceivedSignal;
}

export const firstMac = "";
/** Stands in the head's code for that of the last entry. No entry has it. */
const erasedMac = "erased";

export function runSeal(ring: KeyRing, store: string, run: string): RunSeal {
	const place = `${store}\n${run}\n`;
	const code = (kind: string, keyId: string, text: string): string => {
		const mac = ring.code(keyId, `${kind}\n${place}${text}`);
		if (mac !== undefined) return mac;
		throw new HoldpointError(
			"journal.key_missing",
			`State of run ${run} is sealed with the key "${keyId}", which is not here`,
			{
				details: { run, key: keyId },
			},
		);
	};
	const headCode = (keyId: string, lastMac: string, head: Omit<RunHead, "mac">) =>
		code(
			"head",
			keyId,
			`${head.seq}\n${lastMac}\n${head.status}\n${head.dueAt ?? ""}\n${head.updatedAt}\n${head.agent}\n${head.session ?? ""}`,
		);

	const isErased = ({ head, entries }: StoredRun): boolean => {
		const keyId = keyOf(head.mac);
		if (entries.length > 0 || head.seq > 0 || keyId === "") return false;
		return head.mac === `${keyId} ${headCode(keyId, erasedMac, head)}`;
	};

	return {
		entry(previous, entry) {
			const body = `${ring.current} ${JSON.stringify({ at: entry.at, t: entry.t, epoch: entry.epoch, events: entry.events })}`;
			return { body, mac: code("entry", ring.current, `${entry.seq}\n${previous}\n${body}`) };
		},
		head(lastMac, fields) {
			return { ...fields, mac: headCode(ring.current, lastMac, fields) };
		},
		signal(id, signal) {
			const body = `${ring.current} ${JSON.stringify(signal)}`;
			return { id, body, mac: code("signal", ring.current, `${id}\n${body}`) };
		},
		erased(given) {
			const fields = { ...given, seq: 0, dueAt: undefined };
			// No entry names the key, so the code itself does.
			return { ...fields, mac: `${ring.current} ${headCode(ring.current, erasedMac, fields)}` };
		},
		open(stored) {
			if (isErased(stored)) throw erasedRun(run);
			let lastMac = firstMac;
			let keyId = ring.current;
			const entries = stored.entries.map((raw, index) => {
				const seq = index + 1;
				keyId = keyOf(raw.body);
				if (keyId === "") throw tampered(run, `entry ${seq}`);
				const right = raw.seq === seq && raw.mac === code("entry", keyId, `${seq}\n${lastMac}\n${raw.body}`);
				if (!right) throw tampered(run, `entry ${seq}`);
				lastMac = raw.mac;
				return parseEntry(run, seq, raw.body.slice(keyId.length + 1));
			});
			const whole = stored.head.seq === entries.length && stored.head.mac === headCode(keyId, lastMac, stored.head);
			if (!whole || entries.length === 0) throw tampered(run, "the head");
			return { entries, lastMac };
		},
		openSignal(stored) {
			const { id } = stored;
			const keyId = keyOf(stored.body);
			// A key that is not here may have sealed it rightly: it can neither be judged nor thrown away as forged.
			if (keyId !== "" && ring.code(keyId, "") === undefined) return { id, signal: undefined, foreignKey: keyId };
			const isRight = keyId !== "" && stored.mac === code("signal", keyId, `${id}\n${stored.body}`);
			if (!isRight) return { id, signal: undefined };
			return { id: stored.id, signal: JSON.parse(stored.body.slice(keyId.length + 1)) as Signal };
		},
	};
}

function keyOf(body: string): string {
	const end = body.indexOf(" ");
	const id = end > 0 && end <= 32 ? body.slice(0, end) : "";
	return /^[A-Za-z0-9_-]+$/.test(id) ? id : "";
}

function erasedRun(run: string): HoldpointError {
	return new HoldpointError("run.erased", `Run ${run} was erased`, { details: { run } });
}

function tampered(run: string, what: string): HoldpointError {
	return new HoldpointError(
		"journal.tampered",
		`Stored state of run ${run} was changed: ${what} does not match its seal`,
		{
			details: { run, what },
		},
	);
}

function parseEntry(run: string, seq: number, text: string): Entry {
	let value: Omit<Entry, "seq">;
	try {
		// Its seal was right, so we wrote it: no further check of its form.
		value = JSON.parse(text) as typeof value;
	} catch (cause) {
		throw new HoldpointError("journal.damaged", `Entry ${seq} of run ${run} cannot be read`, {
			cause,
			details: { run, seq },
		});
	}
	const first = value.events[0];
	if (seq === 1 && first?.type === "run.started" && first.v > journalVersion) {
		throw new HoldpointError(
			"journal.newer",
			`Run ${run} has journal version ${first.v}; this library knows ${journalVersion}`,
			{
				details: { run, version: first.v, known: journalVersion },
			},
		);
	}
	const unknown = value.events.find(({ type }) => !Object.hasOwn(eventTypes, type));
	if (unknown) {
		const message = `Run ${run} holds the event ${unknown.type}, which this library does not know`;
		throw new HoldpointError("journal.newer", message, { details: { run, seq, event: unknown.type } });
	}
	return { seq, ...value };
}

/** The kinds that can be folded; the type makes the list complete. */
const eventTypes: Readonly<Record<RunEvent["type"], true>> = {
	"run.started": true,
	"run.resumed": true,
	"message.received": true,
	"run.handed": true,
	"agent.continued": true,
	"agent.done": true,
	"agent.started": true,
	"user.asked": true,
	"model.answered": true,
	"model.unanswered": true,
	"output.rejected": true,
	"context.provided": true,
	"context.compacted": true,
	"todos.set": true,
	"mode.changed": true,
	"agent.stopped": true,
	"call.asked": true,
	"call.decided": true,
	"approval.requested": true,
	"approval.resolved": true,
	"approval.refused": true,
	"grant.given": true,
	"approval.escalated": true,
	"approval.closed": true,
	"call.started": true,
	"call.finished": true,
	"call.settled": true,
	"program.started": true,
	"program.delivered": true,
	"program.suspended": true,
	"rehearsal.requested": true,
	"program.rehearsed": true,
	"program.restored": true,
	"timer.set": true,
	"timer.fired": true,
	"cancel.requested": true,
	"signal.ignored": true,
	"run.finished": true,
};

export interface CallFacts {
	toolOf(call: string): string;
	/** What it holds of shared accounts. */
	holdsOf(call: string): readonly Hold[];
	/** It never started, and may hold what was reserved for its start. */
	mayHoldForNothing(call: string): boolean;
}

/** The index rows and clean-ups that follow from events, in the commit that writes them. */
export function writesFor(events: readonly RunEvent[], at: number, about: CallFacts): Write[] {
	const { toolOf } = about;
	const writes: Write[] = [];
	for (const event of events) {
		if ("signal" in event && event.signal !== undefined) writes.push({ kind: "signal.drop", id: event.signal });
		switch (event.type) {
			case "approval.requested": {
				const { approval, call, expiresAt } = event;
				writes.push({ kind: "approval", approval, call, tool: toolOf(call), requestedAt: at, expiresAt });
				break;
			}
			case "approval.resolved":
				if (!event.open) writes.push({ kind: "approval.drop", approval: event.approval });
				break;
			case "approval.closed":
				writes.push({ kind: "approval.drop", approval: event.approval });
				break;
			case "model.answered":
			case "context.compacted":
				for (const { account, holder, amount } of event.spent ?? [])
					writes.push({ kind: "settle", account, holder, amount });
				break;
			case "model.unanswered": {
				for (const { account, holder, amount } of event.spent) writes.push({ kind: "settle", account, holder, amount });
				const holders = new Set(event.spent.map(({ holder }) => holder));
				for (const holder of holders) writes.push({ kind: "settle.rest", holder, unspent: true });
				break;
			}
			case "call.finished":
			case "call.settled":
				writes.push(...settlements(about, event));
				break;
			case "run.finished":
				writes.push({ kind: "settle.rest" });
				break;
			default:
		}
	}
	return writes;
}

/** What was done is spent; what was not done is given back; of what nobody knows it stays held (I7). */
function settlements(about: CallFacts, ended: CallFinished | CallSettled): Write[] {
	const { call: holder, outcome } = ended;
	if ("unknown" in outcome) return [];
	if (about.mayHoldForNothing(holder)) return [{ kind: "settle.rest", holder, unspent: true }];
	return about.holdsOf(holder).map((hold) => ({
		kind: "settle",
		account: hold.account,
		holder,
		amount: spentOf(hold, outcome, ended.type === "call.finished" ? ended.ms : undefined),
	}));
}

/** What of a hold is spent by this outcome. `ms` undefined: nobody knows how long it took. */
export function spentOf({ amount, evenIfFailed, timeMs }: Hold, outcome: Outcome, ms: number | undefined): number {
	if (timeMs !== undefined) {
		if ("denied" in outcome) return 0;
		// A clock that jumps makes no time that was not held, and gives none back that was not.
		return amount - timeMs + Math.min(timeMs, Math.max(0, Math.ceil(ms ?? timeMs)));
	}
	return isDone(outcome) || evenIfFailed ? amount : 0;
}

/** What a tool did stands, be its result usable or not. */
function isDone(outcome: Outcome): boolean {
	if ("failed" in outcome) return outcome.code === "tool.result_invalid" || outcome.code === "tool.result_too_large";
	return "ok" in outcome || "blob" in outcome;
}
