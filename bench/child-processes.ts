/** What this process started and has, as Linux tells it. */
import { readdirSync, readFileSync } from "node:fs";

/** Of this process, whatever they are. */
export function childProcesses(): readonly number[] {
	return readdirSync("/proc").flatMap((pid) => (parentOf(pid) === process.pid ? Number(pid) : []));
}

/** Those of micro-VMs. */
export function machineProcesses(): readonly number[] {
	return childProcesses().filter((pid) => readOr(`/proc/${pid}/comm`, "").trim() === "microvmd");
}

export function openFiles(): number {
	return readdirSync("/proc/self/fd").length;
}

/** Resident memory of this process and its children. Bytes. */
export function residentBytes(): number {
	return [process.pid, ...childProcesses()].reduce(
		(sum, pid) => sum + kilobytes(pid, "status", /^VmRSS:\s+(\d+)/gm),
		0,
	);
}

/** What it has for itself: all but the files that it runs from. Bytes. */
export function ownBytes(pid: number): number {
	return ownBytesIn(readOr(`/proc/${pid}/smaps_rollup`, ""));
}

/**
 * Shares, and not what is private: a page of shared memory that one process maps twice, as a micro-VM does with its image,
 * is not private to it for Linux, and its two halves are.
 */
export function ownBytesIn(smapsRollup: string): number {
	return kilobytesIn(smapsRollup, /^Pss_(?:Anon|Shmem):\s+(\d+)/gm);
}

function kilobytes(pid: number, file: string, pattern: RegExp): number {
	return kilobytesIn(readOr(`/proc/${pid}/${file}`, ""), pattern);
}

function kilobytesIn(text: string, pattern: RegExp): number {
	return [...text.matchAll(pattern)].reduce((sum, [, each]) => sum + Number(each) * 1_024, 0);
}

function parentOf(pid: string): number | undefined {
	const [, parent] = /^\d+ \(.*\) \S (\d+)/.exec(readOr(`/proc/${pid}/stat`, "")) ?? [];
	return parent === undefined ? undefined : Number(parent);
}

/** A process may end while it is looked at. */
function readOr(file: string, otherwise: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch {
		return otherwise;
	}
}
