import assert from "node:assert/strict";
import type { HarnessOptions } from "../holdpoint.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { type AgentDefinition, defineAgent } from "../run/define-agent.ts";
import type { Harness } from "../run/harness.ts";
import type { OpenApproval } from "../run/inbox.ts";
import type { Agent } from "../spec/agent.ts";
import type { Budget } from "../spec/budget.ts";
import type { GrantTerms } from "../spec/governance.ts";
import type { Decision } from "../spec/policy.ts";
import type { RunResult } from "../spec/result.ts";
import type { SandboxProvider } from "../spec/sandbox.ts";
import type { Participant } from "../spec/team.ts";
import type { Tool } from "../spec/tool.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";
import { scriptedModel } from "./scripted-model.ts";
import type { Story } from "./story.ts";

/** Called more than once in a case, as if by one process after the other: every harness has the same store. */
export type MakeHarness = (options: HarnessOptions) => Harness | Promise<Harness>;

/** Where a door is tried: what it can be made of, and processes that come one after the other. */
export interface BypassScene {
	/**
	 * `danger`, to which the door leads. `peek`, an allowed read of a stranger's words: whoever makes a door of its own
	 * reads them before the danger. `gate`, which is held, approved and gives 1; a rehearsal is told that it gives 2.
	 */
	readonly tools: readonly Tool[];
	/** What the person who is asked about the danger says to it; undefined: nothing. */
	readonly answer: "approve" | "deny" | undefined;
	/** An agent that has these tools and plays this story. Default: its name is `knocker`. */
	agent(story: Story, programs?: AgentDefinition["programs"], more?: Partial<AgentDefinition>): Agent;
	/** Another process on the same store, with the agents that were entered with. */
	open(): Promise<Harness>;
	/** Runs the first of these agents or teams, and passes the gates that hold it, each as another process. */
	enter(agents: readonly [Participant, ...Participant[]], atGate?: AtGate): Promise<RunResult>;
	/** What the case does between the answer and its use: for a door that leaves the answer itself, ahead of the call. */
	answeredAhead(): Promise<void>;
}

/** Approves a gate. */
export type AtGate = (harness: Harness, gate: OpenApproval) => Promise<unknown>;

/** A way on which a model could come to the tool `danger`. */
export interface BypassDoor {
	readonly name: string;
	/** It leads through a program: where there is no sandbox it is left out. */
	readonly programs?: true;
	/** Each process finds a snapshot that it cannot restore, so that the program is replayed from its start. */
	readonly replayed?: true;
	/** It must not exist: nobody is even asked. */
	readonly closed?: true;
	/**
	 * Reads what a stranger wrote, then tries the danger, once: with the same arguments in each play. What is asked about
	 * it is left unanswered. Returns how the run stands then.
	 */
	play(scene: BypassScene): Promise<RunResult>;
}

/** What is said to the danger, and what stands beside it. */
export interface Said {
	/** What the policy says. */
	decide(): Decision;
	readonly budgets?: readonly Budget[];
	readonly labels?: true;
	/** What a person says, where one is asked. */
	readonly answer?: "approve" | "deny";
	/** What happens when it is held, and answered where it is answered, before the run goes on. */
	meanwhile?(scene: Scene): unknown;
}

export interface Knocking<V extends Said = Said> {
	readonly door: BypassDoor;
	readonly verdict: V;
	readonly makeHarness: MakeHarness;
	readonly sandbox: SandboxProvider | undefined;
}

export const gatekeeper = { id: "gatekeeper", via: "test" };
export const approver = { id: "approver", via: "test" };
export const tenant = "acme";

const roundsMax = 5;

export class Scene implements BypassScene {
	readonly tools: readonly Tool[];
	readonly clock: ShiftedClock = shiftedClock();
	/** Who has the role that is asked for. */
	readonly managers = new Set([approver.id, "second"]);
	/** Calls in which the danger really happened. */
	readonly ran: string[] = [];
	agents: readonly Participant[] = [];
	isAnswered = false;
	private readonly knocking: Knocking;
	private run = "bypass";
	private processes = 0;

	constructor(knocking: Knocking) {
		this.knocking = knocking;
		this.tools = toolsOf(this.ran);
	}

