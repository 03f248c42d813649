/**
 * The verifier of an export: it needs the export, the log's public key and, where there is one, the checkpoint that was
 * trusted last. It reads the export once, from its beginning to its end, and holds what is open: a few hashes, and the
 * calls of runs that did not finish.
 *
 * 1. A signed checkpoint is the only thing that is believed. Leaves are right when the tree over them has its root; what
 *    the lines say besides (index, hash) helps to tell what is wrong, and is never a reason to find something right.
 * 2. Between two checkpoints that hold, everything is found where it is. After one that does not, the tree goes on from
 *    the frontier beside it, which has the signed root: a fault does not hide the next one.
 * 3. Whether calls were permitted is judged only on leaves that are right.
 */
import { OrderChecks } from "./check-order.ts";
import { PayloadChecks } from "./check-payloads.ts";
import { RunChecks } from "./check-runs.ts";
import {
	type CheckpointLine,
	type HeadLine,
	type LeafLine,
	leafText,
	lineCharsMax,
	parseLine,
} from "./export-lines.ts";
import { type AuditReport, type Finding, type FindingKind, Findings } from "./findings.ts";
import { leafHash, MerkleTree } from "./merkle.ts";
import { type Checkpoint, openCheckpoint, type VerifierKey, verifierKey } from "./note.ts";
import { type ByteSource, readLines } from "./read-lines.ts";

export interface VerifyOptions {
	/** The log's public key: `<name>+<id>+<base64>`. */
	readonly key: string;
	/** A checkpoint that was trusted before, as its note. */
	readonly since?: string | undefined;
}

/**
 * Verifies an export. What is wrong with it is in the report; only a stream that breaks is an error, and it is the
 * stream's own.
 *
 * @example
 * const report = await verifyExport(createReadStream("audit.jsonl"), { key, since });
 * if (!report.ok) for (const { kind, message } of report.findings) console.error(kind, message);
 */
export async function verifyExport(source: ByteSource, { key, since }: VerifyOptions): Promise<AuditReport> {
	const verifier = verifierKey(key);
	if ("problem" in verifier) return unreadable(`The public key cannot be read: ${verifier.problem}`);
	const checking = new ExportCheck(verifier, since);
	const isRead = await readLines(source, lineCharsMax, {
		line: (text) => checking.line(text),
		rest: (text) => checking.rest(text),
	});
	return checking.report(isRead);
}

function unreadable(message: string): AuditReport {
	return {
		ok: false,
		origin: "",
		leaves: 0,
		checkpoints: 0,
		executions: 0,
		openRuns: 0,
		payloads: { checked: 0, shown: 0, absent: 0 },
		checkpoint: undefined,
		findings: [{ kind: "malformed", message }],
		more: 0,
	};
}

const unreadableLinesMax = 20;

class ExportCheck {
	private readonly findings = new Findings();
	private readonly order = new OrderChecks();
	private readonly runs = new RunChecks();
	private readonly payloads = new PayloadChecks();
	private readonly trusted: Checkpoint | undefined;
	/** What the tree has where the trusted checkpoint was, and how many leaves followed from the one before. */
	private trustedIs: "unseen" | "same" | "other" = "unseen";
	/** Over the leaves as they are. */
	private tree = new MerkleTree();
	/** Over the hashes that the lines state; undefined while these are the same. */
	private stated: MerkleTree | undefined;
	/** Since the last checkpoint. */
	private unreadHere = 0;
	private alteredHere: Finding[] = [];
	private unapprovedHere: Finding[] = [];
	private head: HeadLine | undefined;
	private isEnded = false;
	private endSize = 0;
	/** Leaves that a checkpoint covers. */
	private covered = 0;
	private lines = 0;
	private unreadableLines = 0;
	private leaves = 0;
	private checkpoints = 0;
	private checkpoint: string | undefined;

	private readonly key: VerifierKey;

	constructor(key: VerifierKey, since: string | undefined) {
		this.key = key;
		this.trusted = since === undefined ? undefined : this.open(since, "The trusted checkpoint");
		this.lookBack();
	}

