import { accountPrefix, readAccount } from "../budgets/account.ts";
import type { BudgetAccount, BudgetStatus } from "../spec/budget.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Standing, Switch } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Marks } from "../spec/marks.ts";
import type { RunPorts } from "./run-ports.ts";
import { shownGrant } from "./shown-grant.ts";

export interface SwitchRequest extends Pick<Switch, "of"> {
	/** Of the tool, agent or tenant; left out for `all`. */
	readonly name?: string;
	readonly reason: string;
	/** Default: the user of this process. */
	readonly by?: string;
}

/** What a tool of an agent marks in its arguments, where both are known. */
type MarksOf = (agent: string, tool: string) => Marks | undefined;

/** What people lay down for every run of a store: the doors to it. */
export class Governance {
	readonly #ports: () => Promise<RunPorts>;
	readonly #principal: () => string;
	readonly #marksOf: MarksOf;

	constructor(ports: () => Promise<RunPorts>, principal: () => string, marksOf: MarksOf) {
		this.#ports = ports;
		this.#principal = principal;
		this.#marksOf = marksOf;
	}

	/**
	 * What was laid down for every run, as it stands; ended grants left out, and of the others what their tools mark as
	 * sensitive. Errors: `journal.*`, `store.*`.
	 */
	async standing(): Promise<Standing> {
		const { standing, clock } = await this.#ports();
		const laid = await standing.refresh();
		const grants = laid.grants.filter(({ expiresAt }) => clock.now() < expiresAt);
		return { ...laid, grants: grants.map((grant) => shownGrant(grant, this.#marksOf(grant.scope.agent, grant.tool))) };
	}

	/** Budgets, each with the accounts that it has by now, up to 1,000. Errors: `store.*`. */
	async budgets(): Promise<readonly BudgetStatus[]> {
		const { store, clock, budgets } = await this.#ports();
		const now = clock.now();
		return Promise.all(
			budgets.map(async (budget): Promise<BudgetStatus> => {
				const rows = await store.accounts({ prefix: accountPrefix(budget), limit: fixedLimits.queryLimitMax });
				const accounts = rows.flatMap(({ account, spent, held }): BudgetAccount[] => {
					const read = readAccount(budget, account, now);
					const left = budget.max - spent - held;
					const rest = { left: Math.max(0, left), overdrawn: Math.max(0, -left) };
					return read ? [{ account, ...read, spent, held, ...rest }] : [];
				});
				return { budget, accounts };
			}),
		);
	}

	/** From the next decision on it answers nothing. The id may be shortened. Errors: `grant.unknown`. */
	async revoke(grant: string, { by = this.#principal() }: { readonly by?: string } = {}): Promise<void> {
		const { standing, clock } = await this.#ports();
		const { grants } = await standing.refresh();
		const found = grants.filter(({ id }) => id.startsWith(grant));
		const [one] = grant === "" ? [] : found;
		if (!one) throw new HoldpointError("grant.unknown", `There is no grant ${grant}`);
		if (found.length > 1) throw new HoldpointError("grant.unknown", `More than one grant begins with ${grant}`);
		await standing.change({ type: "grant.revoked", grant: one.id, by, at: clock.now() });
	}

	/** Throws a kill switch: from the next decision on, whatever it names is denied, in every run of this store. */
	async switchOff({ of, name = "", reason, by = this.#principal() }: SwitchRequest): Promise<void> {
		checkSwitch({ of, name });
		const { standing, clock } = await this.#ports();
		await standing.change({ type: "switch.thrown", of, name, reason: reason.slice(0, 1_000), by, at: clock.now() });
	}

	async switchOn({ of, name = "", by = this.#principal() }: Omit<SwitchRequest, "reason">): Promise<void> {
		checkSwitch({ of, name });
		const { standing, clock } = await this.#ports();
		await standing.change({ type: "switch.released", of, name, by, at: clock.now() });
	}
}

function checkSwitch({ of, name }: Pick<Switch, "of" | "name">): void {
	const isRight = of === "all" ? name === "" : ["tool", "agent", "tenant"].includes(of) && /^.{1,200}$/su.test(name);
	if (isRight) return;
	throw new HoldpointError(
		"config.invalid",
		`A kill switch cannot be of ${JSON.stringify(of)} ${JSON.stringify(name)}`,
		{ hint: "It is of a tool, an agent or a tenant with its name, or of all without one." },
	);
}
