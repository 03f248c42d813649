/**
 * The live end of the audit log: signs checkpoints of it, hands it out, and proves single leaves.
 *
 * 1. It signs a tree only when the one that it signed before is its beginning: the tree grows from the frontier that was
 *    kept with the last checkpoint, and only where that has the root that was signed.
 * 2. A checkpoint that cannot be made fails nobody's run: it is made with the next leaves, or by whoever asks for one.
 */
import { inTime } from "../kit/in-time.ts";
import { reasonOf } from "../kit/reason-of.ts";
import type { AuditLog, KeptCheckpoint, StoredLeaf } from "../spec/audit.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { RunEvent } from "../spec/events.ts";
import type { StandingEvent } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import {
	type AuditWrite,
	type BoundTo,
	erasedLeaf,
	forgottenLeaf,
	type RunLeaves,
	runLeaves,
	splitEvent,
	standingLeaf,
} from "./leaf.ts";
import {
	exportFormat,
	exportVersion,
	type HeadLine,
	isLeaf,
	type Leaf,
	type LeafLine,
	lineCharsMax,
} from "./verifier/export-lines.ts";
import { inclusionRanges, leafHash, MerkleTree, rangeHashes } from "./verifier/merkle.ts";
import { openCheckpoint, type SignerKey, signCheckpoint } from "./verifier/note.ts";
import { type AuditProof, proofFormat } from "./verifier/verify-proof.ts";

export interface AuditorParts {
	readonly log: AuditLog;
	readonly signer: () => SignerKey;
	/** A checkpoint is made after so many leaves. */
	readonly everyLeaves: number;
	/** A checkpoint is made so long after a leaf at the latest, while the process lives. Milliseconds. */
	readonly everyMs: number;
	/** Told of each: to keep it where nobody who can write to the store can write. */
	readonly onCheckpoint: ((note: string) => void | Promise<void>) | undefined;
}

/** By its place in its run, from 1; undefined: it is gone. */
export type EventOf = (run: string, event: number) => Promise<ShownEvent | undefined>;

export interface ShownEvent {
	readonly event: RunEvent;
	/** Without what a tool marks as sensitive; the same event where it has nothing of the kind. */
	readonly shown: RunEvent;
}

const pageRows = 1_000;

interface Signed {
	readonly note: string;
	readonly tree: MerkleTree;
}

export class Auditor {
	private readonly parts: AuditorParts;
	private loaded: SignerKey | undefined;
	private last: Signed | undefined;
	private making: Promise<Signed> | undefined;
	/** Leaves since the last checkpoint, as far as this process knows. */
	private pending = 0;
	private isWarned = false;
	private timer: NodeJS.Timeout | undefined;

	constructor(parts: AuditorParts) {
		this.parts = parts;
	}

	/** The public key, for whoever verifies. Errors: `key.invalid`. */
	get key(): string {
		return this.signer.text;
	}

	/** Loaded when it is first needed: whoever writes leaves needs no key. */
	private get signer(): SignerKey {
		this.loaded ??= this.parts.signer();
		return this.loaded;
	}

	/** For the leaves of one run, from its first event on. */
	leavesOf(run: string, boundTo: BoundTo): RunLeaves {
		return runLeaves(run, boundTo);
	}

	/** What was laid down for every run. */
	standingLeaf(event: StandingEvent): AuditWrite {
		return standingLeaf(event);
	}

	/** That a run was erased. */
	erasedLeaf(erased: { readonly run: string; readonly at: number; readonly by: string }): AuditWrite {
		return erasedLeaf(erased);
	}

	forgottenLeaf(forgotten: { readonly entries: number; readonly at: number; readonly by: string }): AuditWrite {
		return forgottenLeaf(forgotten);
	}

	/** So many leaves are durable. */
	wrote(leaves: number): void {
		this.pending += leaves;
		if (this.pending === 0) return;
		if (this.pending >= this.parts.everyLeaves) void this.checkpointQuietly();
		else this.startTimer();
	}

	private startTimer(): void {
		this.timer ??= setTimeout(() => void this.checkpointQuietly(), this.parts.everyMs).unref();
	}

	/** Invariant 2. */
	private async checkpointQuietly(): Promise<void> {
		try {
			await this.sign();
			this.isWarned = false;
		} catch (error) {
			// Said once, until it has worked again: it is tried with every so many leaves.
			if (this.isWarned) return;
			this.isWarned = true;
			process.emitWarning(`No checkpoint of the audit log could be made: ${reasonOf(error)}`);
		}
	}

	/** Signs what the log has now. Errors: `audit.rolled_back`, `store.*`. */
	async checkpoint(): Promise<string> {
		return (await this.sign()).note;
	}

	private async sign(): Promise<Signed> {
		// Whoever asks while one is made wants what was written since.
		while (this.making) await this.making.catch(() => undefined);
		clearTimeout(this.timer);
		this.timer = undefined;
		this.pending = 0;
		this.making = this.signNow();
		try {
			return await this.making;
		} finally {
			this.making = undefined;
		}
	}

