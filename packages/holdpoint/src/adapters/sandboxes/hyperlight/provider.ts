import { readFileSync } from "node:fs";
import { HoldpointError, isHoldpointError } from "../../../spec/errors.ts";
import { defaultProgramLimits } from "../../../spec/limits.ts";
import type { Guest, Isolation, ProgramSpec, SandboxProbe, SandboxProvider } from "../../../spec/sandbox.ts";
import { SeatedGuest } from "../guest-image/seated-guest.ts";
import { hyperlightGuest } from "./guest-script.ts";
import { type HostApi, loadHostApi } from "./host-api.ts";
import { HyperlightPool } from "./pool.ts";
import { HyperlightSeat } from "./seat.ts";

export interface HyperlightSandboxOptions {
	/** Virtual machines at a time; more programs than that wait their turn or share them. 8. */
	readonly machinesMax?: number;
	/**
	 * What becomes of a program that may call a tool which may be held, because Hyperlight cannot write a guest down:
	 * `refuse`, or the sandbox that runs it instead, which is closed with this one. `refuse`.
	 */
	readonly whenHeld?: "refuse" | SandboxProvider;
}

/** What tests put in the place of the real thing. */
export interface HyperlightSurroundings {
	load(): Promise<HostApi>;
	/** The text of /proc/cpuinfo. */
	cpuinfo(): string;
}

const thisHost: HyperlightSurroundings = { load: loadHostApi, cpuinfo: () => readFileSync("/proc/cpuinfo", "utf8") };

/**
 * Programs in virtual machines of Hyperlight's, in this process. It needs the optional package
 * `@hyperlight-dev/js-host-api-linux-x64-gnu` and a processor's own virtualization. Machines start with the first program
 * and end with `close()`, or two seconds after the last program; until then they keep the process alive.
 */
export function hyperlightSandbox(options: HyperlightSandboxOptions = {}): SandboxProvider {
	return hyperlightSandboxIn(thisHost, options);
}

export function hyperlightSandboxIn(
	around: HyperlightSurroundings,
	options: HyperlightSandboxOptions,
): SandboxProvider {
	const { machinesMax = 8, whenHeld = "refuse" } = options;
	const pool = new HyperlightPool(checkedCount(machinesMax), around.load);
	const provider: SandboxProvider = {
		name: "hyperlight",
		guest: hyperlightGuest,
		format: 1,
		whenHeld: checkedWhenHeld(whenHeld),
		probe: () => probe(provider, around),
		async start(program: ProgramSpec): Promise<Guest> {
			await pool.open();
			return new SeatedGuest(new HyperlightSeat(pool, memoryMiBOf(program)), program);
		},
		restore: () =>
			Promise.reject(new HoldpointError("snapshot.refused", "Hyperlight restores no snapshots: it cannot make any")),
		async close() {
			await Promise.all([pool.close(), whenHeld === "refuse" ? undefined : whenHeld.close()]);
		},
	};
	return provider;
}

const stepBytes = 8 * 1_048_576;
const memoryMiBMax = 2_048;

/** Steps, so that programs with like limits share machines; one of them is the engine's own. */
function memoryMiBOf({ limits }: ProgramSpec): number {
	return Math.min(memoryMiBMax, (Math.ceil(limits.memoryBytesMax / stepBytes) + 1) * 8);
}

function checkedCount(value: number): number {
	if (Number.isInteger(value) && value >= 1 && value <= 1_024) return value;
	throw new HoldpointError("config.invalid", `machinesMax of hyperlightSandbox is ${value}`, {
		hint: "It is a whole number from 1 to 1024.",
	});
}

function checkedWhenHeld(whenHeld: "refuse" | SandboxProvider): "refuse" | SandboxProvider {
	const isSandbox = typeof whenHeld === "object" && whenHeld !== null;
	if (whenHeld === "refuse" || (isSandbox && whenHeld.whenHeld === undefined)) return whenHeld;
	throw new HoldpointError("config.invalid", "whenHeld of hyperlightSandbox is no sandbox whose programs can wait", {
		hint: 'It is "refuse", or a sandbox such as microvmSandbox() or wasmSandbox().',
	});
}

const probeProgram: ProgramSpec = {
	source: "return 1+2",
	tools: [],
	seed: 0,
	clockMs: 0,
	limits: defaultProgramLimits,
	principal: "probe",
};

async function probe(provider: SandboxProvider, around: HyperlightSurroundings): Promise<SandboxProbe> {
	const startedAt = performance.now();
	const { name, guest } = provider;
	try {
		const started = await provider.start(probeProgram);
		const { state } = await started.advance({ answers: [], clockMs: 0 });
		if (state.kind !== "returned" || state.value !== "3") throw new Error(`1+2 ended as ${JSON.stringify(state)}`);
		const startMs = performance.now() - startedAt;
		const isolation = isolationOf(around.cpuinfo());
		if (!isolation) throw new Error("its virtualization is of a kind that is not known");
		return { ok: true, provider: name, isolation, startMs, guest };
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		const hint = isHoldpointError(error) ? error.hint : "Use the sandbox microvm or wasm on this machine.";
		return { ok: false, provider: name, reason, hint };
	}
}

/** Hyperlight runs on a processor's own virtualization and on nothing less; which one, the processor says. */
function isolationOf(cpuinfo: string): Isolation | undefined {
	const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(" "));
	return flags.has("svm") ? "svm" : flags.has("vmx") ? "vmx" : undefined;
}
