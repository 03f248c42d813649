import { afterAll, describe, test } from "vitest";
import { sandboxContractExcept } from "../../../testing/sandbox-contract.ts";
import { contractSkips } from "./contract-skips.ts";
import { hyperlightSandbox } from "./provider.ts";

const tried = hyperlightSandbox();
const found = await tried.probe();
await tried.close();
if (!found.ok) console.log(`skipped: ${found.reason}`);

describe.skipIf(!found.ok)("sandbox contract: hyperlight", () => {
	const shared = hyperlightSandbox();
	afterAll(() => shared.close());

	for (const { name, run } of sandboxContractExcept(contractSkips)) {
		test(name, { timeout: 60_000 }, () =>
			run((options) => (options?.fresh ? hyperlightSandbox({ machinesMax: 1 }) : shared)),
		);
	}
});
