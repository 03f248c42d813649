/** Where tests of teams play: each agent's model plays a story of its own. For this package's own tests. */
import { memoryStore } from "../adapters/stores/memory.ts";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import { type AgentDefinition, defineAgent } from "../run/define-agent.ts";
import type { Harness } from "../run/harness.ts";
import type { Agent } from "../spec/agent.ts";
import type { RunEvent } from "../spec/events.ts";
import type { ModelPrompt } from "../spec/model.ts";
import type { Store } from "../spec/store.ts";
import type { Team } from "../spec/team.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { promptProblems } from "./prompt-order.ts";
import { scriptedModel } from "./scripted-model.ts";
import { stageKeys } from "./stage.ts";
import type { Story } from "./story.ts";

/** What each agent says, by its name; or all of its definition. */
export interface Cast {
	readonly [name: string]: Story | (Partial<AgentDefinition> & { readonly story: Story });
}

export interface TeamStageOptions {
	readonly cast: Cast;
	/** Makes the team of the agents. */
	readonly team: (agents: { readonly [name: string]: Agent }) => Team;
	readonly harness?: HarnessOptions;
	readonly store?: Store;
	readonly clock?: FakeClock;
}

export interface TeamStage {
	readonly harness: Harness;
	readonly team: Team;
	readonly agents: { readonly [name: string]: Agent };
	readonly store: Store;
	readonly clock: FakeClock;
	/** Every prompt that each agent's model was given, in order. */
	readonly prompts: { readonly [name: string]: ModelPrompt[] };
	/** Another harness on the same store, as another process would have. */
	again(changes?: Partial<TeamStageOptions>): TeamStage;
	events(run: string): Promise<readonly RunEvent[]>;
	/** What was said, by whom, as the next prompt of an agent shows it. */
	said(agent: string): string[];
}

export function teamStage(options: TeamStageOptions): TeamStage {
	const {
		cast,
		team: make,
		harness: ports = {},
		store = memoryStore(),
		clock = fakeClock({ skipMs: 20_000 }),
	} = options;
	const prompts: Record<string, ModelPrompt[]> = {};
	const agents: Record<string, Agent> = {};
	for (const [name, part] of Object.entries(cast)) {
		const { story, ...definition } = "story" in part ? part : { story: part };
		const seen: ModelPrompt[] = [];
		prompts[name] = seen;
		const inner = scriptedModel(story as Story, { countTokens: false });
		const model = {
			...inner,
			doGenerate: (request: Parameters<typeof inner.doGenerate>[0]) => {
				seen.push(structuredClone(request.prompt));
				return inner.doGenerate(request);
			},
			doStream: (request: Parameters<typeof inner.doStream>[0]) => {
				seen.push(structuredClone(request.prompt));
				return inner.doStream(request);
			},
		};
		agents[name] = defineAgent({ name, instructions: `You are ${name}.`, model, ...definition });
	}
	const team = make(agents);
	const harness = createHarness({ store, clock, keys: stageKeys, sandbox: "off", agents: [team], ...ports });
	return {
		harness,
		team,
		agents,
		store,
		clock,
		prompts,
		again: (changes = {}) =>
			teamStage({ ...options, store, clock, ...changes, harness: { ...ports, ...changes.harness } }),
		events: async (run) => (await harness.show(run)).events.map(({ event }) => event),
		said: (agent) => textsOf(prompts[agent]?.at(-1) ?? []),
	};
}

/** What a provider would find wrong with any prompt of these scenes. */
export function brokenOf(...scenes: readonly TeamStage[]): string[] {
	return scenes.flatMap(({ prompts }) => Object.values(prompts).flat().flatMap(promptProblems));
}

/** Texts of a prompt with their roles; calls and results by their tool. */
export function textsOf(prompt: ModelPrompt): string[] {
	return prompt.flatMap((message) => {
		if (message.role === "system") return [];
		return message.content.map((part) => {
			if (part.type === "text") return `${message.role}: ${part.text}`;
			if (part.type === "tool-call") return `call: ${part.toolName}`;
			return part.type === "tool-result" ? `result: ${part.toolName}` : part.type;
		});
	});
}
