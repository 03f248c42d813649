import { afterAll, describe, test } from "vitest";
import { sandboxContract } from "../../../testing/sandbox-contract.ts";
import { wasmSandbox } from "./provider.ts";

describe("sandbox contract: wasm", () => {
	const shared = wasmSandbox({ workersMax: 2 });
	afterAll(() => shared.close());

	for (const { name, run } of sandboxContract) {
		test(name, { timeout: 60_000 }, () => run((options) => (options?.fresh ? wasmSandbox({ workersMax: 1 }) : shared)));
	}
});
