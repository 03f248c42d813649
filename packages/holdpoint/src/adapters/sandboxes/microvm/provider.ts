import { HoldpointError, isHoldpointError } from "../../../spec/errors.ts";
import { defaultProgramLimits, fixedLimits } from "../../../spec/limits.ts";
import type { Guest, Isolation, ProgramSpec, SandboxProbe, SandboxProvider } from "../../../spec/sandbox.ts";
import { guestDigest } from "../guest-image/guest-digest.ts";
import { SeatedGuest } from "../guest-image/seated-guest.ts";
import { snapshotFormat } from "../guest-image/snapshot-header.ts";
import { binaryDigests } from "./binary-digests.ts";
import { bootHint, checkHost, type Host, thisHost } from "./check-host.ts";
import { Obstacle } from "./find-binaries.ts";
import { Machine } from "./machine.ts";
import { MachinePool } from "./machine-pool.ts";
import { MachineSeat, memoryMiBUsual } from "./machine-seat.ts";
import { PrivateBinaries } from "./private-binaries.ts";

export interface MicrovmSandboxOptions {
	/** Folder of `microvmd` and `guest.elf`. HOLDPOINT_MICROVM_DIR, else the optional package for this platform. */
	readonly binDir?: string;
	/** Processes, and so machines, at a time; more programs than that wait their turn or share them. 4. */
	readonly machinesMax?: number;
	/** Machines that are booted ahead of the next programs, less than a megabyte each. 2. */
	readonly warm?: number;
	/** Programs that one machine runs before a new one takes its place. 1000. */
	readonly programsPerMachineMax?: number;
}

/** What tests put in the place of the real thing. */
export interface MicrovmSurroundings {
	readonly host: Host;
	readonly digests: typeof binaryDigests;
}

/**
 * Programs in a virtual machine of their own, each machine in a process of its own. Machines start with the first
 * program, serve one principal each, do not keep the process alive, and end with `close()`.
 */
export function microvmSandbox(options: MicrovmSandboxOptions = {}): SandboxProvider {
	return microvmSandboxIn({ host: thisHost, digests: binaryDigests }, options);
}

export function microvmSandboxIn(around: MicrovmSurroundings, options: MicrovmSandboxOptions): SandboxProvider {
	const { binDir, machinesMax = 4, warm = Math.min(2, machinesMax), programsPerMachineMax = 1_000 } = options;
	// Found when the first machine boots; what is missing then may be there at the next try.
	const binaries = new PrivateBinaries(binDir, around.digests);
	const pool = new MachinePool({
		machinesMax: checkedCount("machinesMax", machinesMax, 1_024),
		warm: checkedCount("warm", warm, machinesMax),
		programsMax: checkedCount("programsPerMachineMax", programsPerMachineMax, 1e9),
		memoryMiB: memoryMiBUsual,
		movedBytesMax: fixedLimits.movedGuestsBytesMax,
		async boot(memoryMiB) {
			checkHost(around.host);
			return Machine.boot(binaries.get(), memoryMiB);
		},
	});
	const provider: SandboxProvider = {
		name: "microvm",
		guest: guestDigest,
		format: snapshotFormat,
		probe: () => probe(provider, pool),
		async start(program: ProgramSpec): Promise<Guest> {
			await pool.open();
			return guestOf(pool, program, program.principal);
		},
		async restore(snapshot: Uint8Array, program: ProgramSpec): Promise<Guest> {
			await pool.open();
			const guest = guestOf(pool, program, program.principal);
			await guest.restore(snapshot);
			return guest;
		},
		close: () => pool.close(),
	};
	return provider;
}

function checkedCount(name: string, value: number, most: number): number {
	if (Number.isInteger(value) && value >= 1 && value <= most) return value;
	throw new HoldpointError("config.invalid", `${name} of microvmSandbox is ${value}`, {
		hint: `It is a whole number from 1 to ${most}.`,
	});
}

function guestOf(pool: MachinePool, program: ProgramSpec, principal: string | undefined): SeatedGuest {
	return new SeatedGuest(new MachineSeat(pool, program.limits, principal), program);
}

const probeProgram: ProgramSpec = {
	source: "return 1+2",
	tools: [],
	seed: 0,
	clockMs: 0,
	limits: defaultProgramLimits,
	principal: "",
};

/** The machine that it boots is the first warm one, and still may become anybody's. */
async function probe(provider: SandboxProvider, pool: MachinePool): Promise<SandboxProbe> {
	const startedAt = performance.now();
	const { name, guest } = provider;
	try {
		const { isolation } = await pool.open();
		const { state } = await guestOf(pool, probeProgram, undefined).advance({ answers: [], clockMs: 0 });
		if (state.kind !== "returned" || state.value !== "3") throw new Error(`1+2 ended as ${JSON.stringify(state)}`);
		const startMs = performance.now() - startedAt;
		if (isolation === "unknown") throw new Obstacle("its KVM is of a kind that is not known", bootHint);
		return { ok: true, provider: name, isolation: isolation satisfies Isolation, startMs, guest };
	} catch (error) {
		const cause = isHoldpointError(error) && error.cause !== undefined ? error.cause : error;
		const reason = cause instanceof Error ? cause.message : String(cause);
		return { ok: false, provider: name, reason, hint: cause instanceof Obstacle ? cause.hint : bootHint };
	}
}