	private async signNow(): Promise<Signed> {
		const { log, onCheckpoint } = this.parts;
		const { signer } = this;
		const { size, checkpoint } = await log.head();
		const before = this.last ?? this.fromKept(checkpoint);
		if (before && before.tree.size > size) throw rolledBack(before.tree.size, size);
		if (before && before.tree.size === size) {
			this.last = before;
			return before;
		}
		const tree = before?.tree.copy() ?? new MerkleTree();
		for await (const { body } of this.leaves(tree.size, size)) tree.add(leafHash(body));
		if (tree.size !== size) throw rolledBack(size, tree.size);
		const note = signCheckpoint({ origin: signer.name, size, root: tree.root() }, signer);
		await log.keep({ size, note, frontier: JSON.stringify(frontierOf(tree)) });
		this.last = { note, tree };
		await tell(onCheckpoint, note);
		return this.last;
	}

	/** Invariant 1. What another key signed is no beginning of ours: this key signs the whole log itself. */
	private fromKept(kept: KeptCheckpoint | undefined): Signed | undefined {
		if (!kept) return undefined;
		const opened = openCheckpoint(kept.note, this.signer);
		if (opened.kind !== "signed") return undefined;
		const { size, root } = opened.checkpoint;
		const tree = MerkleTree.from(size, frontierFrom(kept.frontier));
		return tree && Buffer.compare(tree.root(), root) === 0 ? { note: kept.note, tree } : undefined;
	}

	private async *leaves(from: number, size: number): AsyncGenerator<StoredLeaf> {
		for (let next = from; next < size; ) {
			const page = await this.parts.log.leaves({ from: next, limit: Math.min(pageRows, size - next) });
			for (const leaf of page) {
				// A row that somebody took away: those after it must not take its place.
				if (leaf.index !== next) return;
				next++;
				yield leaf;
			}
			if (page.length === 0) return;
		}
	}

	/**
	 * The whole log as lines, for `verifyExport`; with a checkpoint of its end. With `eventOf` the payloads are shown.
	 * Errors: `audit.rolled_back`, `store.*`.
	 */
	async *exportLines(eventOf?: EventOf): AsyncGenerator<string> {
		let signed = await this.sign();
		const { size } = signed.tree;
		const origin = this.signer.name;
		const payloads = eventOf ? ({ payloads: true } as const) : {};
		const head: HeadLine = { type: "head", format: exportFormat, v: exportVersion, origin, size, ...payloads };
		yield JSON.stringify(head);
		for (let from = 0; ; ) {
			const gone = new Set<string>();
			yield* this.stretch(from, signed, { eventOf, gone });
			from = signed.tree.size;
			// What was erased while it was read is said to be so by a leaf behind that: the export goes on as far.
			if (gone.size > 0) signed = await this.sign();
			if (signed.tree.size === from) break;
		}
		yield JSON.stringify({ type: "end", size: signed.tree.size });
	}

	/** The leaves from one on, and the checkpoint at their end. `gone`: runs whose payloads are not there, and that nothing erased. */
	private async *stretch(from: number, { note, tree }: Signed, { eventOf, gone }: Showing): AsyncGenerator<string> {
		const marks = this.keptBetween(from + 1, tree.size);
		let mark = await marks.next();
		for await (const leaf of this.leaves(from, tree.size)) {
			yield eventOf ? await wholeLine(leaf, { eventOf, gone }) : `${bareLine(leaf)}}`;
			if (mark.done || mark.value.size !== leaf.index + 1) continue;
			yield checkpointLine(mark.value.note, frontierFrom(mark.value.frontier));
			mark = await marks.next();
		}
		yield checkpointLine(note, tree.frontier);
	}

	/** Checkpoints of this key from one size on, up to before another. */
	private async *keptBetween(first: number, size: number): AsyncGenerator<KeptCheckpoint> {
		for (let from = first; from < size; ) {
			const page = await this.parts.log.checkpoints({ from, limit: pageRows });
			for (const kept of page) {
				if (kept.size >= size) return;
				from = kept.size + 1;
				if (this.fromKept(kept)) yield kept;
			}
			if (page.length === 0) return;
		}
	}

	/** What proves one leaf. Errors: `audit.unknown`, `audit.rolled_back`, `store.*`. */
	async prove(index: number, eventOf?: EventOf): Promise<AuditProof> {
		const { note, tree } = await this.sign();
		if (!Number.isSafeInteger(index) || index < 0 || index >= tree.size) {
			throw new HoldpointError("audit.unknown", `The audit log has no leaf ${index}; it has ${tree.size}`);
		}
		const hashing = rangeHashes(inclusionRanges(index, tree.size));
		let shown: Pick<LeafLine, "leaf" | "salt" | "payload" | "shown"> | undefined;
		for await (const leaf of this.leaves(0, tree.size)) {
			hashing.add(leafHash(leaf.body));
			if (leaf.index !== index) continue;
			const line = eventOf ? await wholeLine(leaf, { eventOf, gone: new Set() }) : `${bareLine(leaf)}}`;
			shown = JSON.parse(line);
		}
		if (!shown) throw rolledBack(tree.size, index);
		const { leaf, salt, payload, shown: redacted } = shown;
		const proof = hashing.hashes().map((one) => one.toString("base64"));
		const opened = salt === undefined ? (redacted === undefined ? {} : { shown: redacted }) : { salt, payload };
		return { format: proofFormat, v: 1, index, leaf, ...opened, proof, checkpoint: note };
	}

