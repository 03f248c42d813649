import { randomBytes } from "node:crypto";
import * as door from "../../kit/check-commit.ts";
import { compareText, newestFirst } from "../../kit/newest-first.ts";
import { HoldpointError } from "../../spec/errors.ts";
import {
	type ApprovalQuery,
	type ApprovalRow,
	type CommitReceipt,
	noRun,
	type RunHead,
	type RunQuery,
	type RunRow,
	type Store,
	type StoredEntry,
	type StoredRun,
	type StoredSignal,
	type Write,
} from "../../spec/store.ts";
import { addLeaf, auditOf, dropSalts, emptyLog, type MemoryLog } from "./memory/audit-rows.ts";
import { keepSpaces, type MemorySpaces, memoryRowsOf, spacesAfter } from "./memory/memory-spaces.ts";
import {
	emptyShared,
	listAccounts,
	readDocument,
	revisions,
	type Shared,
	type SharedChange,
	sharedAfter,
} from "./memory/shared-rows.ts";

/** One run. Entries, heads and signals are immutable once they are here; the lists are ours alone. */
interface MemoryRun {
	epoch: number;
	head: RunHead;
	readonly entries: StoredEntry[];
	signals: readonly StoredSignal[];
	lease: { readonly owner: string; readonly until: number } | undefined;
	readonly blobs: Map<string, Uint8Array>;
	readonly approvals: Map<string, ApprovalRow>;
	/** What its calls hold of shared accounts, by holder and account. */
	holds: Map<string, number>;
}

/**
 * Keeps runs in this process: for tests, for work that need not outlive it, and as the reference for every other store.
 * Invariant: a commit checks everything first and then cannot fail, so that it is all or nothing.
 */
export function memoryStore(): Store {
	const storeId = randomBytes(16).toString("base64url");
	const runs = new Map<string, MemoryRun>();
	const state: MemoryState = { runs, shared: emptyShared(), log: emptyLog(), spaces: new Map() };
	let closed = false;
	const assertOpen = () => {
		if (closed) throw new HoldpointError("store.closed", "The memory store was closed");
	};

	return {
		async id() {
			assertOpen();
			return storeId;
		},
		async commit(run, epoch, writes) {
			assertOpen();
			return commitTo(state, { run, epoch, writes });
		},
		async acquire(run, request) {
			assertOpen();
			door.checkLease(run, request);
			const found = runs.get(run);
			if (!found) return undefined;
			if (found.lease && door.leaseHolds(found.lease, request)) throw door.busy(run, found.lease, request.now);
			found.epoch += 1;
			found.lease = { owner: request.owner, until: request.until };
			return view(run, found, 0);
		},
		async load(run, after = 0) {
			assertOpen();
			door.checkAfter(run, after);
			const found = runs.get(run);
			return found && view(run, found, after);
		},
		async blob(run, digest) {
			assertOpen();
			door.checkBlobKey(run, digest);
			return runs.get(run)?.blobs.get(digest)?.slice();
		},
		async runs(query) {
			assertOpen();
			return listRuns(runs, query);
		},
		audit: auditOf(state.log, assertOpen),
		memory: memoryRowsOf(state, assertOpen),
		async approvals(query) {
			assertOpen();
			return listApprovals(runs, query);
		},
		async document(name, known = 0) {
			assertOpen();
			return readDocument(state.shared, name, known);
		},
		async accounts(query) {
			assertOpen();
			return listAccounts(state.shared, query);
		},
		async close() {
			closed = true;
			runs.clear();
			state.log.leaves.length = 0;
			state.spaces.clear();
		},
	};
}

interface MemoryState extends MemorySpaces {
	readonly runs: Map<string, MemoryRun>;
	shared: Shared;
	readonly log: MemoryLog;
}

interface Commit {
	readonly run: string;
	readonly epoch: number;
	readonly writes: readonly Write[];
}

function commitTo(state: MemoryState, { run, epoch, writes }: Commit): CommitReceipt {
	const shape = door.checkCommit(run, epoch, writes);
	const found = state.runs.get(run);
	const refused = door.refusal(run, epoch, { shape, found: found && { epoch: found.epoch, seq: found.head.seq } });
	if (refused) throw refused;
	const changed = shape.shared ? sharedAfter(state.shared, found?.holds, writes) : undefined;
	const spaces = shape.memory ? spacesAfter(state, writes) : undefined;
	if (run !== noRun) return keep(state, run, { shape, writes, changed, spaces });
	state.shared = changed ?? state.shared;
	if (spaces) keepSpaces(state, spaces);
	for (const write of writes) addLeaf(state.log, run, write);
	return { signals: 0, documents: revisions(state.shared) };
}

interface Checked {
	readonly shape: door.CommitShape;
	readonly writes: readonly Write[];
	readonly changed: SharedChange | undefined;
	readonly spaces: ReturnType<typeof spacesAfter> | undefined;
}

