/** How values of the port lie in columns, and back. What cannot have been written by us is damage. */

import { runStatuses } from "../../../kit/check-commit.ts";
import { HoldpointError } from "../../../spec/errors.ts";
import type { RunStatus } from "../../../spec/store.ts";

/**
 * Codes and digests are base64url of 32 bytes; as bytes they take 32 instead of 43. Any other text stays text, and what
 * comes back is the same text in either case.
 */
export function packCode(text: string): string | Uint8Array {
	if (text.length !== 43) return text;
	const bytes = Buffer.from(text, "base64url");
	return bytes.toString("base64url") === text ? bytes : text;
}

export function unpackCode(value: unknown): string {
	if (!(value instanceof Uint8Array)) return textOf(value);
	return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64url");
}

export function statusCode(status: RunStatus): number {
	return runStatuses.indexOf(status);
}

export function statusOf(value: unknown): RunStatus {
	return runStatuses[numberOf(value)] ?? damaged("a status", value);
}

export function textOf(value: unknown): string {
	return typeof value === "string" ? value : damaged("a text", value);
}

export function optionalText(value: unknown): string | undefined {
	return value === null ? undefined : textOf(value);
}

export function numberOf(value: unknown): number {
	return typeof value === "number" ? value : damaged("a number", value);
}

export function optionalNumber(value: unknown): number | undefined {
	return value === null ? undefined : numberOf(value);
}

export function bytesOf(value: unknown): Uint8Array {
	return value instanceof Uint8Array ? value : damaged("bytes", value);
}

function damaged(what: string, value: unknown): never {
	throw new HoldpointError(
		"store.damaged",
		`The database has ${value === null ? "nothing" : `a ${typeof value}`} where ${what} belongs`,
	);
}
