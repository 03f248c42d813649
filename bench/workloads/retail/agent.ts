import { defineAgent } from "../../../packages/holdpoint/src/run/define-agent.ts";
import type { Agent } from "../../../packages/holdpoint/src/spec/agent.ts";
import type { Tool } from "../../../packages/holdpoint/src/spec/tool.ts";
import { scriptedModel } from "../../../packages/holdpoint/src/testing/scripted-model.ts";
import { call, program, type Story, type StoryAsk, say } from "../../../packages/holdpoint/src/testing/story.ts";
import { defineTool } from "../../../packages/holdpoint/src/tools/define-tool.ts";
import { jsonSchema } from "../../../packages/holdpoint/src/tools/json-schema.ts";
import { taskProgram, taskTurns } from "./program.ts";
import type { RetailTask, RetailWorkload } from "./tasks.ts";
import { type EffectClass, retailEffects, retailLabels } from "./tools.ts";
import type { RetailWorld } from "./world.ts";

/* The retail desk as an agent of the harness: its 16 tools over one world, and a scripted model that plays one task. */

/** One call a turn, or the whole task as one program. */
export type SoloWiring = "turns" | "program";
export const wirings: readonly SoloWiring[] = ["turns", "program"];
/** By one agent, or by a team: `team.ts`. */
export type Wiring = SoloWiring | "team";

/** What the agent is given: the policy as its instructions, and the tools as the data set describes them. */
export type RetailDesk = Pick<RetailWorkload, "tools" | "policy">;

/** What of a task is played; what it should come to is not the agent's to know. */
export type PlayedTask = Pick<RetailTask, "id" | "request"> & {
	readonly actions: readonly Pick<RetailTask["actions"][number], "name" | "arguments">[];
};

/**
 * How the writes are declared, and whether the world is given the call's key.
 * `once`: it is not, so that a second call is a second write. `keyless`: nor is it here, though the tool says `keyed`:
 * a wrong promise, which shows what the right ones are worth.
 */
export type WriteRepeat = "keyed" | "once" | "keyless";

export interface RetailToolOptions {
	readonly desk: Pick<RetailDesk, "tools">;
	readonly repeat?: WriteRepeat;
}

/** The 16 tools of the desk, acting on `world`. What the world refuses is thrown with the world's own text. */
export function retailTools(world: RetailWorld, { desk, repeat = "keyed" }: RetailToolOptions): readonly Tool[] {
	const effects: Readonly<Record<string, EffectClass>> = retailEffects;
	return desk.tools.map(({ name, description, parameters }) => {
		const declared = effects[name];
		if (!declared) throw new Error(`tools.json describes ${name}, which is not implemented`);
		return defineTool({
			name,
			description,
			input: jsonSchema(parameters),
			effect: declared.effect,
			...(retailLabels[name] ? { labels: retailLabels[name] } : {}),
			repeat: declared.repeat === "keyed" && repeat === "once" ? "once" : declared.repeat,
			execute(args, { idempotencyKey }) {
				const outcome = world.call(name, args, repeat === "keyed" ? idempotencyKey : undefined);
				if ("error" in outcome) throw new Error(outcome.error);
				return outcome.result;
			},
		});
	});
}

export interface RetailAgentOptions {
	readonly world: RetailWorld;
	readonly wiring: Wiring;
	readonly task: PlayedTask;
	readonly desk: RetailDesk;
	readonly repeat?: WriteRepeat;
}

/** An agent whose model plays the task's gold actions; its place follows from the prompt, also in another process. */
export function retailAgent({
	world,
	wiring,
	task,
	desk,
	repeat = "keyed",
}: RetailAgentOptions & { readonly wiring: SoloWiring }): Agent {
	const story = wiring === "turns" ? turnsStory(task) : programStory(task);
	return defineAgent({
		name: `retail-${wiring}-${task.id}`,
		instructions: desk.policy,
		model: scriptedModel(story, { countTokens: false }),
		tools: retailTools(world, { desk, repeat }),
		programs: wiring === "program" && { limits: patientLimits },
	});
}

/** Time that no program here needs: on a machine that is busy with something else none may be stopped for it. */
export const patientLimits = { cpuMs: 120_000, sliceMs: 120_000 };

/** What the user of the task says first. */
export function taskInput({ request }: Pick<PlayedTask, "request">): string {
	const { reason_for_call, known_info, task_instructions } = request;
	return [reason_for_call, known_info, task_instructions].filter(Boolean).join("\n");
}

export const goodbyeText = "That is all I could do for you today.";
export const goodbye = say(goodbyeText);

function turnsStory(task: PlayedTask): Story {
	const turns = taskTurns(task);
	return (ask, n) => {
		const next = turns[n - repetitions(ask)];
		return next ? call(next.name, next.arguments) : goodbye;
	};
}

function programStory(task: PlayedTask): Story {
	return [program(taskProgram(task)), goodbye];
}

/** A call that, as it was found out, did not happen is made again. */
export function repetitions({ messages }: StoryAsk): number {
	const results = messages.flatMap((message) => (message.role === "tool" ? message.content : []));
	return results.filter((part) => part.type === "tool-result" && isDidNotHappen(part.output)).length;
}

export function isDidNotHappen(output: { readonly type: string; readonly value?: unknown }): boolean {
	return output.type === "error-text" && String(output.value).includes("the call did not happen");
}