	get answer(): "approve" | "deny" | undefined {
		return this.isEarlier ? undefined : this.knocking.verdict.answer;
	}

	private get isEarlier(): boolean {
		return this.run !== "bypass";
	}

	agent(story: Story, programs: AgentDefinition["programs"] = false, more: Partial<AgentDefinition> = {}): Agent {
		return defineAgent({
			name: "knocker",
			instructions: "Try every door.",
			model: scriptedModel(story, { countTokens: false }),
			tools: this.tools,
			programs,
			...more,
		});
	}

	async open(): Promise<Harness> {
		const { door, verdict, makeHarness, sandbox } = this.knocking;
		const policy = ({ tool }: { readonly tool: { readonly name: string } }): Decision => {
			if (tool.name === "danger") return verdict.decide();
			return tool.name === "gate" ? { verdict: "ask", reason: "it is a gate" } : { verdict: "allow" };
		};
		const guest = door.replayed && sandbox ? { ...sandbox, guest: `build ${++this.processes}` } : sandbox;
		return makeHarness({
			agents: this.agents,
			policy,
			sandbox: guest ?? "off",
			clock: this.clock,
			rolesOf: ({ id }) => (this.managers.has(id) ? ["manager"] : []),
			budgets: verdict.budgets ?? [],
			labels: verdict.labels ?? false,
		});
	}

	async enter(agents: readonly [Participant, ...Participant[]], atGate = approveGate): Promise<RunResult> {
		this.agents = agents;
		const options = { runId: this.run, tenant, principal: "customer" };
		let now = await (await this.open()).run(agents[0], "Go through the door.", options);
		for (let round = 0; round < roundsMax; round++) {
			const harness = await this.open();
			const gate = await openOf(harness, "gate");
			if (!gate) return now;
			await atGate(harness, gate);
			now = await (await this.open()).resume(now.run);
		}
		throw new assert.AssertionError({ message: "the gates never end" });
	}

	async answeredAhead(): Promise<void> {
		this.isAnswered = true;
		await this.knocking.verdict.meanwhile?.(this);
	}

	/** Once before, in another run: what is asked about the danger is approved, with these terms. */
	async goThroughBefore(run: string, always?: GrantTerms): Promise<void> {
		this.run = run;
		const first = await this.knocking.door.play(this);
		const last = await this.approveDanger(first, always);
		assert.equal(last.status, "completed", `it was allowed before: ${JSON.stringify(last)}`);
		this.run = "bypass";
	}

	private async approveDanger(result: RunResult, always: GrantTerms | undefined): Promise<RunResult> {
		const harness = await this.open();
		const held = await openOf(harness, "danger");
		if (!held) return result;
		await harness.approve(held.approval, { by: approver, ...(always ? { always } : {}) });
		return (await this.open()).resume(result.run);
	}
}

async function approveGate(harness: Harness, { approval }: OpenApproval): Promise<void> {
	await harness.approve(approval, { by: gatekeeper });
}

/** The open question about a call of this tool, whichever run has it. */
export async function openOf(harness: Harness, tool: string): Promise<OpenApproval | undefined> {
	return (await harness.approvals()).find((open) => open.tool === tool && open.unread.length === 0);
}

function toolsOf(ran: string[]): readonly Tool[] {
	const input = jsonSchema({ type: "object" });
	return [
		defineTool({
			name: "peek",
			description: "Reads what a stranger wrote.",
			input,
			effect: "read",
			labels: { readers: ["everyone"] },
			execute: () => "a stranger's words",
		}),
		defineTool({ name: "gate", description: "A gate.", input, effect: "write", simulate: () => 2, execute: () => 1 }),
		defineTool({
			name: "danger",
			description: "What must not happen.",
			input,
			effect: "destructive",
			execute: (_, { call }) => void ran.push(call),
		}),
	];
}

interface ShiftedClock extends Clock {
	advance(ms: number): void;
}

/** This machine's time and so much more. */
function shiftedClock(): ShiftedClock {
	let shift = 0;
	return {
		now: () => systemClock.now() + shift,
		sleep: systemClock.sleep,
		advance: (ms) => {
			shift += ms;
		},
	};
}
