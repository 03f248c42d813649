/**
 * What every sandbox provider promises, as cases that any test runner can run:
 * `for (const c of sandboxContract) test(c.name, () => c.run(make))`.
 */
import { callCases } from "./sandbox-call-cases.ts";
import { hostileCases } from "./sandbox-hostile-cases.ts";
import { limitCases } from "./sandbox-limit-cases.ts";
import type { SandboxCase } from "./sandbox-play.ts";
import { surfaceCases } from "./sandbox-surface-cases.ts";
import { waitingCases } from "./sandbox-waiting-cases.ts";

export type { MakeSandbox, SandboxCase } from "./sandbox-play.ts";

export const sandboxContract: readonly SandboxCase[] = [
	...surfaceCases,
	...callCases,
	...waitingCases,
	...limitCases,
	...hostileCases,
];
