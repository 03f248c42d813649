/**
 * The Merkle tree of RFC 6962, section 2.1, over SHA-256: what a log commits to with one hash.
 *
 * Owns: hashes of leaves and nodes, the growing tree, which ranges a proof is made of, and checking proofs. Does not own:
 * what a leaf says. Pure: it imports nothing but Node's SHA-256, because the verifier is made of it.
 *
 * A proof is a list of hashes of ranges of leaves; whoever reads the leaves once, in order, can make any proof
 * (`rangeHashes`) and holds no more than a few hashes for it.
 */
import { hash } from "node:crypto";

const pair = Buffer.alloc(65);
pair[0] = 1;

/** SHA-256(0x00 ‖ leaf). A text is taken as UTF-8. */
export function leafHash(leaf: string | Uint8Array): Buffer {
	return hash("sha256", typeof leaf === "string" ? `\0${leaf}` : Buffer.concat([Buffer.alloc(1), leaf]), "buffer");
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
	pair.set(left, 1);
	pair.set(right, 33);
	return hash("sha256", pair, "buffer");
}

const emptyRoot = hash("sha256", "", "buffer");

/** A tree that grows: it keeps the roots of its complete subtrees (its frontier), at most one for each bit of its size. */
export class MerkleTree {
	private count: number;
	/** The largest subtree first. */
	private readonly peaks: Uint8Array[];

	constructor(size = 0, frontier: readonly Uint8Array[] = []) {
		this.count = size;
		this.peaks = [...frontier];
	}

	/** Undefined where no tree of this size has such a frontier. */
	static from(size: number, frontier: readonly Uint8Array[]): MerkleTree | undefined {
		const isSize = Number.isSafeInteger(size) && size >= 0;
		const fits = isSize && frontier.length === peaksOf(size) && frontier.every(({ length }) => length === 32);
		return fits ? new MerkleTree(size, frontier) : undefined;
	}

	get size(): number {
		return this.count;
	}

	get frontier(): readonly Uint8Array[] {
		return [...this.peaks];
	}

	copy(): MerkleTree {
		return new MerkleTree(this.count, this.peaks);
	}

	/** Appends one leaf by its hash. */
	add(leaf: Uint8Array): void {
		let top = leaf;
		for (let rest = this.count; rest % 2 === 1; rest = (rest - 1) / 2) {
			top = nodeHash(this.peaks.pop() as Uint8Array, top);
		}
		this.peaks.push(top);
		this.count++;
	}

	root(): Buffer {
		let root = this.peaks.at(-1);
		if (!root) return Buffer.from(emptyRoot);
		for (let at = this.peaks.length - 2; at >= 0; at--) root = nodeHash(this.peaks[at] as Uint8Array, root);
		return Buffer.from(root);
	}
}

function peaksOf(size: number): number {
	let peaks = 0;
	for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) peaks += rest % 2;
	return peaks;
}

/** Leaves from `start` to before `end`. */
export interface Range {
	readonly start: number;
	readonly end: number;
}

/** The largest power of two below `size`, which is at least 2. */
function splitOf(size: number): number {
	let split = 1;
	while (split * 2 < size) split *= 2;
	return split;
}

/** Whose hashes prove that leaf `index` is in the tree of this size; in the order of RFC 6962, section 2.1.1. */
export function inclusionRanges(index: number, size: number): readonly Range[] {
	const ranges: Range[] = [];
	for (let start = 0, end = size; end - start > 1; ) {
		const middle = start + splitOf(end - start);
		if (index < middle) {
			ranges.push({ start: middle, end });
			end = middle;
		} else {
			ranges.push({ start, end: middle });
			start = middle;
		}
	}
	return ranges.reverse();
}

