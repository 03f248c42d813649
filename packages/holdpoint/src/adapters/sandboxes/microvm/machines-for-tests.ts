/** What tests of the micro-VM need: whether this machine can run one, and which processes it has. */
import { readdirSync, readFileSync } from "node:fs";
import { microvmSandbox } from "./provider.ts";

/** Why there is none here; nothing where there is. */
export async function whyNoMicrovm(): Promise<string | undefined> {
	const sandbox = microvmSandbox();
	try {
		const found = await sandbox.probe();
		return found.ok ? undefined : found.reason;
	} finally {
		await sandbox.close();
	}
}

/** Ids of the `microvmd` processes that this process started and that still live. */
export function machinePids(): number[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name) && isMachine(name))
		.map(Number);
}

function isMachine(pid: string): boolean {
	try {
		const [, name, state, parent] = /^\d+ \((.*)\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
		return name === "microvmd" && state !== "Z" && Number(parent) === process.pid;
	} catch {
		return false;
	}
}
