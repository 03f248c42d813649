/**
 * The door of every store: what a caller hands over is checked here before anything is looked up or written.
 *
 * Owns: the bounds of ids, texts and numbers, the closed union of writes, and the rules that do not depend on how rows
 * are kept (`refusal`, `leaseHolds`). Does not own: how many signals may wait, which is a question to the rows.
 *
 * 1. What passes here can be written by any store: a text is well-formed, a number is a whole one.
 * 2. A run's journal has no gap: head.seq is the number of its entries.
 */
import type { KeptCheckpoint, LeafQuery } from "../spec/audit.ts";
import { HoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { MemoryPlace, MemoryQuery, MemoryRoom, MemorySearch, StoredMemory } from "../spec/memory.ts";
import {
	type AccountQuery,
	type ApprovalQuery,
	type LeaseRequest,
	noRun,
	type RunHead,
	type RunQuery,
	type RunStatus,
	type StoredDocument,
	type Write,
} from "../spec/store.ts";

/** Stores keep a status as its place in this list: it grows at its end only. */
export const runStatuses = ["running", "waiting", "completed", "failed", "cancelled"] as const satisfies RunStatus[];
export const ownerCharsMax = 500;
/** A leaf holds no payload. */
export const leafCharsMax = 1_048_576;
export const accountCharsMax = 1_000;
export const { idCharsMax, bodyCharsMax, blobBytesMax, writesMax, queryLimitMax } = fixedLimits;

/** What one commit carries, found in one pass. */
export interface CommitShape {
	/** It carries something besides signals, so that its epoch counts. */
	readonly fenced: boolean;
	readonly head: RunHead | undefined;
	/** Sequence numbers, in order. */
	readonly entries: number;
	readonly firstSeq: number;
	/** It leaves or takes signals. */
	readonly signals: boolean;
	/** It drops what the run had. */
	readonly erases: boolean;
	/** It changes what runs share: whether it may is a question to the rows. */
	readonly shared: boolean;
	/** It changes memory: whether there is room is a question to the rows. */
	readonly memory: boolean;
}

/** What is erased is all that a run had; nothing comes to it in the same commit. */
const besideErase: ReadonlySet<Write["kind"]> = new Set(["erase", "head", "audit", "release", "memory.drop"]);

/** Errors: `store.failed` for what no store could take: a bug of the caller. */
export function checkCommit(run: string, epoch: number, writes: readonly Write[]): CommitShape {
	checkId(run, "a run id");
	checkWhole(epoch, "an epoch");
	if (!Array.isArray(writes)) throw misuse("The writes of a commit are not a list");
	if (writes.length > writesMax) throw misuse(`A commit has ${writes.length} writes; at most ${writesMax} go in one`);
	const { head, entries, firstSeq, erases, ...count } = tally(writes);
	const memory = count.memories > 0;
	if (run === noRun) {
		if (count.documents + count.leaves + count.memories < writes.length || epoch !== 0)
			throw misuse("What belongs to a run is committed under the run's id");
		return { fenced: false, head, entries, firstSeq, signals: false, erases, shared: true, memory };
	}
	if (count.documents > 0) throw misuse(`A document belongs to no run: it is committed under "${noRun}"`);
	if (entries > 0 && !head) throw misuse("A commit appends entries without their head");
	if (erases) checkErasing(head, writes);
	const fenced = writes.length === 0 || count.signals < writes.length;
	if (fenced && epoch === 0 && !head) throw misuse("A commit with epoch 0 makes a run, and a run needs a head");
	const signals = count.signals + count.drops > 0;
	return { fenced, head, entries, firstSeq, signals, erases, shared: count.accounts > 0, memory };
}

function checkErasing(head: RunHead | undefined, writes: readonly Write[]): void {
	if (!head) throw misuse("A commit that erases has no head");
	const beside = writes.find(({ kind }) => !besideErase.has(kind));
	if (beside) throw misuse(`A commit that erases has the write "${beside.kind}" beside it`);
}

/** Checks each write, and counts them by what they mean for the whole. */
function tally(writes: readonly Write[]) {
	let head: RunHead | undefined;
	let entries = 0;
	let firstSeq = 0;
	let erases = false;
	const count = { signals: 0, drops: 0, documents: 0, accounts: 0, leaves: 0, memories: 0 };
	for (const write of writes) {
		checkWrite(write);
		switch (write.kind) {
			case "entry":
				if (entries === 0) firstSeq = write.seq;
				else if (write.seq !== firstSeq + entries)
					throw misuse(`Entry ${write.seq} does not follow entry ${firstSeq + entries - 1}`);
				entries += 1;
				break;
			case "head":
				if (head) throw misuse("A commit has two heads");
				head = write.head;
				break;
			case "signal":
				count.signals += 1;
				break;
			case "erase":
				erases = true;
				break;
			case "signal.drop":
				count.drops += 1;
				break;
			case "audit":
				count.leaves += 1;
				break;
			case "document":
				count.documents += 1;
				break;
			case "reserve":
			case "settle":
			case "settle.rest":
				count.accounts += 1;
				break;
			case "memory":
			case "memory.drop":
			case "memory.forget":
				count.memories += 1;
				break;
			default:
		}
	}
	return { head, entries, firstSeq, erases, ...count };
}

/** Why this commit must not happen to this run, by the rules that need no rows but the run's own. */
export function refusal(
	run: string,
	epoch: number,
	{
		shape,
		found,
	}: { readonly shape: CommitShape; readonly found: { readonly epoch: number; readonly seq: number } | undefined },
): HoldpointError | undefined {
	if (run === noRun) return undefined;
	if (!shape.fenced)
		return found ? undefined : new HoldpointError("run.unknown", `There is no run ${run}`, { details: { run } });
	if (epoch === 0 && found)
		return new HoldpointError("run.exists", `Run ${run} is already there`, { details: { run } });
	if (epoch > 0 && found?.epoch !== epoch) {
		const now = found ? `is at epoch ${found.epoch}` : "is not in this store";
		return new HoldpointError("run.lease_lost", `Run ${run} ${now}; this writer has epoch ${epoch}`, {
			details: { run, epoch },
		});
	}
	const seq = shape.erases ? 0 : (found?.seq ?? 0);
	if (shape.entries > 0 && shape.firstSeq !== seq + 1) {
		return misuse(`Entry ${shape.firstSeq} does not follow entry ${seq} of run ${run}`);
	}
	if (shape.head && shape.head.seq !== seq + shape.entries) {
		return misuse(`Run ${run} would have ${seq + shape.entries} entries and a head that says ${shape.head.seq}`);
	}
	return undefined;
}

/** Is the run held against this request? The owner of an unexpired lease is asked about, and only that one. */
export function leaseHolds(
	lease: { readonly owner: string; readonly until: number } | undefined,
	request: LeaseRequest,
): boolean {
	if (!lease || lease.until <= request.now || lease.owner === request.owner) return false;
	return request.takeOver?.(lease.owner) !== true;
}

export function busy(run: string, lease: { readonly until: number }, now: number): HoldpointError {
	return new HoldpointError("run.busy", `Run ${run} is held by another owner for ${lease.until - now} ms more`, {
		details: { run, until: lease.until },
	});
}

export function tooManySignals(run: string, max: number): HoldpointError {
	return new HoldpointError("store.failed", `Run ${run} has ${max} unread signals, and no more are taken`, {
		details: { run, max },
		hint: "Nothing was written. Resume the run so that it reads them.",
	});
}

export function signalClash(run: string, id: string): HoldpointError {
	return misuse(`Signal ${id} of run ${run} is there already, with another body`);
}

export function conflict({ name, rev }: StoredDocument, now: number): HoldpointError {
	return new HoldpointError(
		"store.conflict",
		`The document ${name} is at revision ${now}, and ${rev} does not follow it`,
		{
			details: { name, rev, now },
		},
	);
}

export function exhausted(
	account: string,
	used: number,
	{ amount, max }: { readonly amount: number; readonly max: number },
): HoldpointError {
	return new HoldpointError(
		"budget.exhausted",
		`${amount} more is too much for ${account}: ${used} of ${max} is used`,
		{
			details: { account, used, amount, max },
		},
	);
}

export function checkLease(run: string, request: LeaseRequest): void {
	checkId(run, "a run id");
	checkText(request.owner, "an owner", ownerCharsMax);
	checkWhole(request.now, "now");
	checkWhole(request.until, "until");
}

export function checkAfter(run: string, after: number): void {
	checkId(run, "a run id");
	checkWhole(after, "after");
}

export function checkBlobKey(run: string, digest: string): void {
	checkId(run, "a run id");
	checkId(digest, "a digest");
}

/** Returns the limit that holds. */
export function checkRunQuery(query: RunQuery): number {
	for (const status of query.status ?? []) checkStatus(status);
	if (query.session !== undefined) checkId(query.session, "a session id");
	if (query.readyAt !== undefined) checkWhole(query.readyAt, "readyAt");
	if (query.before) {
		checkWhole(query.before.updatedAt, "before.updatedAt");
		checkId(query.before.run, "before.run");
	}
	return checkLimit(query.limit);
}

/** Returns what holds. */
export function checkLeafQuery({ from = 0, run, limit }: LeafQuery): { readonly from: number; readonly limit: number } {
	if (run !== undefined) checkId(run, "a run id");
	checkWhole(from, "from");
	return { from, limit: checkLimit(limit) };
}

export function checkCheckpoint({ size, note, frontier }: KeptCheckpoint): void {
	checkWhole(size, "a checkpoint's size");
	checkText(note, "a checkpoint's note", leafCharsMax);
	checkText(frontier, "a checkpoint's frontier", leafCharsMax);
}

/** Returns the limit that holds. */
export function checkApprovalQuery(query: ApprovalQuery): number {
	if (query.run !== undefined) checkId(query.run, "a run id");
	if (query.prefix !== undefined && query.prefix !== "") checkId(query.prefix, "a prefix");
	return checkLimit(query.limit);
}

/** Returns the limit that holds. */
export function checkAccountQuery(query: AccountQuery): number {
	if (query.prefix !== undefined && query.prefix !== "") checkText(query.prefix, "a prefix", accountCharsMax);
	return checkLimit(query.limit);
}

export function memoryFull(space: string, used: MemoryRoom, max: MemoryRoom): HoldpointError {
	const message = `A space of memory has ${used.entries} entries with ${used.bytes} bytes; ${max.entries} and ${max.bytes} are the most`;
	return new HoldpointError("memory.full", message, { details: { space, used, max } });
}

/** What an entry counts. Units: bytes. */
export function memoryBytes({ name, text }: Pick<StoredMemory, "name" | "text">): number {
	return Buffer.byteLength(name) + Buffer.byteLength(text);
}

export function checkMemoryKey(space: string, name: string): void {
	checkId(space, "a space");
	checkId(name, "a name");
}

export function checkMemoryPlace(of: MemoryPlace): void {
	if ("space" in of) checkId(of.space, "a space");
	else checkId(of.owner, "an owner");
}

/** Returns the limit that holds. */
export function checkMemoryQuery({ of, limit, before }: MemoryQuery): number {
	checkMemoryPlace(of);
	if (before) {
		checkWhole(before.at, "before.at");
		checkMemoryKey(before.space, before.name);
	}
	return checkLimit(limit);
}

/** Returns the limit that holds. */
export function checkMemorySearch({ space, query, limit }: MemorySearch): number {
	checkId(space, "a space");
	checkText(query, "a query", bodyCharsMax);
	return checkLimit(limit);
}

export function checkDocumentKey(name: string, known: number): void {
	checkId(name, "a document's name");
	checkWhole(known, "a known revision");
}

function checkWrite(write: Write): void {
	if (typeof write !== "object" || write === null) throw misuse("A write is not an object");
	switch (write.kind) {
		case "entry":
			checkWhole(write.seq, "an entry's seq");
			checkText(write.body, "an entry's body", bodyCharsMax);
			return checkText(write.mac, "an entry's code", idCharsMax);
		case "head":
			return checkHead(write.head);
		case "blob":
			checkId(write.digest, "a digest");
			return checkBlob(write.body);
		case "blob.drop":
			return checkId(write.digest, "a digest");
		case "signal":
			checkId(write.signal.id, "a signal's id");
			checkText(write.signal.body, "a signal's body", bodyCharsMax);
			checkText(write.signal.mac, "a signal's code", idCharsMax);
			return checkWhole(write.max, "the most signals");
		case "signal.drop":
			return checkId(write.id, "a signal's id");
		case "approval":
			checkId(write.approval, "an approval's id");
			checkId(write.call, "an approval's call");
			checkId(write.tool, "an approval's tool");
			checkWhole(write.requestedAt, "requestedAt");
			return checkWhole(write.expiresAt, "expiresAt");
		case "approval.drop":
			return checkId(write.approval, "an approval's id");
		case "document":
			checkDocumentKey(write.document.name, write.document.rev);
			checkText(write.document.body, "a document's body", bodyCharsMax);
			return checkText(write.document.mac, "a document's code", idCharsMax);
		case "reserve":
			checkHold(write);
			if (write.amount === 0) throw misuse("an amount of nothing is not held");
			checkWhole(write.max, "the most that an account may hold");
			if (write.until !== undefined) checkWhole(write.until, "until");
			return checkWhole(write.now, "now");
		case "settle":
			return checkHold(write);
		case "lease":
			checkText(write.owner, "an owner", ownerCharsMax);
			return checkWhole(write.until, "until");
		case "audit":
			checkText(write.body, "a leaf", leafCharsMax);
			if (write.salt !== undefined) checkText(write.salt, "a salt", idCharsMax);
			return;
		case "settle.rest":
			return write.holder === undefined ? undefined : checkId(write.holder, "a holder");
		case "erase":
		case "release":
			return;
		default:
			return checkMemoryWrite(write);
	}
}

function checkMemoryWrite(write: Extract<Write, { readonly kind: "memory" | "memory.drop" | "memory.forget" }>): void {
	switch (write.kind) {
		case "memory":
			checkWhole(write.max.entries, "the most entries of a space");
			checkWhole(write.max.bytes, "the most bytes of a space");
			return checkMemory(write.entry);
		case "memory.drop":
			checkId(write.space, "a space");
			return write.name === undefined ? undefined : checkId(write.name, "a name");
		case "memory.forget":
			return checkId(write.owner, "an owner");
		default:
			throw misuse(`This store does not know the write "${String((write as { kind?: unknown }).kind).slice(0, 50)}"`);
	}
}

function checkMemory(entry: StoredMemory): void {
	checkId(entry.space, "a space");
	checkId(entry.owner, "an owner");
	checkId(entry.name, "a name");
	checkWhole(entry.at, "at");
	checkText(entry.text, "an entry's text", bodyCharsMax);
	checkText(entry.facts, "an entry's facts", bodyCharsMax);
	checkText(entry.mac, "an entry's code", idCharsMax);
}

function checkHold({ account, holder, amount }: Extract<Write, { readonly holder: string }>): void {
	checkText(account, "an account", accountCharsMax);
	if (account === "" || account.includes("\0")) throw misuse("an account's name is empty or has a NUL in it");
	checkId(holder, "a holder");
	checkWhole(amount, "an amount");
}

function checkHead(head: RunHead): void {
	checkWhole(head.seq, "a head's seq");
	checkStatus(head.status);
	checkId(head.agent, "an agent's name");
	if (head.session !== undefined) checkId(head.session, "a session id");
	if (head.dueAt !== undefined) checkWhole(head.dueAt, "dueAt");
	checkWhole(head.updatedAt, "updatedAt");
	checkText(head.mac, "a head's code", idCharsMax);
}

function checkBlob(body: Uint8Array): void {
	if (!(body instanceof Uint8Array)) throw misuse("A blob's body is not bytes");
	if (body.byteLength > blobBytesMax) {
		throw misuse(`A blob of ${body.byteLength} bytes is over the limit of ${blobBytesMax}`);
	}
}

function checkStatus(status: RunStatus): void {
	if (!runStatuses.includes(status)) throw misuse(`"${String(status).slice(0, 50)}" is not the status of a run`);
}

function checkLimit(limit = 100): number {
	if (Number.isInteger(limit) && limit >= 1 && limit <= queryLimitMax) return limit;
	throw misuse(`A limit of ${limit} is not between 1 and ${queryLimitMax}`);
}

/** An id is looked up and compared; a NUL would end it early in some databases. */
function checkId(value: string, what: string): void {
	checkText(value, what, idCharsMax);
	if (value === "" || value.includes("\0")) throw misuse(`${what} is empty or has a NUL in it`);
}

/** Half a surrogate pair cannot be written as UTF-8: it would come back as something else. */
function checkText(value: string, what: string, charsMax: number): void {
	if (typeof value !== "string") throw misuse(`${what} is not a text`);
	if (value.length > charsMax) throw misuse(`${what} has ${value.length} characters; ${charsMax} is the limit`);
	if (!value.isWellFormed()) throw misuse(`${what} is not well-formed Unicode`);
}

function checkWhole(value: number, what: string): void {
	if (!Number.isSafeInteger(value) || value < 0)
		throw misuse(`${what} is ${value}, which is not a whole number from 0 on`);
}

function misuse(message: string): HoldpointError {
	return new HoldpointError("store.failed", message, {
		hint: "Nothing was written. The caller broke the store's contract; mend the call.",
	});
}