/** Whose hashes prove that the tree of size `old` is the beginning of that of `size`; in the order of section 2.1.2. */
export function consistencyRanges(old: number, size: number): readonly Range[] {
	if (old <= 0 || old >= size) return [];
	const ranges: Range[] = [];
	let [start, end, isWhole] = [0, size, true];
	while (old < end) {
		const middle = start + splitOf(end - start);
		if (old <= middle) {
			ranges.push({ start: middle, end });
			end = middle;
		} else {
			ranges.push({ start, end: middle });
			start = middle;
			isWhole = false;
		}
	}
	if (!isWhole) ranges.push({ start, end });
	return ranges.reverse();
}

export interface RangeHashes {
	/** The hash of the next leaf. */
	add(leaf: Uint8Array): void;
	/** The hash of each range, in the order in which they were asked for. */
	hashes(): readonly Buffer[];
}

/** Hashes ranges that do not overlap while the leaves go by once. */
export function rangeHashes(ranges: readonly Range[]): RangeHashes {
	const trees = new Map(ranges.map((range) => [range, new MerkleTree()]));
	const inOrder = [...ranges].sort((a, b) => a.start - b.start);
	let index = 0;
	return {
		add(leaf) {
			while (inOrder[0] && index >= inOrder[0].end) inOrder.shift();
			const [now] = inOrder;
			if (now && index >= now.start) trees.get(now)?.add(leaf);
			index++;
		},
		hashes: () => [...trees.values()].map((tree) => tree.root()),
	};
}

export interface Inclusion {
	readonly index: number;
	readonly size: number;
	readonly leaf: Uint8Array;
	readonly proof: readonly Uint8Array[];
	readonly root: Uint8Array;
}

/** Is the leaf at this place of the tree? RFC 9162, section 2.1.3.2. */
export function isIncluded({ index, size, leaf, proof, root }: Inclusion): boolean {
	if (!isCount(index) || !isCount(size) || index >= size) return false;
	if (![leaf, root, ...proof].every(({ length }) => length === 32)) return false;
	let [at, last, hashed] = [index, size - 1, leaf];
	for (const sibling of proof) {
		if (last === 0) return false;
		if (at % 2 === 1 || at === last) {
			hashed = nodeHash(sibling, hashed);
			while (at % 2 === 0 && at > 0) [at, last] = [at / 2, Math.floor(last / 2)];
		} else hashed = nodeHash(hashed, sibling);
		[at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
	}
	return last === 0 && Buffer.compare(hashed, root) === 0;
}

export interface Consistency {
	readonly old: number;
	readonly size: number;
	readonly oldRoot: Uint8Array;
	readonly root: Uint8Array;
	readonly proof: readonly Uint8Array[];
}

/** Is the old tree the beginning of the new one? RFC 9162, section 2.1.4.2. */
export function isConsistent({ old, size, oldRoot, root, proof }: Consistency): boolean {
	if (!isCount(old) || !isCount(size) || old > size) return false;
	if (old === size) return proof.length === 0 && Buffer.compare(oldRoot, root) === 0;
	if (old === 0) return proof.length === 0;
	if (![oldRoot, root, ...proof].every(({ length }) => length === 32)) return false;
	const isWhole = Number.isInteger(Math.log2(old));
	const [first, ...path] = isWhole ? [oldRoot, ...proof] : proof;
	if (!first || proof.length === 0) return false;
	let [at, last] = [old - 1, size - 1];
	while (at % 2 === 1) [at, last] = [(at - 1) / 2, Math.floor(last / 2)];
	let [before, after] = [first, first];
	for (const sibling of path) {
		if (last === 0) return false;
		if (at % 2 === 1 || at === last) {
			[before, after] = [nodeHash(sibling, before), nodeHash(sibling, after)];
			while (at % 2 === 0 && at > 0) [at, last] = [at / 2, Math.floor(last / 2)];
		} else after = nodeHash(after, sibling);
		[at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
	}
	return last === 0 && Buffer.compare(before, oldRoot) === 0 && Buffer.compare(after, root) === 0;
}

function isCount(value: number): boolean {
	return Number.isSafeInteger(value) && value >= 0;
}
