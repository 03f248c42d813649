import { randomBytes } from "node:crypto";
import type { SealKey } from "../kit/seal.ts";
import { makeSecretFile, readSecretFile } from "../kit/secret-file.ts";
import { HoldpointError } from "../spec/errors.ts";

/** Makes a fresh key. */
export function newKey(id = `k${randomBytes(3).toString("hex")}`): SealKey {
	return { id, secret: new Uint8Array(randomBytes(32)) };
}

/**
 * Keys from text: `<id>:<base64url>` separated by white space or commas, the current one first.
 * Errors: `key.invalid`.
 */
export function parseKeys(text: string, source: string): SealKey[] {
	const keys = text
		.split(/[\s,]+/)
		.filter((item) => item !== "")
		.map((item) => {
			const [, id, secret] = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]{43,})$/.exec(item) ?? [];
			if (!id || !secret)
				throw new HoldpointError("key.invalid", `A key in ${source} has not the form <id>:<base64url of 32 bytes>`);
			return { id, secret: new Uint8Array(Buffer.from(secret, "base64url")) };
		});
	return checkKeys(keys, source);
}

/** Keys that somebody made: an id that cannot be told from a body, or a short secret, would show much later. Errors: `key.invalid`. */
export function checkKeys<Keys extends readonly SealKey[]>(keys: Keys, source: string): Keys {
	if (keys.length === 0) throw new HoldpointError("key.invalid", `${source} holds no key`);
	for (const { id, secret } of keys) {
		if (!/^[A-Za-z0-9_-]{1,32}$/.test(id))
			throw new HoldpointError("key.invalid", `"${id}" in ${source} is no id of a key`);
		if (secret.length < 32)
			throw new HoldpointError("key.invalid", `The key ${id} in ${source} has ${secret.length} bytes; it needs 32`);
	}
	if (new Set(keys.map((key) => key.id)).size < keys.length) {
		throw new HoldpointError("key.invalid", `${source} names a key twice`);
	}
	return keys;
}

export interface KeySource {
	readonly env: Record<string, string | undefined>;
	readonly file: string;
	/** Does the store hold no run yet? A key made later could verify nothing that is there. */
	readonly isStoreNew: () => Promise<boolean>;
}

/**
 * Keys of HOLDPOINT_KEYS, else of the file, which is made with a fresh key and mode 0600 for a store without runs.
 * Errors: `key.invalid`, `journal.key_missing`, `store.read_only`, `store.full`.
 */
export async function loadKeys({ env, file, isStoreNew }: KeySource): Promise<SealKey[]> {
	const fromEnv = env["HOLDPOINT_KEYS"];
	if (fromEnv) return parseKeys(fromEnv, "HOLDPOINT_KEYS");
	const there = readKeyFile(file);
	if (there) return there;
	if (await isStoreNew()) return makeKeyFile(file);
	// Another process may have made the key and the first run since.
	const late = readKeyFile(file);
	if (late) return late;
	throw new HoldpointError("journal.key_missing", `There is no key file ${file}, and the store holds sealed runs`, {
		hint: "Put the key file back from your backup, or set HOLDPOINT_KEYS. A new key could not read these runs.",
		details: { file },
	});
}

function readKeyFile(file: string): SealKey[] | undefined {
	const text = readSecretFile(file);
	return text === undefined ? undefined : parseKeys(text, file);
}

/** Of processes that start at once one makes the key and all use it. */
function makeKeyFile(file: string): SealKey[] {
	const key = newKey();
	const made = `${key.id}:${Buffer.from(key.secret).toString("base64url")}\n`;
	return parseKeys(makeSecretFile(file, made), file);
}
