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

/**
 * The contract for a provider that cannot keep all of it. `skips` has a reason by the name of each such case, and is
 * exact: a case that is skipped runs all the same, and fails where it would have passed.
 * Errors: an Error that lists the names which are no case.
 */
export function sandboxContractExcept(
	skips: { readonly [name: string]: string },
	cases: readonly SandboxCase[] = sandboxContract,
): readonly SandboxCase[] {
	const known = new Set(cases.map(({ name }) => name));
	const unknown = Object.keys(skips).filter((name) => !known.has(name));
	if (unknown.length > 0) throw new Error(`No case of the sandbox contract: ${unknown.join("; ")}`);
	return cases.map((one) => {
		const reason = Object.hasOwn(skips, one.name) ? skips[one.name] : undefined;
		return reason === undefined ? one : skipped(one, reason);
	});
}

function skipped({ name, run }: SandboxCase, reason: string): SandboxCase {
	return {
		name: `skipped: ${name} (${reason})`,
		async run(make) {
			const failure = await run(make).then(
				() => undefined,
				(error: unknown) => ({ error }),
			);
			if (!failure) throw new Error(`It is skipped and would pass: take "${name}" out of the skips`);
		},
	};
}
