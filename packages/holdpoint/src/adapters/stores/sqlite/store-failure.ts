import { type ErrorCode, HoldpointError, isHoldpointError } from "../../../spec/errors.ts";
import { isWritable, type Place } from "./connection.ts";

/** Primary result codes of SQLite that mean something of their own here. */
const busy = 5;
const ioError = 10;
const cannotOpen = 14;
/** Extended codes of it: the file ends too early; the shared index of the log cannot grow; the file system is damaged. */
const shortRead = 522;
const noSharedMemory = 4874;
const damagedFileSystem = 8458;

const byResult: Readonly<Record<number, ErrorCode>> = {
	3: "store.read_only",
	5: "store.locked",
	6: "store.locked",
	8: "store.read_only",
	11: "store.damaged",
	13: "store.full",
	15: "store.locked",
	26: "store.damaged",
	[shortRead]: "store.damaged",
	[noSharedMemory]: "store.full",
	[damagedFileSystem]: "store.damaged",
};

const bySystem: Readonly<Record<string, ErrorCode>> = {
	EACCES: "store.read_only",
	EPERM: "store.read_only",
	EROFS: "store.read_only",
	ENOSPC: "store.full",
	EDQUOT: "store.full",
};

/** The error of the registry for whatever SQLite or the file system said. */
export function storeFailure(place: Place, error: unknown): HoldpointError {
	if (isHoldpointError(error)) return error as HoldpointError;
	const result = place.engine.codeOf(error);
	const system = (error as NodeJS.ErrnoException | undefined)?.code;
	const text = error instanceof Error ? error.message : String(error);
	return new HoldpointError(codeFor(place, { result, system }), `The store ${place.path} failed: ${text}`, {
		cause: error,
		details: { path: place.path, ...(result === undefined ? {} : { sqlite: result }), ...(system ? { system } : {}) },
	});
}

function codeFor(
	place: Place,
	{ result, system }: { result: number | undefined; system: string | undefined },
): ErrorCode {
	const noWay = result === undefined ? system === "ENOENT" : primary(result) === cannotOpen;
	if (noWay && !isWritable(place.path)) return "store.read_only";
	if (result === undefined) return bySystem[system ?? ""] ?? "store.failed";
	return byResult[result] ?? byResult[primary(result)] ?? "store.failed";
}

/** Another process has the lock. Nothing happened; the same thing can be tried again. */
export function isBusy(place: Place, error: unknown): boolean {
	return primary(place.engine.codeOf(error)) === busy;
}

/** The disk failed under SQLite. What the connection believes of the file is no longer to be trusted. */
export function isIoError(place: Place, error: unknown): boolean {
	return primary(place.engine.codeOf(error)) === ioError;
}

function primary(result: number | undefined): number {
	return (result ?? -1) & 0xff;
}
