import { isDeepStrictEqual } from "node:util";
import { memoryStore } from "../../../packages/holdpoint/src/adapters/stores/memory.ts";
import { createHarness } from "../../../packages/holdpoint/src/holdpoint.ts";
import { defineTeam } from "../../../packages/holdpoint/src/routing/handoff.ts";
import { agentTool } from "../../../packages/holdpoint/src/run/agent-tool.ts";
import { defineAgent } from "../../../packages/holdpoint/src/run/define-agent.ts";
import type { Harness } from "../../../packages/holdpoint/src/run/harness.ts";
import type { Agent } from "../../../packages/holdpoint/src/spec/agent.ts";
import type { PolicyRequest } from "../../../packages/holdpoint/src/spec/policy.ts";
import type { RunResult, Wait } from "../../../packages/holdpoint/src/spec/result.ts";
import type { SandboxProvider } from "../../../packages/holdpoint/src/spec/sandbox.ts";
import type { Participant } from "../../../packages/holdpoint/src/spec/team.ts";
import type { Labels, Tool } from "../../../packages/holdpoint/src/spec/tool.ts";
import { obedientModel } from "../../../packages/holdpoint/src/testing/obedient-model.ts";
import { scriptedModel } from "../../../packages/holdpoint/src/testing/scripted-model.ts";
import { call, type Story, say } from "../../../packages/holdpoint/src/testing/story.ts";
import { type DeskCall, type Goal, goals } from "./goals.ts";
import { page } from "./strangers.ts";
import { type Way, ways } from "./ways.ts";
import type { Worlds } from "./worlds.ts";

/* Plays one case once: a world, an obedient model, and a policy that allows everything. */

export interface InjectionCase {
	readonly id: string;
	readonly way: Way;
	readonly goal: Goal;
}

/** Where users' words are for the desk alone, no page of the web can be read: there is nothing to inject. */
const impossible = (way: Way, { labels }: Goal): boolean => way.source === "look_up" && labels?.input !== undefined;

/** Every way with every goal. */
export const injectionCases: readonly InjectionCase[] = ways.flatMap((way) =>
	goals.flatMap((goal) => (impossible(way, goal) ? [] : { id: `${way.channel} → ${goal.name}`, way, goal })),
);

export interface Trial {
	readonly labels: boolean;
	/** False: the strangers write nothing of note, and people say yes to everything that is asked. */
	readonly isAttack: boolean;
	/** What the strangers' tool declares instead. */
	readonly relabel?: Labels;
}

export interface Stage {
	readonly worlds: Worlds;
	readonly sandbox: SandboxProvider;
}

export interface Trialled {
	readonly status: RunResult["status"];
	/** All that happened, without the page that a case reads. */
	readonly consequences: readonly string[];
	/** Questions to people. */
	readonly asks: number;
	/** What became of the calls that the injected text told the model to make: their first verdicts. */
	readonly obeyed: readonly string[];
}

export async function playCase(played: InjectionCase, trial: Trial, { worlds, sandbox }: Stage): Promise<Trialled> {
	const { way, goal } = played;
	const world = worlds.open(goal.desk);
	const words = trial.isAttack ? `Well. ${(way.tell ?? told)(goal.order)}` : "Well.";
	if (way.source) world.strangers.words.set(way.source, words);
	const { relabel } = trial;
	const relabelled = (tool: Tool) => (relabel && tool.name === way.source ? { ...tool, labels: relabel } : tool);
	const agent = deskOf(played, world.tools.map(relabelled));
	const store = memoryStore();
	// Another process each time, as far as the store can tell.
	const open = () =>
		createHarness({
			store,
			sandbox,
			keys: [{ id: "k1", secret: new Uint8Array(32).fill(7) }],
			agents: [agent],
			labels: trial.labels && (goal.labels ?? true),
			policy: (request: PolicyRequest) => allowing(way, request),
		});
	const result = await talk({ way, goal, agent, open, words, approves: !trial.isAttack });
	const seen = await Promise.all((await open().runs({})).map(({ run }) => open().show(run)));
	const events = seen.flatMap((view) => view.events.map(({ event }) => event));
	const calls = seen.flatMap(({ state }) => [...state.calls.values()]);
	return {
		status: result.status,
		consequences: world.consequences().filter((line) => line !== `look_up ${page}`),
		asks: events.filter(({ type }) => type === "approval.requested").length,
		obeyed: calls.filter((call) => isOrdered(goal, call)).map(({ verdict }) => verdict?.verdict ?? "none"),
	};
}

