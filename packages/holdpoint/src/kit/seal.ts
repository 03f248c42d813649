import { hash } from "node:crypto";

/** A key with a name, so that it can be rotated. */
export interface SealKey {
	readonly id: string;
	readonly secret: Uint8Array;
}

interface Halves {
	readonly inner: string;
	readonly outer: string;
}

/** The first key seals; all of them verify. */
export interface KeyRing {
	readonly current: string;
	/** Code of `text` under the named key, or undefined where that key is not here. */
	code(keyId: string, text: string): string | undefined;
}

/**
 * A nested MAC with two independent block-sized keys (the HMAC construction with SHA-256): outer(inner(text)).
 * `crypto.hash` twice costs 2–3 µs where `createHmac` costs 19, which would be the most expensive part of a call.
 */
export function keyRing(keys: readonly SealKey[]): KeyRing {
	const halves = new Map<string, Halves>();
	for (const key of keys) {
		const secret = Buffer.from(key.secret).toString("hex");
		halves.set(key.id, {
			inner: hash("sha256", `holdpoint inner ${secret}`, "hex"),
			outer: hash("sha256", `holdpoint outer ${secret}`, "hex"),
		});
	}
	const first = keys[0];
	if (!first) throw new Error("Holdpoint bug: it should hold that a key ring has a key");
	return {
		current: first.id,
		code(keyId, text) {
			const half = halves.get(keyId);
			return half && hash("sha256", half.outer + hash("sha256", half.inner + text, "hex"), "base64url");
		},
	};
}