	line(text: string): void {
		this.lines++;
		if (this.isEnded) return this.malformed("something follows the end");
		const line = parseLine(text);
		if (typeof line === "string") {
			// It stands where a leaf stood, as a rule.
			this.order.skip();
			this.unreadHere++;
			return this.malformed(line);
		}
		if (this.lines === 1 && line.type !== "head")
			this.find("malformed", { line: 1, message: "The export has no head" });
		switch (line.type) {
			case "head":
				return this.takeHead(line);
			case "leaf":
				return this.takeLeaf(line, leafText(line, text));
			case "checkpoint":
				return this.takeCheckpoint(line);
			case "end":
				this.isEnded = true;
				this.endSize = line.size;
		}
	}

	/** What stands after the last end of line. */
	rest(text: string): void {
		if (text !== "" && this.isEnded) this.malformed("something follows the end");
	}

	report(isRead: boolean): AuditReport {
		if (!isRead)
			this.find("malformed", {
				line: this.lines + 1,
				message: `Line ${this.lines + 1} is longer than ${lineCharsMax} characters: nothing after it was read`,
			});
		else this.finish();
		const { list, more } = this.findings;
		const { payloads } = this;
		return {
			ok: list.length === 0,
			origin: this.key.name,
			leaves: this.leaves,
			checkpoints: this.checkpoints,
			executions: this.runs.executions,
			openRuns: this.runs.open,
			payloads: { checked: payloads.checked, shown: payloads.shown, absent: payloads.absent },
			checkpoint: this.checkpoint,
			findings: list,
			more,
		};
	}

	private takeHead(head: HeadLine): void {
		if (this.head || this.leaves > 0) return this.malformed("a second head");
		this.head = head;
		this.payloads.begin(head.payloads === true);
		if (head.origin !== this.key.name) {
			this.find("wrong_key", {
				line: this.lines,
				message: `The export is of the log ${shown(head.origin)}, the key of ${this.key.name}`,
			});
		}
	}

	private takeLeaf(line: LeafLine, text: string): void {
		const hashed = leafHash(text);
		if (hashed.toString("base64url") !== line.hash) {
			this.stated ??= this.tree.copy();
			this.alteredLeaf(line);
		}
		this.stated?.add(Buffer.from(line.hash, "base64url"));
		this.order.take(line, this.lines);
		const payload = this.payloads.take(line);
		if (payload) this.findings.add({ ...payload, line: this.lines });
		const unapproved = this.runs.take(line.leaf, line.i);
		if (unapproved && this.unapprovedHere.length < heldMax)
			this.unapprovedHere.push({ ...unapproved, line: this.lines });
		this.tree.add(hashed);
		this.leaves++;
		this.lookBack();
	}

	private alteredLeaf(line: LeafLine): void {
		const { i: index, leaf } = line;
		const message = `Leaf ${index} is not what it was`;
		if (this.alteredHere.length >= heldMax) return;
		this.alteredHere.push({ kind: "altered", index, line: this.lines, run: leaf.run, ...eventOf(line), message });
	}

	/** Is the trusted checkpoint's tree the beginning of this one? */
	private lookBack(): void {
		const { trusted, tree } = this;
		if (!trusted || trusted.size !== tree.size) return;
		this.trustedIs = Buffer.compare(tree.root(), trusted.root) === 0 ? "same" : "other";
	}

	private takeCheckpoint({ note, frontier }: CheckpointLine): void {
		const checkpoint = this.open(note, `The checkpoint of line ${this.lines}`);
		if (!checkpoint) return;
		const { size, root } = checkpoint;
		if (size < this.covered) return this.malformed(`a checkpoint of ${size} leaves after one of ${this.covered}`);
		const holds = size === this.tree.size && Buffer.compare(this.tree.root(), root) === 0;
		if (holds) this.hold(note, size);
		else this.tell(size, root);
		this.unreadHere = 0;
		this.alteredHere = [];
		this.unapprovedHere = [];
		this.stated = undefined;
		this.covered = size;
		if (holds) return;
		this.order.forget();
		this.runs.forget();
		const next = MerkleTree.from(
			size,
			frontier.map((one) => Buffer.from(one, "base64")),
		);
		if (next && Buffer.compare(next.root(), root) === 0) this.tree = next;
		else
			this.find("altered", {
				line: this.lines,
				message: `What stands beside the checkpoint of ${size} leaves is not of its tree`,
			});
	}