	/** Where an event of a run is. Errors: `audit.unknown`. */
	async indexOf(run: string, event: number): Promise<number> {
		for (let from = 0; ; ) {
			const page = await this.parts.log.leaves({ run, from, limit: pageRows });
			const found = page.find(({ body }) => (JSON.parse(body) as Leaf).n === event);
			if (found) return found.index;
			const last = page.at(-1);
			if (!last) throw new HoldpointError("audit.unknown", `The audit log has no event ${event} of run ${run}`);
			from = last.index + 1;
		}
	}

	/** How many of a run's events have a leaf: these are its first ones. */
	async eventsOf(run: string): Promise<number> {
		let events = 0;
		for (let from = 0; ; ) {
			const page = await this.parts.log.leaves({ run, from, limit: pageRows });
			events = page.reduce((most, leaf) => Math.max(most, leafOf(leaf)?.n ?? 0), events);
			const last = page.at(-1);
			if (!last || page.length < pageRows) return events;
			from = last.index + 1;
		}
	}

	/** Signs what is not signed yet. */
	async close(): Promise<void> {
		if (this.pending > 0 || this.making) await this.checkpointQuietly();
		clearTimeout(this.timer);
	}
}

async function tell(onCheckpoint: AuditorParts["onCheckpoint"], note: string): Promise<void> {
	try {
		// One that never ends keeps nothing else from being signed, and nobody from closing.
		await inTime(Promise.resolve(onCheckpoint?.(note)), "it", { timeoutMs: fixedLimits.onCheckpointMs });
	} catch (error) {
		process.emitWarning(`A checkpoint of the audit log was made, and onCheckpoint failed: ${reasonOf(error)}`);
	}
}

function frontierOf({ frontier }: MerkleTree): readonly string[] {
	return frontier.map((one) => Buffer.from(one).toString("base64"));
}

/** Kept text; whether it is right is seen by the root that it makes. */
function frontierFrom(text: string): readonly Buffer[] {
	try {
		const value: unknown = JSON.parse(text);
		return Array.isArray(value) ? value.map((one) => Buffer.from(String(one), "base64")) : [];
	} catch {
		return [];
	}
}

interface Showing {
	readonly eventOf: EventOf | undefined;
	/** Runs of which a payload is not there, without a leaf that says that they were erased. */
	readonly gone: Set<string>;
}

/** Put together from texts that are already in the form of the line; its last bracket is missing. */
function bareLine({ index, body }: StoredLeaf): string {
	return `{"type":"leaf","i":${index},"hash":"${leafHash(body).toString("base64url")}","leaf":${body}`;
}

/** With its payload, where it has one and that is there. */
async function wholeLine(stored: StoredLeaf, { eventOf, gone }: Showing): Promise<string> {
	const bare = bareLine(stored);
	const leaf = leafOf(stored);
	// The store was changed: whoever verifies sees that, and where.
	if (!leaf) return `${bare}}`;
	const { run, n, payload: digest, event } = leaf;
	if (n === undefined && event.type === "run.erased") gone.delete(run);
	if (digest === undefined) return `${bare}}`;
	const { salt } = stored;
	const found = n === undefined || salt === undefined ? undefined : await eventOf?.(run, n);
	const payload = found && splitEvent(found.shown).payload;
	if (payload === undefined || salt === undefined) {
		gone.add(run);
		return `${bare}}`;
	}
	if (bare.length + payload.length + salt.length + 32 > lineCharsMax) return `${bare},"shown":${tooLong}}`;
	// With the salt, somebody who sees the rest could try out what is hidden.
	if (found?.event !== found?.shown) return `${bare},"shown":${payload}}`;
	return `${bare},"salt":${JSON.stringify(salt)},"payload":${payload}}`;
}

function leafOf({ body }: StoredLeaf): Leaf | undefined {
	try {
		const value: unknown = JSON.parse(body);
		return isLeaf(value) ? value : undefined;
	} catch {
		return undefined;
	}
}

const tooLong = JSON.stringify("[longer than a line of an export]");

function checkpointLine(note: string, frontier: readonly Uint8Array[]): string {
	const texts = frontier.map((one) => Buffer.from(one).toString("base64"));
	return JSON.stringify({ type: "checkpoint", note, frontier: texts });
}

function rolledBack(signed: number, found: number): HoldpointError {
	return new HoldpointError(
		"audit.rolled_back",
		`The audit log had ${signed} leaves when it was signed, and has ${found} now`,
		{ details: { signed, found } },
	);
}
