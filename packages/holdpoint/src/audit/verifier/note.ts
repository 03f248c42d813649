/**
 * Signed notes and checkpoints: C2SP `signed-note` and `tlog-checkpoint`, with Ed25519 alone.
 *
 * Owns: the texts, the keys as texts, signing and verifying. Pure: it imports nothing but Node's cryptography, because the
 * verifier is made of it. Nothing here throws over what came from outside: a problem is a value.
 */
import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";

/** The type byte of Ed25519 in a key id. */
const ed25519 = 1;
const noteCharsMax = 65_536;
const signaturesMax = 100;
const privatePrefix = "PRIVATE+KEY+";

export interface VerifierKey {
	readonly name: string;
	/** Four bytes. Shape: hexadecimal. */
	readonly id: string;
	/** Shape: `<name>+<id>+<base64>`. */
	readonly text: string;
	readonly key: KeyObject;
}

export interface SignerKey extends VerifierKey {
	readonly secret: KeyObject;
	/** Shape: `PRIVATE+KEY+<name>+<id>+<base64>`. A secret. */
	readonly secretText: string;
}

export interface Problem {
	readonly problem: string;
}

/** A name must be found again in a line that is cut at spaces, and in a key that is cut at `+`. */
export function isKeyName(name: string): boolean {
	return name !== "" && name.length <= 200 && name.isWellFormed() && !/[\s+\p{Cc}]/u.test(name);
}

function keyId(name: string, key: Uint8Array): string {
	return hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([ed25519]), key]), "hex").slice(0, 8);
}

function keyText(name: string, id: string, raw: Uint8Array): string {
	return `${name}+${id}+${Buffer.concat([Buffer.from([ed25519]), raw]).toString("base64")}`;
}

/** Strict: what would be written differently is not taken. */
function fromBase64(text: string): Buffer | undefined {
	const bytes = Buffer.from(text, "base64");
	return bytes.toString("base64") === text ? bytes : undefined;
}

interface KeyParts {
	readonly name: string;
	readonly id: string;
	/** 32 bytes. */
	readonly raw: Buffer;
}

function keyParts(text: string): KeyParts | Problem {
	if (typeof text !== "string" || text.length > 1_000) return { problem: "it is no text of a key" };
	const [, name = "", id = "", encoded = ""] = /^([^+]*)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
	if (!isKeyName(name)) return { problem: "it has not the form <name>+<id>+<base64>" };
	const bytes = fromBase64(encoded);
	if (bytes?.length !== 33 || bytes[0] !== ed25519) return { problem: "it is no Ed25519 key of 32 bytes" };
	return { name, id, raw: bytes.subarray(1) };
}

/** A public key from its text. */
export function verifierKey(text: string): VerifierKey | Problem {
	const parts = keyParts(text);
	if ("problem" in parts) return parts;
	const { name, id, raw } = parts;
	if (id !== keyId(name, raw))
		return { problem: "its id does not belong to its name and bytes: it was mistyped or changed" };
	const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
	return { name, id, text, key };
}

/** Why this is no public key; undefined: it is one. */
export function keyProblem(text: string): string | undefined {
	const key = verifierKey(text);
	return "problem" in key ? key.problem : undefined;
}

/** A secret key from its text. */
export function signerKey(text: string): SignerKey | Problem {
	if (!text.startsWith(privatePrefix)) return { problem: `it does not begin with ${privatePrefix}` };
	const parts = keyParts(text.slice(privatePrefix.length));
	if ("problem" in parts) return parts;
	const signer = signerOf(parts.name, parts.raw);
	return signer.id === parts.id ? signer : { problem: "its id does not belong to its name and bytes" };
}

const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");

/** The key whose secret these 32 bytes are. */
export function signerOf(name: string, seed: Uint8Array): SignerKey {
	const secret = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" });
	const key = createPublicKey(secret);
	const raw = Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
	const id = keyId(name, raw);
	const secretText = `${privatePrefix}${keyText(name, id, seed)}`;
	return { name, id, text: keyText(name, id, raw), key, secret, secretText };
}

/** A note: the text, which ends with a new line, and a signature under it. */
export function signNote(text: string, { name, id, secret }: SignerKey): string {
	const signature = Buffer.concat([Buffer.from(id, "hex"), sign(null, Buffer.from(text), secret)]);
	return `${text}\n— ${name} ${signature.toString("base64")}\n`;
}

