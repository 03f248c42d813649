/** What the tests of this package need to run a real machine, or to say why they cannot. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
	type MicrovmBudget,
	MicrovmdClient,
	type MicrovmSlice,
} from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import { deliveryMessage, startMessage } from "../../holdpoint/src/spec/guest-messages.ts";
import { defaultProgramLimits } from "../../holdpoint/src/spec/limits.ts";
import type { Answer } from "../../holdpoint/src/spec/sandbox.ts";

const bin = (name: string): string => fileURLToPath(new URL(`../bin/${name}`, import.meta.url));

export const executable: string = bin("microvmd");
export const guestFile: string = bin("guest.elf");
export const hostileFile: string = bin("hostile.elf");
export const tryCallFile: string = bin("try-call");
export const brokenFile: string = bin("broken-kvm");
export const memoryMiB = 80;

export const budget: MicrovmBudget = { clockMs: 0, cpuMs: 60_000, sliceMs: 60_000, memoryBytesMax: 64e6 };

/** Why there is no machine here; nothing where there is one. */
export const whyNoMachine: string | undefined = findReason();

function findReason(): string | undefined {
	if (![executable, guestFile, hostileFile, tryCallFile, brokenFile].every((file) => existsSync(file))) {
		return "the micro-VM is not built (npm run build:microvm)";
	}
	try {
		accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
	} catch {
		return "/dev/kvm is missing or may not be used by this user";
	}
	const tried = spawnSync(executable, [guestFile, String(memoryMiB)], { input: "", timeout: 20_000 });
	if (tried.status === 0) return undefined;
	return `a micro-VM does not boot here: ${tried.stderr.toString().trim() || `it ended with ${tried.status ?? tried.signal}`}`;
}

const machines = new Set<MicrovmdClient>();

/** A machine that `killMachines` ends. */
export async function spawnMachine(guest: string = guestFile): Promise<MicrovmdClient> {
	const machine = await MicrovmdClient.spawn({ executable, guest, memoryMiB });
	machines.add(machine);
	return machine;
}

export function killMachines(): void {
	for (const machine of machines) machine.kill();
	machines.clear();
}

export function startText(source: string): Buffer {
	const tools = ["search"];
	const program = { source, tools, seed: 1, clockMs: 0, limits: defaultProgramLimits, principal: "p" };
	return Buffer.from(startMessage(program));
}

export function deliveryText(answers: readonly Answer[]): Buffer {
	return Buffer.from(deliveryMessage(answers, defaultProgramLimits));
}

/** Starts a program on a guest that is made fresh first. */
export function start(
	machine: MicrovmdClient,
	source: string,
	change: Partial<MicrovmBudget> = {},
): Promise<MicrovmSlice> {
	return machine.start(startText(source), { ...budget, ...change }, true);
}

export function deliver(machine: MicrovmdClient, answers: readonly Answer[]): Promise<MicrovmSlice> {
	return machine.deliver(deliveryText(answers), budget);
}

/** State and CPU time of a process, its guest's included. Shape: one letter; ticks, of which there are a hundred a second. */
function statOf(pid: number): { state: string; ticks: number } {
	const text = readFileSync(`/proc/${pid}/stat`, "utf8");
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return { state: fields[0] ?? "", ticks: Number(fields[11]) + Number(fields[12]) };
}

async function until(isSo: () => boolean): Promise<void> {
	while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** Settles once the process is in this state: `S` waits for its next request, `T` is halted. */
export function inState(pid: number, ...states: readonly string[]): Promise<void> {
	return until(() => states.includes(statOf(pid).state));
}

/** Settles in the middle of a slice without an end, by the CPU time that it uses: far more than it takes to begin one. */
export function underWay(pid: number): Promise<void> {
	const from = statOf(pid).ticks;
	return until(() => statOf(pid).ticks >= from + 2);
}

export const textOf = (slice: MicrovmSlice): string => Buffer.from(slice.outbox).toString();

/** A request or a reply, which may lie about the length of its body. */
export function frame(kind: number, body: Uint8Array = Buffer.alloc(0), bodyBytes: number = body.length): Buffer {
	const head = Buffer.alloc(8);
	head.writeUInt32LE(bodyBytes, 0);
	head.writeUInt32LE(kind, 4);
	return Buffer.concat([head, body]);
}
