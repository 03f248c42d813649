/**
 * Where the tests of this pass run their programs. `vitest.config.ts` makes two passes, each with a HOLDPOINT_SANDBOX of
 * its own, and takes whatever test imports this file into both. For this package's own tests.
 */
import { microvmSandbox } from "../adapters/sandboxes/microvm/provider.ts";
import { wasmSandbox } from "../adapters/sandboxes/wasm/provider.ts";
import type { SandboxProvider } from "../spec/sandbox.ts";

const candidates = {
	wasm: () => wasmSandbox({ workersMax: 1 }),
	microvm: () => microvmSandbox({ machinesMax: 2 }),
};

/** What a harness that opens its own sandbox, and a process that inherits nothing, must be told. */
export const sandboxName: keyof typeof candidates = process.env["HOLDPOINT_SANDBOX"] === "microvm" ? "microvm" : "wasm";

/** A small one: two programs at a time find room in it. Whoever makes it closes it. */
export function sandboxUnderTest(): SandboxProvider {
	return candidates[sandboxName]();
}
