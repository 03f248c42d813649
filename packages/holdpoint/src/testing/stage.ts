/** Where tests of runs play: a harness over fakes, and what the model saw of it. For this package's own tests. */
import type { LanguageModelV4 } from "@ai-sdk/provider";
import { memoryStore } from "../adapters/stores/memory.ts";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import type { SealKey } from "../kit/seal.ts";
import { type AgentDefinition, defineAgent } from "../run/define-agent.ts";
import type { Harness } from "../run/harness.ts";
import type { Agent } from "../spec/agent.ts";
import type { RunEvent } from "../spec/events.ts";
import type { ModelPrompt } from "../spec/model.ts";
import type { RunResult, Wait } from "../spec/result.ts";
import type { Store } from "../spec/store.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { scriptedModel } from "./scripted-model.ts";
import type { Story } from "./story.ts";

export const stageKeys: readonly SealKey[] = [{ id: "k1", secret: new Uint8Array(32).fill(7) }];

export interface StageOptions extends Partial<AgentDefinition> {
	readonly story: Story;
	/** Between the story and the harness. */
	readonly around?: (model: LanguageModelV4) => LanguageModelV4;
	readonly harness?: HarnessOptions;
	readonly store?: Store;
	readonly clock?: FakeClock;
}

export interface StageChanges {
	readonly agent?: Partial<AgentDefinition>;
	readonly harness?: HarnessOptions;
	readonly store?: Store;
}

export interface Stage {
	readonly harness: Harness;
	readonly agent: Agent;
	readonly store: Store;
	readonly clock: FakeClock;
	/** Every prompt that the model was given, in order. */
	readonly prompts: readonly ModelPrompt[];
	/** Another harness on the same store, as another process would have: with this agent, or a changed one. */
	again(changes?: StageChanges): Stage;
	/** Events of a run, from its verified journal. */
	events(run: string): Promise<readonly RunEvent[]>;
}

/** Sets a scene: one agent whose model plays the story, one harness, one store. */
export function stage(options: StageOptions): Stage {
	const { story, around = (model) => model, harness: ports = {}, store = memoryStore(), ...rest } = options;
	const clock = options.clock ?? fakeClock({ skipMs: 20_000 });
	const { clock: _, ...definition } = rest;
	const prompts: ModelPrompt[] = [];
	const model = watched(around(scriptedModel(story, { countTokens: false })), prompts);
	const agent = defineAgent({ name: "tester", instructions: "Do what the story says.", model, ...definition });
	const harness = createHarness({ store, clock, keys: stageKeys, sandbox: "off", agents: [agent], ...ports });
	return {
		harness,
		agent,
		store,
		clock,
		prompts,
		again: (changes = {}) =>
			stage({
				...options,
				...changes.agent,
				store: changes.store ?? store,
				clock,
				harness: { ...ports, ...changes.harness },
			}),
		events: async (run) => (await harness.show(run)).events.map(({ event }) => event),
	};
}

/** Notes prompts as they were: messages of a run are shared with its state. */
function watched(inner: LanguageModelV4, prompts: ModelPrompt[]): LanguageModelV4 {
	const note = (prompt: ModelPrompt): void => void prompts.push(structuredClone(prompt));
	return {
		...inner,
		doGenerate: (request) => {
			note(request.prompt);
			return inner.doGenerate(request);
		},
		doStream: (request) => {
			note(request.prompt);
			return inner.doStream(request);
		},
	};
}

/** What a run waits for, where that is exactly one thing of this kind. */
export function onlyWait<Kind extends Wait["kind"]>(result: RunResult, kind: Kind): Extract<Wait, { kind: Kind }> {
	const waits = result.status === "waiting" ? result.waits : [];
	const [wait] = waits;
	if (waits.length !== 1 || wait?.kind !== kind) {
		throw new Error(`Expected one ${kind}, got ${JSON.stringify(result)}`);
	}
	return wait as Extract<Wait, { kind: Kind }>;
}

export function ofType<Type extends RunEvent["type"]>(
	events: readonly RunEvent[],
	type: Type,
): Extract<RunEvent, { readonly type: Type }>[] {
	return events.filter((event): event is Extract<RunEvent, { readonly type: Type }> => event.type === type);
}

/** A promise that a test settles, to hold something exactly where it is. */
export function gate<T = void>() {
	return Promise.withResolvers<T>();
}
