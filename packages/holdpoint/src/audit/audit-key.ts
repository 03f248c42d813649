import { randomBytes } from "node:crypto";
import { makeSecretFile, readSecretFile } from "../kit/secret-file.ts";
import { HoldpointError } from "../spec/errors.ts";
import { isKeyName, type SignerKey, signerKey, signerOf } from "./verifier/note.ts";

export interface AuditKeySource {
	readonly env: { readonly [name: string]: string | undefined };
	/** Undefined: a key for this process alone. */
	readonly file: string | undefined;
	/** For a key that is made. */
	readonly name: string;
	/** May one be made? A new key beside a log that another one signed would sign another log. */
	readonly isMade: boolean;
}

/**
 * The key that signs checkpoints: HOLDPOINT_AUDIT_KEY, else that of the file, which is made on first use with mode 0600.
 * Errors: `key.invalid`, `config.invalid` (a name that cannot be one), `store.read_only`, `store.full`.
 */
export function loadAuditKey({ env, file, name, isMade }: AuditKeySource): SignerKey {
	const fromEnv = env["HOLDPOINT_AUDIT_KEY"];
	if (fromEnv) return parseAuditKey(fromEnv, "HOLDPOINT_AUDIT_KEY");
	const there = file === undefined ? undefined : readSecretFile(file);
	if (there !== undefined) return parseAuditKey(there, file ?? "");
	if (!isMade) {
		const what = file === undefined ? "No audit key was given" : `There is no audit key ${file}`;
		throw new HoldpointError("key.invalid", `${what}, and the log was signed with one`, {
			hint: "Put the file back from your backup, or set HOLDPOINT_AUDIT_KEY.",
		});
	}
	if (!isKeyName(name)) {
		const shown = JSON.stringify(String(name).slice(0, 80));
		throw new HoldpointError(
			"config.invalid",
			`${shown} is no name of an audit log: 1 to 200 characters, no space and no +`,
			{
				hint: "Such as audit.example.com/shop.",
			},
		);
	}
	const made = signerOf(name, randomBytes(32));
	return file === undefined ? made : parseAuditKey(makeSecretFile(file, `${made.secretText}\n`), file);
}

/** Errors: `key.invalid`; the secret is not shown. */
export function parseAuditKey(text: string, source: string): SignerKey {
	const key = signerKey(text.trim());
	if (!("problem" in key)) return key;
	throw new HoldpointError("key.invalid", `The audit key in ${source} cannot be used: ${key.problem}`, {
		hint: "It has the form PRIVATE+KEY+<name>+<id>+<base64>. Put it back from your backup: another key signs another log.",
	});
}