/** Everything was checked; only too many signals refuse it still. */
function keep(state: MemoryState, run: string, { shape, writes, changed, spaces }: Checked): CommitReceipt {
	const found = state.runs.get(run);
	const signals = shape.signals ? signalsAfter(run, found?.signals ?? [], writes) : (found?.signals ?? []);
	const target = found ?? freshRun(shape.head as RunHead);
	if (!found) state.runs.set(run, target);
	target.signals = signals;
	if (changed) {
		state.shared = changed;
		target.holds = changed.holds;
	}
	if (spaces) keepSpaces(state, spaces);
	for (const write of writes) apply(state.log, { run, target }, write);
	return { signals: target.signals.length, documents: revisions(state.shared) };
}

function freshRun(head: RunHead): MemoryRun {
	return {
		epoch: 1,
		head,
		entries: [],
		signals: [],
		lease: undefined,
		blobs: new Map(),
		approvals: new Map(),
		holds: new Map(),
	};
}

interface Target {
	readonly run: string;
	readonly target: MemoryRun;
}

function apply(log: MemoryLog, { run, target }: Target, write: Write): void {
	switch (write.kind) {
		case "entry":
			target.entries.push({ seq: write.seq, body: write.body, mac: write.mac });
			break;
		case "head": {
			const { seq, status, agent, session, dueAt, updatedAt, mac } = write.head;
			target.head = { seq, status, agent, session, dueAt, updatedAt, mac };
			break;
		}
		case "blob":
			// The caller's bytes may be a view of memory that goes on living.
			target.blobs.set(write.digest, write.body.slice());
			break;
		case "blob.drop":
			target.blobs.delete(write.digest);
			break;
		case "approval": {
			const { approval, call, tool, requestedAt, expiresAt } = write;
			target.approvals.set(approval, { approval, run, call, tool, requestedAt, expiresAt });
			break;
		}
		case "approval.drop":
			target.approvals.delete(write.approval);
			break;
		case "audit":
			addLeaf(log, run, write);
			break;
		case "erase":
			target.entries.length = 0;
			target.signals = [];
			target.blobs.clear();
			target.approvals.clear();
			dropSalts(log, run);
			break;
		case "lease":
			target.lease = { owner: write.owner, until: write.until };
			break;
		case "release":
			target.lease = undefined;
			break;
		default:
		// Signals were applied as a whole.
	}
}

/** The unread signals as they will be, or an error and nothing has happened. */
function signalsAfter(run: string, before: readonly StoredSignal[], writes: readonly Write[]): readonly StoredSignal[] {
	let signals = [...before];
	for (const write of writes) {
		if (write.kind === "signal.drop") signals = signals.filter((signal) => signal.id !== write.id);
		if (write.kind !== "signal") continue;
		const { id, body, mac } = write.signal;
		const there = signals.find((signal) => signal.id === id);
		if (there && (there.body !== body || there.mac !== mac)) throw door.signalClash(run, id);
		if (there) continue;
		if (signals.length >= write.max) throw door.tooManySignals(run, write.max);
		signals.push({ id, body, mac });
	}
	return signals;
}

function view(run: string, found: MemoryRun, after: number): StoredRun {
	const { epoch, head, signals, lease } = found;
	return { run, epoch, head, entries: found.entries.slice(after), signals, lease };
}

function listRuns(runs: ReadonlyMap<string, MemoryRun>, query: RunQuery): RunRow[] {
	const limit = door.checkRunQuery(query);
	const rows: RunRow[] = [];
	for (const [run, found] of runs) {
		if (query.status && !query.status.includes(found.head.status)) continue;
		if (query.session !== undefined && found.head.session !== query.session) continue;
		if (query.readyAt !== undefined && !isReady(found, query.readyAt)) continue;
		if (query.before && newestFirst(query.before, { run, updatedAt: found.head.updatedAt }) >= 0) continue;
		const { mac: _, ...head } = found.head;
		rows.push({ run, ...head, epoch: found.epoch, signals: found.signals.length, lease: found.lease });
	}
	return rows.sort(newestFirst).slice(0, limit);
}

function isReady(found: MemoryRun, now: number): boolean {
	if (found.lease && found.lease.until > now) return false;
	const { status, dueAt } = found.head;
	return found.signals.length > 0 || status === "running" || (dueAt !== undefined && dueAt <= now);
}

function listApprovals(runs: ReadonlyMap<string, MemoryRun>, query: ApprovalQuery): ApprovalRow[] {
	const limit = door.checkApprovalQuery(query);
	const rows: ApprovalRow[] = [];
	const one = query.run === undefined ? undefined : runs.get(query.run);
	for (const found of query.run === undefined ? runs.values() : one ? [one] : []) {
		for (const row of found.approvals.values()) if (row.approval.startsWith(query.prefix ?? "")) rows.push(row);
	}
	return rows.sort(oldestFirst).slice(0, limit);
}

/** Calls of one moment in the order in which their run made them: `c2` before `c10`. */
function oldestFirst(a: ApprovalRow, b: ApprovalRow): number {
	return (
		a.requestedAt - b.requestedAt ||
		compareText(a.run, b.run) ||
		Buffer.byteLength(a.call) - Buffer.byteLength(b.call) ||
		compareText(a.call, b.call) ||
		compareText(a.approval, b.approval)
	);
}
