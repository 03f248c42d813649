import { hash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	consistencyRanges,
	inclusionRanges,
	isConsistent,
	isIncluded,
	leafHash,
	MerkleTree,
	type Range,
	rangeHashes,
} from "./merkle.ts";

/**
 * The reference tree of Certificate Transparency, as published in github.com/transparency-dev/merkle
 * (testonly/constants.go and proof/verify_test.go), which every implementation of RFC 6962 checks itself with.
 */
const inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const roots = [
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const h = {
	leaf0: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	leaf1: "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
	leaf4: "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
	leaf6: "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
	pair0: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	pair2: "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	pair4: "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
	pair6: "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	four0: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	four4: "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
};
/** Leaf (from 1), size, proof. */
const inclusions: [number, number, string[]][] = [
	[1, 1, []],
	[1, 8, [h.leaf1, h.pair2, h.four4]],
	[6, 8, [h.leaf4, h.pair6, h.four0]],
	[3, 3, [h.pair0]],
	[2, 5, [h.leaf0, h.pair2, h.leaf4]],
];
const consistencies: [number, number, string[]][] = [
	[1, 1, []],
	[1, 8, [h.leaf1, h.pair2, h.four4]],
	[6, 8, [h.pair4, h.pair6, h.four0]],
	[2, 5, [h.pair2, h.leaf4]],
	[6, 7, [h.pair4, h.leaf6, h.four0]],
];

const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");
const leaves = inputs.map((input) => leafHash(bytes(input)));

function treeOf(hashes: readonly Uint8Array[]): MerkleTree {
	const tree = new MerkleTree();
	for (const one of hashes) tree.add(one);
	return tree;
}

function proofOf(ranges: readonly Range[], hashes: readonly Uint8Array[]): readonly Buffer[] {
	const hashing = rangeHashes(ranges);
	for (const one of hashes) hashing.add(one);
	return hashing.hashes();
}

describe("the reference tree of RFC 6962", () => {
	test.each(roots.map((root, size) => ({ root, size })))("has its published root at size $size", ({ root, size }) => {
		expect(treeOf(leaves.slice(0, size)).root().toString("hex")).toBe(root);
	});

	test.each(inclusions)("leaf %i of %i has its published proof, which verifies", (leaf, size, proof) => {
		const made = proofOf(inclusionRanges(leaf - 1, size), leaves.slice(0, size));
		expect(made.map((one) => one.toString("hex"))).toEqual(proof);
		const root = bytes(roots[size] ?? "");
		expect(isIncluded({ index: leaf - 1, size, leaf: leaves[leaf - 1] as Buffer, proof: proof.map(bytes), root })).toBe(
			true,
		);
	});

	test.each(consistencies)("%i to %i has its published proof, which verifies", (old, size, proof) => {
		expect(proofOf(consistencyRanges(old, size), leaves).map((one) => one.toString("hex"))).toEqual(proof);
		const [oldRoot, root] = [bytes(roots[old] ?? ""), bytes(roots[size] ?? "")];
		expect(isConsistent({ old, size, oldRoot, root, proof: proof.map(bytes) })).toBe(true);
	});

	/** The published corruptions of each proof. */
	test.each(inclusions)("leaf %i of %i: no changed proof verifies", (leaf, size, hex) => {
		const [index, proof, root] = [leaf - 1, hex.map(bytes), bytes(roots[size] ?? "")];
		const right = { index, size, leaf: leaves[index] as Buffer, proof, root };
		const wrong = [
			{ index: index - 1 },
			{ index: index + 1 },
			{ index: index ^ 2 },
			{ size: size * 2 },
			{ size: Math.floor(size / 2) },
			{ leaf: Buffer.from("WrongLeaf") },
			{ root: bytes(roots[0] ?? "") },
			{ proof: [...proof, Buffer.alloc(0)] },
			{ proof: [...proof, root] },
			{ proof: [root, ...proof] },
			...proof.map((_, at) => ({ proof: proof.map((one, i) => (i === at ? flipped(one) : one)) })),
			...(proof.length > 0 ? [{ proof: proof.slice(0, -1) }] : []),
		];
		expect(wrong.filter((change) => isIncluded({ ...right, ...change }))).toEqual([]);
	});

	test.each(consistencies.slice(1))("%i to %i: no changed proof verifies", (old, size, hex) => {
		const [oldRoot, root, proof] = [bytes(roots[old] ?? ""), bytes(roots[size] ?? ""), hex.map(bytes)];
		const right = { old, size, oldRoot, root, proof };
		const wrong = [
			{ old: old - 1 },
			{ old: old + 1 },
			{ old: old ^ 2 },
			{ size: size * 2 },
			{ size: Math.floor(size / 2) },
			{ oldRoot: Buffer.from("WrongRoot") },
			{ root: Buffer.from("WrongRoot") },
			{ oldRoot: root, root: oldRoot },
			{ proof: [] },
			{ proof: [...proof, Buffer.alloc(0)] },
			{ proof: [...proof, root] },
			{ proof: [root, ...proof] },
			{ proof: [proof[0] as Buffer, ...proof] },
			{ proof: proof.slice(0, -1) },
			...proof.map((_, at) => ({ proof: proof.map((one, i) => (i === at ? flipped(one) : one)) })),
		];
		// Nothing was there before: any tree goes on from that, and there is nothing to prove it with.
		expect(wrong.filter((change) => isConsistent({ ...right, ...change }))).toEqual([]);
	});
});

function flipped(one: Buffer): Buffer {
	const copy = Buffer.from(one);
	copy[0] = (copy[0] ?? 0) ^ 8;
	return copy;
}

/** Section 2.1 of the RFC, word for word. */
function naiveRoot(hashes: readonly Uint8Array[]): Buffer {
	if (hashes.length === 0) return hash("sha256", "", "buffer");
	if (hashes.length === 1) return Buffer.from(hashes[0] as Uint8Array);
	let k = 1;
	while (k * 2 < hashes.length) k *= 2;
	const both = [Buffer.from([1]), naiveRoot(hashes.slice(0, k)), naiveRoot(hashes.slice(k))];
	return hash("sha256", Buffer.concat(both), "buffer");
}

const someLeaves = fc.array(fc.string(), { maxLength: 70 }).map((texts) => texts.map((text) => leafHash(text)));

describe("any tree", () => {
	test("has the root of the plain recursion, however often it is put away and taken up again", async () => {
		await fc.assert(
			fc.property(someLeaves, fc.nat(), (hashes, at) => {
				const cut = at % (hashes.length + 1);
				const tree = treeOf(hashes.slice(0, cut));
				const again = MerkleTree.from(tree.size, tree.frontier) as MerkleTree;
				for (const one of hashes.slice(cut)) again.add(one);
				expect(again.root()).toEqual(naiveRoot(hashes));
				expect(tree.size).toBe(cut);
			}),
		);
	});

	test("every proof of it verifies, and no proof for another leaf, size or root", async () => {
		await fc.assert(
			fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (size, one, other) => {
				const hashes = Array.from({ length: size }, (_, at) => leafHash(`leaf ${at}`));
				const root = treeOf(hashes).root();
				const index = one % size;
				const proof = proofOf(inclusionRanges(index, size), hashes);
				const inclusion = { index, size, leaf: hashes[index] as Buffer, proof, root };
				expect(isIncluded(inclusion)).toBe(true);
				const elsewhere = other % size;
				expect(isIncluded({ ...inclusion, leaf: hashes[elsewhere] as Buffer })).toBe(elsewhere === index);
				expect(isIncluded({ ...inclusion, index: elsewhere })).toBe(elsewhere === index);
				const old = 1 + (other % size);
				const oldRoot = treeOf(hashes.slice(0, old)).root();
				const consistency = { old, size, oldRoot, root, proof: proofOf(consistencyRanges(old, size), hashes) };
				expect(isConsistent(consistency)).toBe(true);
				const fork = treeOf([...hashes.slice(0, old - 1), leafHash("fork")]).root();
				expect(isConsistent({ ...consistency, oldRoot: fork })).toBe(false);
			}),
		);
	});

	test("has no frontier of another size", () => {
		const { frontier } = treeOf(leaves.slice(0, 5));
		expect(MerkleTree.from(5, frontier)?.root().toString("hex")).toBe(roots[5]);
		for (const size of [-1, 1.5, 4, 7, Number.NaN]) expect(MerkleTree.from(size, frontier)).toBeUndefined();
		expect(MerkleTree.from(5, [frontier[0] as Uint8Array, Buffer.alloc(31)])).toBeUndefined();
	});

	test("a text and its UTF-8 bytes are the same leaf", () => {
		expect(leafHash("ü✓")).toEqual(leafHash(Buffer.from("ü✓")));
	});
});
