import { checkSums } from "../budgets/check-budgets.ts";
import type { Agent } from "../spec/agent.ts";
import type { Budget } from "../spec/budget.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { RunStarted } from "../spec/events.ts";
import type { Policy } from "../spec/policy.ts";
import type { Participant } from "../spec/team.ts";
import { castOf, type ReadyOptions, readyAgent } from "./ready-agent.ts";
import type { ReadyAgent } from "./run-ports.ts";

interface KnownParts extends Pick<ReadyOptions, "model" | "limits"> {
	readonly agents: readonly Participant[];
	readonly budgets: readonly Budget[];
}

/** The agents and teams that a harness can go on with, by name. */
export class KnownAgents {
	private readonly parts: KnownParts;
	private readonly known = new Map<string, Participant>();
	private readonly ready = new WeakMap<Participant, ReadyAgent>();

	/** Errors: those of `add`. */
	constructor(parts: KnownParts) {
		this.parts = parts;
		for (const agent of parts.agents) this.add(agent);
	}

	/** Errors: those of `check`. */
	add(agent: Participant): void {
		this.check(agent);
		this.known.set(agent.name, agent);
	}

	/** Errors: `agent.invalid`, and those of budgets. */
	check(agent: Participant): void {
		const known = this.known.get(agent.name);
		if (known && known !== agent && known.digest !== agent.digest) {
			throw new HoldpointError("agent.invalid", `Two different agents are named ${agent.name}`);
		}
		if (known === agent) return;
		for (const one of castOf(agent)) checkSums(this.parts.budgets, one.tools);
	}

	/** Whoever has that name among all who may work in somebody's runs: each team may have another one. */
	named(name: string): readonly Agent[] {
		const found = [...this.known.values()].flatMap((known) => castOf(known).filter((one) => one.name === name));
		return [...new Set(found)];
	}

	/** Whoever has that name among those who may work in the runs of `owner`. */
	workerOf(owner: string, name: string): Agent | undefined {
		const known = this.known.get(owner);
		return known && castOf(known).find((one) => one.name === name);
	}

	/** Whose run it is. Errors: `agent.unknown`. */
	of(run: string, { agent: { name } }: RunStarted): Participant {
		const agent = this.known.get(name);
		if (agent) return agent;
		throw new HoldpointError(
			"agent.unknown",
			`Run ${run} belongs to the agent ${name}, which this harness does not know`,
		);
	}

	/** With the tools of which it is to be told where it works for this principal. */
	readyFor(policy: Policy, agent: Participant, who: Pick<RunStarted, "principal" | "tenant">): ReadyAgent {
		const { model, limits } = this.parts;
		if (policy.declares) {
			const facts = { principal: who.principal, tenant: who.tenant };
			const declared: ReadyOptions["declared"] = (tool, name) =>
				policy.declares?.({ ...facts, agent: name, tool }) ?? true;
			return readyAgent(agent, { model, limits, declared });
		}
		let ready = this.ready.get(agent);
		if (!ready) {
			ready = readyAgent(agent, { model, limits, declared: () => true });
			this.ready.set(agent, ready);
		}
		return ready;
	}
}
