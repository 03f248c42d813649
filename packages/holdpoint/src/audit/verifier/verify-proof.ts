/** One leaf and what proves that it is in the log: enough to show one event to somebody without the others. */
import { depthMax, isLeaf, type Leaf } from "./export-lines.ts";
import type { Finding } from "./findings.ts";
import { isIncluded, leafHash } from "./merkle.ts";
import { openCheckpoint, verifierKey } from "./note.ts";
import { payloadDigest } from "./payload-digest.ts";

export const proofFormat = "holdpoint-audit-proof";

export interface AuditProof {
	readonly format: typeof proofFormat;
	readonly v: 1;
	readonly index: number;
	readonly leaf: Leaf;
	readonly salt?: string;
	readonly payload?: unknown;
	/** The payload without what is sensitive: it is shown, and nothing proves it. */
	readonly shown?: unknown;
	/** Hashes from the leaf to the root. Shape: base64. */
	readonly proof: readonly string[];
	/** Of the tree that the leaf is in. */
	readonly checkpoint: string;
}

/** What is wrong with a proof; undefined where nothing is. `proof`: parsed JSON from anywhere. */
export function verifyProof(proof: unknown, key: string): Finding | undefined {
	const verifier = verifierKey(key);
	if ("problem" in verifier) return malformed(`The public key cannot be read: ${verifier.problem}`);
	if (!isProof(proof)) return malformed(`It is no proof of the format ${proofFormat}, version 1`);
	const { index, leaf, salt, payload } = proof;
	const opened = openCheckpoint(proof.checkpoint, verifier);
	if (opened.kind === "wrong_key")
		return { kind: "wrong_key", message: `Its checkpoint is not signed by ${verifier.name}` };
	if (opened.kind === "altered") return { kind: "altered", message: "Its checkpoint is not what was signed" };
	if (opened.kind === "malformed") return malformed(`Its checkpoint cannot be read: ${opened.problem}`);
	const { size, root } = opened.checkpoint;
	const path = proof.proof.map((one) => Buffer.from(one, "base64"));
	const isThere = isIncluded({ index, size, leaf: leafHash(JSON.stringify(leaf)), proof: path, root });
	if (!isThere) return { kind: "altered", index, message: `This is not leaf ${index} of the log` };
	if (payload === undefined) return undefined;
	if (leaf.payload === undefined || salt === undefined)
		return { kind: "altered", index, message: "It shows a payload that nothing proves" };
	if (payloadDigest(salt, JSON.stringify(payload)) === leaf.payload) return undefined;
	return { kind: "altered", index, message: "Its payload is not what it was" };
}

function malformed(message: string): Finding {
	return { kind: "malformed", message };
}

function isProof(value: unknown): value is AuditProof {
	if (typeof value !== "object" || value === null) return false;
	const { format, v, index, leaf, salt, proof, checkpoint } = value as { readonly [key: string]: unknown };
	if (!isShallow(leaf, 0) || !isShallow((value as { readonly payload?: unknown }).payload, 0)) return false;
	if (format !== proofFormat || v !== 1 || !Number.isSafeInteger(index) || !isLeaf(leaf)) return false;
	const arePath = Array.isArray(proof) && proof.length <= 64 && proof.every((one) => typeof one === "string");
	return arePath && typeof checkpoint === "string" && (salt === undefined || typeof salt === "string");
}

/** It is written again to be hashed: no deeper than that is sure to work. */
function isShallow(value: unknown, depth: number): boolean {
	if (typeof value !== "object" || value === null) return true;
	return depth < depthMax && Object.values(value).every((child) => isShallow(child, depth + 1));
}