export type OpenedNote =
	| { readonly kind: "signed"; readonly text: string }
	/** Others signed it, this key did not. */
	| { readonly kind: "wrong_key"; readonly signers: readonly string[] }
	/** It names this key, and its signature does not hold for its text. */
	| { readonly kind: "altered" }
	| { readonly kind: "malformed"; readonly problem: string };

/** The text of a note, if this key signed it. */
export function openNote(note: string, key: VerifierKey): OpenedNote {
	const parsed = parseNote(note);
	if ("problem" in parsed) return { kind: "malformed", ...parsed };
	const own = parsed.signatures.filter(({ name, id }) => name === key.name && id === key.id);
	if (own.length === 0) {
		return { kind: "wrong_key", signers: parsed.signatures.map(({ name, id }) => `${name}+${id}`) };
	}
	const text = Buffer.from(parsed.text);
	const isSigned = own.every(({ bytes }) => bytes.length === 64 && verify(null, text, key.key, bytes));
	return isSigned ? { kind: "signed", text: parsed.text } : { kind: "altered" };
}

interface NoteParts {
	readonly text: string;
	readonly signatures: readonly { readonly name: string; readonly id: string; readonly bytes: Buffer }[];
}

function parseNote(note: string): NoteParts | Problem {
	if (typeof note !== "string" || note.length > noteCharsMax)
		return { problem: `it is longer than ${noteCharsMax} characters` };
	if (!note.isWellFormed() || /[^\P{Cc}\n\u007f-\u009f]/u.test(note)) return { problem: "it has control characters" };
	const end = note.lastIndexOf("\n\n");
	if (end < 0 || !note.endsWith("\n")) return { problem: "it has no signature" };
	const lines = note.slice(end + 2, -1).split("\n");
	if (lines.length > signaturesMax) return { problem: `it has more than ${signaturesMax} signatures` };
	const signatures = [];
	for (const line of lines) {
		const [, name = "", encoded = ""] = /^— (\S+) (\S+)$/u.exec(line) ?? [];
		const bytes = fromBase64(encoded);
		if (!isKeyName(name) || !bytes || bytes.length < 5) return { problem: "a line under its text is no signature" };
		signatures.push({ name, id: bytes.toString("hex", 0, 4), bytes: bytes.subarray(4) });
	}
	return { text: note.slice(0, end + 1), signatures };
}

/** A tree as a log states it. */
export interface Checkpoint {
	/** The log. */
	readonly origin: string;
	/** How many leaves it had. */
	readonly size: number;
	/** Of the tree over these leaves. 32 bytes. */
	readonly root: Uint8Array;
}

export function signCheckpoint({ origin, size, root }: Checkpoint, signer: SignerKey): string {
	return signNote(`${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`, signer);
}

/** The text of a note as a checkpoint. */
export function parseCheckpoint(text: string): Checkpoint | Problem {
	const [origin = "", size = "", root = "", ...rest] = text.split("\n");
	const bytes = fromBase64(root);
	const isSize = /^(0|[1-9][0-9]{0,15})$/.test(size) && Number.isSafeInteger(Number(size));
	const isWhole = origin !== "" && rest.at(-1) === "" && !rest.slice(0, -1).includes("");
	if (!isWhole || !isSize || bytes?.length !== 32)
		return { problem: "it is no checkpoint: origin, size and root, a line each" };
	return { origin, size: Number(size), root: bytes };
}

export type OpenedCheckpoint =
	| { readonly kind: "signed"; readonly checkpoint: Checkpoint }
	| Exclude<OpenedNote, { readonly kind: "signed" }>;

/** A checkpoint that this key signed for its own log. */
export function openCheckpoint(note: string, key: VerifierKey): OpenedCheckpoint {
	const opened = openNote(note, key);
	if (opened.kind !== "signed") return opened;
	const checkpoint = parseCheckpoint(opened.text);
	if ("problem" in checkpoint) return { kind: "malformed", ...checkpoint };
	// A log's key name and its origin are one: what it signed for another log is not about this one.
	return checkpoint.origin === key.name
		? { kind: "signed", checkpoint }
		: { kind: "wrong_key", signers: [checkpoint.origin] };
}