	/** The leaves are right. A number beside one may still be wrong. */
	private hold(note: string, size: number): void {
		this.checkpoints++;
		this.checkpoint = note;
		for (const finding of [...this.alteredHere, ...this.order.settle(size), ...this.unapprovedHere])
			this.findings.add(finding);
		if (this.trustedIs === "other" && this.trusted && this.trusted.size <= size) {
			const message = `The first ${this.trusted.size} leaves are not those of the trusted checkpoint: the log was rolled back, and went on in another way`;
			this.find("rolled_back", { index: 0, until: this.trusted.size, message });
			this.trustedIs = "same";
		}
	}

	/** The leaves since the last checkpoint are not right: what is it? */
	private tell(size: number, root: Uint8Array): void {
		const { covered } = this;
		const seen = this.tree.size + this.unreadHere;
		const moved = this.order.settle(size);
		const isStated = this.stated?.size === size && Buffer.compare(this.stated.root(), root) === 0;
		const told = isStated || moved.length > 0 ? [...this.alteredHere, ...moved] : this.alteredHere;
		for (const finding of told) this.findings.add(finding);
		// The hashes beside the leaves have the signed root: exactly those leaves were altered.
		if (isStated || moved.length > 0 || (this.unreadHere > 0 && seen === size)) return;
		const place = { index: covered, until: size };
		const where = `among leaves ${covered} to ${size - 1}`;
		if (seen > size) this.find("inserted", { ...place, message: `${seen - size} too many ${where}` });
		else if (seen < size) this.find("dropped", { ...place, message: `${size - seen} missing ${where}` });
		else this.find("altered", { ...place, message: `Something was altered ${where}, and the hashes beside them too` });
	}

	private open(note: string, what: string): Checkpoint | undefined {
		const opened = openCheckpoint(note, this.key);
		const line = this.lines > 0 ? { line: this.lines } : {};
		switch (opened.kind) {
			case "signed":
				return opened.checkpoint;
			case "wrong_key":
				this.find("wrong_key", {
					...line,
					message: `${what} is not signed by ${this.key.name}+${this.key.id}, but by ${opened.signers.slice(0, 3).map(shown).join(", ")}`,
				});
				return undefined;
			case "altered":
				this.find("altered", { ...line, message: `${what} is not what was signed` });
				return undefined;
			case "malformed":
				this.find("malformed", { ...line, message: `${what} cannot be read: ${opened.problem}` });
				return undefined;
		}
	}

	private finish(): void {
		const { head, tree, covered, trusted } = this;
		const isCut = !this.isEnded;
		const line = this.lines;
		// Of an export that is cut off the erasure may be in what is gone.
		if (!isCut) for (const missing of this.payloads.unaccounted()) this.findings.add(missing);
		for (const doubt of this.runs.doubts()) if ((doubt.index ?? 0) < covered) this.findings.add({ ...doubt, line });
		if (isCut)
			this.find("truncated", {
				line,
				index: tree.size,
				message: `The export ends after line ${line} and ${tree.size} leaves, without its end`,
			});
		else if (tree.size > covered || (head && head.size > covered) || this.checkpoints === 0) {
			const message = `No checkpoint that holds covers the end of the export: ${Math.max(tree.size, head?.size ?? 0)} leaves, ${covered} of them covered`;
			if (this.findings.list.length === 0) this.find("truncated", { line, index: covered, message });
		} else if (this.endSize !== tree.size && this.findings.list.length === 0)
			this.find("malformed", {
				line,
				message: `The export ends with ${tree.size} leaves, and its end speaks of ${this.endSize}`,
			});
		if (!trusted || this.trustedIs !== "unseen") return;
		if (head && head.size >= trusted.size) return;
		this.find("rolled_back", {
			index: tree.size,
			message: `The export has ${tree.size} leaves, and the trusted checkpoint knows ${trusted.size}`,
		});
	}

	private malformed(what: string): void {
		if (++this.unreadableLines > unreadableLinesMax) {
			this.findings.more++;
			return;
		}
		this.find("malformed", { line: this.lines, message: `Line ${this.lines} is no line of an export: ${what}` });
	}

	private find(kind: FindingKind, finding: Omit<Finding, "kind">): void {
		this.findings.add({ kind, ...finding });
	}
}

/** Between two checkpoints: what is more is not held until the second one comes. */
const heldMax = 1_000;

function eventOf({ leaf }: LeafLine): Pick<Finding, "event"> {
	return leaf.n === undefined ? {} : { event: leaf.n };
}

function shown(text: string): string {
	return JSON.stringify(text.slice(0, 120));
}
