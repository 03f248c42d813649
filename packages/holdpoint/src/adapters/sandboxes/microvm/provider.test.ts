import { afterAll, describe, test } from "vitest";
import { sandboxContract } from "../../../testing/sandbox-contract.ts";
import { whyNoMicrovm } from "./machines-for-tests.ts";
import { microvmSandbox } from "./provider.ts";

const why = await whyNoMicrovm();
if (why) console.log(`skipped: ${why}`);

describe.skipIf(why)("sandbox contract: microvm", () => {
	const shared = microvmSandbox();
	afterAll(() => shared.close());

	for (const { name, run } of sandboxContract) {
		test(name, { timeout: 60_000 }, () =>
			run((options) => (options?.fresh ? microvmSandbox({ machinesMax: 1 }) : shared)),
		);
	}
});