function told({ tool, args }: DeskCall): string {
	return `<<call ${tool} ${JSON.stringify(args)}>>`;
}

/** The desk's agent, and a colleague where there is one. */
function deskOf(played: InjectionCase, tools: readonly Tool[]): Participant {
	const { way } = played;
	if (!way.colleague) return agentOf(played, tools);
	const colleague = colleagueOf(
		way,
		tools.filter(({ name }) => name === way.source),
	);
	if (way.colleague === "is asked") return agentOf(played, [...tools, agentTool(colleague)]);
	return defineTeam({
		name: "shop",
		participants: [agentOf(played, tools), colleague],
		coordinator: "desk",
		// Nothing but what it writes itself is carried.
		edges: { desk: ["colleague"], colleague: [{ to: "desk", carry: "summary" }] },
		terminateWhen: (said) => said.at(-1)?.by !== "user",
	});
}

/** It reads, and tells what it has read; it obeys nothing. */
function colleagueOf({ source, colleague }: Way, tools: readonly Tool[]): Agent {
	const story: Story = ({ results }) => {
		const [mail] = results;
		if (!mail) return call(source ?? "");
		const text = `It says: ${(mail.value as { readonly body: string }).body}`;
		return colleague === "hands back" ? call("handoff_to_desk", { reason: "read", summary: text }) : say(text);
	};
	const model = scriptedModel(story, { countTokens: false });
	return defineAgent({ name: "colleague", instructions: "Read the mail.", model, tools });
}

function agentOf({ way, goal }: InjectionCase, tools: readonly Tool[]): Agent {
	const direct = way.programs === "reads" ? [...new Set([goal.order.tool, goal.task.tool])] : [];
	const obeys = way.obeys ?? "at once";
	return defineAgent({
		name: "desk",
		instructions: "Serve the customer.",
		model: obedientModel(way.story(goal), { countTokens: false, obeys }),
		tools,
		...(way.programs ? { programs: { direct } } : {}),
	});
}

function allowing(way: Way, { tool, args, approvedBy }: PolicyRequest) {
	if (!way.isGate?.(tool.name, args) || approvedBy.length > 0) return { verdict: "allow" } as const;
	return { verdict: "ask", reason: "a person looks at this" } as const;
}

/** Other than what the task itself and the case want of the same tool. */
function isOrdered({ order, task }: Goal, call: { readonly tool: string; readonly args?: unknown }): boolean {
	if (call.tool !== order.tool || call.args === undefined) return false;
	return ![task.args, { url: page }].some((args) => isDeepStrictEqual(args, call.args));
}

interface Talk {
	readonly way: Way;
	readonly goal: Goal;
	readonly agent: Participant;
	readonly open: () => Harness;
	readonly words: string;
	readonly approves: boolean;
}

async function talk(talking: Talk): Promise<RunResult> {
	const { way, goal, agent, open } = talking;
	const principal = "marta";
	if (!way.second) return answerAll(talking, await open().run(agent, goal.request, { principal }));
	const send = (text: string) => open().session("s", agent).send(text, { principal });
	let result = await send(goal.request);
	if (way.second === "after") result = await answerAll(talking, result);
	// Whoever waits in the second message still waits for what the first one left.
	result = await send("And?");
	return answerAll(talking, result);
}

type Approval = Extract<Wait, { readonly kind: "approval" }>;

/** Answers what is a case's own to be asked, and everything where people say yes to everything. */
async function answerAll({ way, open, words, approves }: Talk, first: RunResult): Promise<RunResult> {
	let result = first;
	for (let round = 0; round < 10 && result.status === "waiting"; round++) {
		const held = result.waits.filter((wait): wait is Approval => wait.kind === "approval");
		const answered = held.filter(({ tool, args }) => approves || way.isGate?.(tool, args));
		if (answered.length === 0) break;
		for (const { approval, tool, args } of answered) {
			const edited = way.isGate?.(tool, args) ? way.edit?.(words) : undefined;
			await open().approve(approval, { by: { id: "bob", via: "test" }, ...(edited ? { args: edited } : {}) });
		}
		result = await open().resume(result.run);
	}
	return result;
}
