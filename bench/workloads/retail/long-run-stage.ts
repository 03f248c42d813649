import { createHarness } from "../../../packages/holdpoint/src/holdpoint.ts";
import type { Harness } from "../../../packages/holdpoint/src/run/harness.ts";
import type { SandboxProvider } from "../../../packages/holdpoint/src/spec/sandbox.ts";
import type { Store } from "../../../packages/holdpoint/src/spec/store.ts";
import { tokenCounter } from "../../../packages/holdpoint/src/testing/token-counter.ts";
import { type SoloWiring, taskInput } from "./agent.ts";
import {
	judgeLongRun,
	type LongRunReport,
	longRunAgent,
	longRunBudget,
	playLongRun,
	sequenceGold,
	stepsOf,
} from "./long-run.ts";
import { PromptWatch } from "./prompt-watch.ts";
import type { RetailWorkload } from "./tasks.ts";
import type { RetailWorld } from "./world.ts";

/** What one process needs for the long run, or for its part of it. */
export interface LongRunStageOptions {
	readonly workload: RetailWorkload;
	readonly wiring: SoloWiring;
	/** Closed with the stage. */
	readonly store: Store;
	readonly world: RetailWorld;
	/** Default: one of its own. */
	readonly sandbox?: SandboxProvider;
	/** So many of the tasks. Default: all. */
	readonly taskCount?: number | undefined;
}

export interface LongRunStage {
	readonly harness: Harness;
	/** Of this process's prompts. */
	readonly watch: PromptWatch;
	/** From wherever the session is to the end of the last task; what each task took, in milliseconds. */
	play(): Promise<readonly number[]>;
	judge(): Promise<LongRunReport>;
	close(): Promise<void>;
}

export async function openLongRun(options: LongRunStageOptions): Promise<LongRunStage> {
	const { workload, wiring, store, world, sandbox, taskCount } = options;
	const tasks = workload.tasks.slice(0, taskCount);
	const [first] = tasks;
	const count = await tokenCounter(true);
	if (!first || !count) throw new Error("There is no task, or nothing to count tokens with");
	const gold = sequenceGold({ db: workload.db, tasks });
	const steps = stepsOf(tasks, gold, wiring);
	const watch = new PromptWatch({ request: taskInput(first), budget: longRunBudget, steps });
	const onRequest = watch.see.bind(watch);
	const agent = longRunAgent({ workload, world, wiring, steps, count, onRequest });
	const harness = createHarness({ store, agents: [agent], sandbox: sandbox ?? (wiring === "turns" ? "off" : "auto") });
	return {
		harness,
		watch,
		async play() {
			const times: number[] = [];
			await playLongRun({ harness, agent, tasks, onTask: (ms) => times.push(ms) });
			return times;
		},
		judge: () => judgeLongRun({ harness, tasks, world, gold }),
		async close() {
			await harness.close();
			world.close();
		},
	};
}
