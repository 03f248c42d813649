import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";

/** What tells one living process from every other one that may ever read the same lease. */
interface ProcessIdentity {
	/** Boot of the kernel, pid namespace and time namespace: where `pid` and `start` mean anything. */
	readonly world: string;
	readonly pid: number;
	/** When it started, in clock ticks since the boot. A pid comes back; a pid with its start does not. */
	readonly start: string;
}

const form = /^p1\.([0-9a-f-]{36}\.\d{1,20}\.\d{0,20})\.(\d{1,10})\.(\d{1,20})\.[A-Za-z0-9_-]{12}$/;

/** Names a writer of runs: this process, and within it one of its harnesses. Every call gives another name. */
export function processOwner(): string {
	const random = randomBytes(9).toString("base64url");
	const self = ownIdentity();
	return self ? `p1.${self.world}.${self.pid}.${self.start}.${random}` : `p0.${process.pid}.${random}`;
}

/**
 * Is that writer certainly gone? True only where this process could have seen it: same boot, same namespaces, and no
 * such process or another one under its pid. Anything else is false, and the lease ends by time: another boot may be
 * another machine that shares the disk.
 */
export function ownerIsDead(owner: string): boolean {
	const [, world, pid, start] = form.exec(owner) ?? [];
	if (!world || !pid || !start || world !== ownIdentity()?.world) return false;
	if (!exists(Number(pid))) return true;
	const stat = readStat(pid);
	if (!stat) return false;
	return stat.start !== start || stat.ended;
}

/** Undefined where there is no /proc, or one of another pid namespace. */
function ownIdentity(): ProcessIdentity | undefined {
	try {
		if (Number(readlinkSync("/proc/self")) !== process.pid) return undefined;
		const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
		const stat = readStat("self");
		if (!stat) return undefined;
		return { world: `${boot}.${namespaceOf("pid")}.${namespaceOf("time")}`, pid: process.pid, start: stat.start };
	} catch {
		return undefined;
	}
}

/** The number in `pid:[4026531836]`. Kernels without time namespaces have none to tell apart. */
function namespaceOf(kind: "pid" | "time"): string {
	try {
		return /\[(\d+)\]/.exec(readlinkSync(`/proc/self/ns/${kind}`))?.[1] ?? "";
	} catch (error) {
		if (kind === "time") return "";
		throw error;
	}
}

/** Asks the kernel, not /proc, which may hide the processes of other users. */
function exists(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== "ESRCH";
	}
}

function readStat(pid: string): { readonly start: string; readonly ended: boolean } | undefined {
	let text: string;
	try {
		text = readFileSync(`/proc/${pid}/stat`, "utf8");
	} catch {
		return undefined;
	}
	// The name is in parentheses and may contain some itself; after the last one come fields 3 and on.
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	const [state, threads, start] = [fields[0], fields[17], fields[19]];
	if (!start || !/^\d+$/.test(start)) return undefined;
	// Ended and not yet collected by its parent; with threads left it is not over.
	return { start, ended: (state === "Z" || state === "X") && Number(threads) <= 1 };
}
