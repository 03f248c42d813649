import { policyVersion } from "../policy/decide.ts";
import type { StandingEvent } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { RunPorts } from "./run-ports.ts";

type Parts = Pick<RunPorts, "audit" | "standing" | "policy" | "budgets" | "clock">;

/**
 * 1. What was laid down is durable before the first decision that rests on it is written.
 * 2. A process says what is new to itself: two that decide by different policies do not take turns in telling it.
 */
export function layingDown(
	{ audit, standing, policy, budgets, clock }: Parts,
	principal: () => string,
): RunPorts["layDown"] {
	if (!audit) return () => undefined;
	let told: { readonly key: string; readonly isDurable: Promise<void> | undefined } | undefined;
	let areBudgetsTold = false;
	const tell = async (version: string, refused: string | undefined): Promise<void> => {
		const laying = { by: principal(), at: clock.now() };
		const events: StandingEvent[] = [{ type: "policy.changed", version, ...laying }];
		if (refused !== undefined)
			events.push({
				type: "policy.refused",
				version,
				refused: String(refused).slice(0, fixedLimits.idCharsMax),
				...laying,
			});
		if (!areBudgetsTold) events.push({ type: "budgets.changed", budgets, ...laying });
		for (const event of events) await standing.change(event);
		areBudgetsTold = true;
	};
	return () => {
		const version = policyVersion(policy);
		const { refused } = policy;
		const key = refused === undefined ? version : `${version}\n${refused}`;
		if (told?.key === key) return told.isDurable;
		// One after the other, so that what was laid down last stands last.
		const before = told?.isDurable?.catch(() => undefined) ?? Promise.resolve();
		const isDurable = before
			.then(() => tell(version, refused))
			.then(
				() => {
					if (told?.key === key) told = { key, isDurable: undefined };
				},
				(error) => {
					if (told?.key === key) told = undefined;
					throw error;
				},
			);
		told = { key, isDurable };
		return isDurable;
	};
}
