/** A file with a key in it: for this user alone, and made once. */
import { randomBytes } from "node:crypto";
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { reasonOf } from "./reason-of.ts";

/** Its text; undefined where there is no such file. Errors: `key.invalid`, also where others may read it. */
export function readSecretFile(file: string): string | undefined {
	try {
		const mode = statSync(file).mode & 0o777;
		if (mode & 0o077) {
			throw new HoldpointError("key.invalid", `The key file ${file} can be read by others (mode ${mode.toString(8)})`, {
				hint: `Run: chmod 600 ${file}`,
			});
		}
		return readFileSync(file, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw keyFailure(file, "read", error);
	}
}

/**
 * Makes the file, mode 0600, and returns what it holds: another process may have been faster.
 * Errors: `key.invalid`, `store.read_only`, `store.full`.
 */
export function makeSecretFile(file: string, text: string): string {
	const made = `${file}.${randomBytes(4).toString("hex")}-${process.pid}`;
	try {
		mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
		writeFileSync(made, text, { mode: 0o600, flag: "wx" });
		chmodSync(made, 0o600);
		// The file appears whole or not at all.
		linkSync(made, file);
		return text;
	} catch (error) {
		const theirs = (error as NodeJS.ErrnoException).code === "EEXIST" ? readSecretFile(file) : undefined;
		if (theirs !== undefined) return theirs;
		throw keyFailure(file, "made", error);
	} finally {
		rmSync(made, { force: true });
	}
}

const byWriteFault: Readonly<Record<string, ErrorCode>> = {
	EACCES: "store.read_only",
	EPERM: "store.read_only",
	EROFS: "store.read_only",
	ENOSPC: "store.full",
	EDQUOT: "store.full",
};

/** The error of the registry for what the file system said. */
export function keyFailure(file: string, what: "read" | "made", error: unknown): HoldpointError {
	if (isHoldpointError(error)) return error;
	const system = (error as NodeJS.ErrnoException).code ?? "";
	const code = (what === "made" ? byWriteFault[system] : undefined) ?? "key.invalid";
	return new HoldpointError(code, `The key file ${file} cannot be ${what}: ${reasonOf(error)}`, {
		cause: error,
		details: { file, ...(system ? { system } : {}) },
		...(code === "key.invalid" ? { hint: `${file} must be a file of this user with mode 0600, or not be there.` } : {}),
	});
}
