import { availableParallelism } from "node:os";
import { HoldpointError } from "../../../spec/errors.ts";
import { defaultProgramLimits } from "../../../spec/limits.ts";
import type { Guest, ProgramSpec, SandboxProbe, SandboxProvider } from "../../../spec/sandbox.ts";
import { guestDigest } from "../guest-image/guest-digest.ts";
import { SeatedGuest } from "../guest-image/seated-guest.ts";
import { snapshotFormat } from "../guest-image/snapshot-header.ts";
import { WorkerPool } from "./worker-pool.ts";
import { WorkerSeat } from "./worker-seat.ts";

export interface WasmSandboxOptions {
	/** Threads that run programs. One less than the machine has cores, at least 1, at most 4. */
	readonly workersMax?: number;
	/** Guests that each thread keeps for the next programs, half a megabyte each. 4. */
	readonly warm?: number;
}

/**
 * Programs in a JavaScript engine compiled to WebAssembly, on worker threads. Threads start with the first program, do
 * not keep the process alive, and end with `close()`.
 */
export function wasmSandbox(options: WasmSandboxOptions = {}): SandboxProvider {
	const { workersMax = Math.min(4, Math.max(1, availableParallelism() - 1)), warm = 4 } = options;
	const pool = new WorkerPool(checkedCount("workersMax", workersMax), checkedCount("warm", warm));
	const provider: SandboxProvider = {
		name: "wasm",
		guest: guestDigest,
		format: snapshotFormat,
		probe: () => probe(provider),
		async start(program: ProgramSpec): Promise<Guest> {
			await pool.open();
			return new SeatedGuest(new WorkerSeat(pool), program);
		},
		async restore(snapshot: Uint8Array, program: ProgramSpec): Promise<Guest> {
			await pool.open();
			const guest = new SeatedGuest(new WorkerSeat(pool), program);
			await guest.restore(snapshot);
			return guest;
		},
		close: () => pool.close(),
	};
	return provider;
}

function checkedCount(name: string, value: number): number {
	if (Number.isInteger(value) && value >= 1 && value <= 1_024) return value;
	throw new HoldpointError("config.invalid", `${name} of wasmSandbox is ${value}`, {
		hint: "It is a whole number from 1 to 1024.",
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

async function probe(provider: SandboxProvider): Promise<SandboxProbe> {
	const startedAt = performance.now();
	try {
		const guest = await provider.start(probeProgram);
		const { state } = await guest.advance({ answers: [], clockMs: 0 });
		if (state.kind !== "returned" || state.value !== "3") throw new Error(`1+2 ended as ${JSON.stringify(state)}`);
		const startMs = performance.now() - startedAt;
		return { ok: true, provider: provider.name, isolation: "wasm", startMs, guest: provider.guest };
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return {
			ok: false,
			provider: provider.name,
			reason,
			hint: "Reinstall the package: its guest must be as published.",
		};
	}
}
