/** What is used of `@hyperlight-dev/js-host-api` 0.4.0, whose platform package ships no declarations, and how it is loaded. */
import { createRequire } from "node:module";
import { reasonOf } from "../../../kit/reason-of.ts";
import { HoldpointError } from "../../../spec/errors.ts";

export const hostApiPackage = "@hyperlight-dev/js-host-api-linux-x64-gnu";
export const hostApiVersion = "0.4.0";

/** Errors of every method: an Error whose message begins with `[ERR_…]`. Sizes are bytes. */
export interface HostApi {
	readonly SandboxBuilder: new () => SandboxBuilder;
}

interface SandboxBuilder {
	setHeapSize(bytes: number): this;
	/** Stack, buffers, and every page that the guest writes. */
	setScratchSize(bytes: number): this;
	setInputBufferSize(bytes: number): this;
	setOutputBufferSize(bytes: number): this;
	/** Called on this thread while the guest waits. Holds the process open until its sandbox is disposed of. */
	setHostPrintFn(print: (text: string) => number): this;
	build(): Promise<{ loadRuntime(): Promise<JsSandbox> }>;
}

interface JsSandbox {
	/** The script defines and exports `handler`. */
	addHandler(name: string, script: string): void;
	getLoadedSandbox(): Promise<LoadedSandbox>;
}

/** A virtual machine with our guest in it. A call that was stopped, or broke the guest, leaves it to be restored. */
export interface LoadedSandbox {
	callHandler(name: string, event: unknown, options: CallOptions): Promise<unknown>;
	readonly lastCallStats: CallStats | null;
	readonly interruptHandle: { kill(): void };
	snapshot(): Promise<MemorySnapshot>;
	restore(snapshot: MemorySnapshot): Promise<void>;
	dispose(): Promise<void>;
}

/** Memory and registers, in this process. It fits every sandbox of the same sizes; it cannot be written down. */
export type MemorySnapshot = object & { readonly isMemorySnapshot?: never };

/** Milliseconds, whole, from 1 to 3,600,000. */
interface CallOptions {
	readonly wallClockTimeoutMs: number;
	readonly cpuTimeoutMs: number;
	readonly gc: boolean;
}

interface CallStats {
	readonly cpuTimeMs?: number | null;
	readonly terminatedBy?: string | null;
}

/** Errors: `sandbox.unavailable`, with how to get it. */
export async function loadHostApi(): Promise<HostApi> {
	const hint = `Install it beside Holdpoint: npm install --save-exact ${hostApiPackage}@${hostApiVersion} (Linux on x86-64 with glibc).`;
	const load = createRequire(import.meta.url);
	let version: unknown;
	try {
		({ version } = load(`${hostApiPackage}/package.json`) as { readonly version?: unknown });
		// Another version has another guest: its snapshots, its errors and what a program sees are not those known here.
		if (version === hostApiVersion) return load(hostApiPackage) as HostApi;
	} catch (error) {
		throw new HoldpointError("sandbox.unavailable", `Hyperlight cannot be loaded: ${firstLine(reasonOf(error))}`, {
			cause: error,
			hint,
		});
	}
	const found = String(version).slice(0, 50);
	throw new HoldpointError("sandbox.unavailable", `${hostApiPackage} is ${found}, and ${hostApiVersion} is needed`, {
		hint,
	});
}

function firstLine(text: string): string {
	return text.split("\n", 1)[0] ?? "";
}
