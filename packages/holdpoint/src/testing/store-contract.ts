/**
 * What every store must do, as cases that any test runner can run: each sentence of the port is one of them.
 *
 * @example
 * for (const { name, run } of storeContract) test(name, () => run(async () => ({ store: myStore(), close })));
 */
import { auditCases } from "./store-contract/audit-cases.ts";
import { commitCases } from "./store-contract/commit-cases.ts";
import type { StoreCase } from "./store-contract/fixture.ts";
import { indexCases } from "./store-contract/index-cases.ts";
import { leaseCases } from "./store-contract/lease-cases.ts";
import { lifeCases } from "./store-contract/life-cases.ts";
import { memoryCases } from "./store-contract/memory-cases.ts";
import { sharedCases } from "./store-contract/shared-cases.ts";
import { signalCases } from "./store-contract/signal-cases.ts";

export type { StoreCase, StoreFixture } from "./store-contract/fixture.ts";

export const storeContract: readonly StoreCase[] = [
	...commitCases,
	...leaseCases,
	...signalCases,
	...sharedCases,
	...indexCases,
	...lifeCases,
	...auditCases,
	...memoryCases,
];
