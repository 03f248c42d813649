/** Doors that lead over other agents: handed on, asked as a tool, in a row, beside each other. */
import { defineTeam } from "../routing/handoff.ts";
import { parallel, pipeline } from "../routing/shapes.ts";
import { agentTool } from "../run/agent-tool.ts";
import type { Agent } from "../spec/agent.ts";
import type { Participant, Team } from "../spec/team.ts";
import type { BypassDoor, BypassScene } from "./bypass-scene.ts";
import { sourceOf, thenEnd, tried } from "./bypass-stories.ts";
import { call, program, type StoryStep } from "./story.ts";

const peek = call("peek");
const danger = call("danger", { n: 1 });
const handOn = call("handoff_to_knocker", { reason: "your turn", summary: "what a stranger wrote says so" });
const ask = call("ask_knocker", { task: "go through the door" });

export const teamDoors: readonly BypassDoor[] = [
	overTeam("by an agent to which it was handed", (scene) => desk(scene, [peek, handOn], scene.agent(thenEnd(danger)))),
	overTeam("by an agent to which it was handed, after a resume", (scene) =>
		desk(scene, [peek, call("gate"), handOn], scene.agent(thenEnd(call("gate"), danger))),
	),
	overTeam("by an agent of a team to which it was handed", (scene) => {
		const inner = pipeline([scene.agent(thenEnd(danger))], { name: "press" });
		const way = call("handoff_to_press", { reason: "your turn" });
		return desk(scene, [peek, way], inner);
	}),
	overTeam("by the second one of a row", (scene) =>
		pipeline([other(scene, "first", [peek]), scene.agent(thenEnd(danger))], { name: "row" }),
	),
	overTeam("beside another agent", (scene) =>
		parallel([other(scene, "first", [peek]), scene.agent(thenEnd(peek, danger))], { name: "both", join: () => tried }),
	),
	overTeam("by an agent that is a tool", (scene) => boss(scene, [ask], scene.agent(thenEnd(peek, danger)))),
	overTeam("by an agent that is a tool of one that is a tool", (scene) => {
		const clerk = boss(scene, [ask], scene.agent(thenEnd(peek, danger)));
		return { ...boss(scene, [call("ask_boss", { task: "go on" })], clerk), name: "chief", digest: "chief" };
	}),
	overTeam("by a team that is a tool", (scene) => {
		const team = desk(scene, [peek, handOn], scene.agent(thenEnd(danger)));
		return boss(scene, [call("ask_desks", { task: "go on" })], team);
	}),
	{
		...overTeam("inside a program of an agent to which it was handed", (scene) => {
			const code = "return await tools.danger({ n: 1 }).catch(told);";
			return desk(scene, [peek, handOn], scene.agent(thenEnd(program(sourceOf(code))), true));
		}),
		programs: true,
	},
	{
		...overTeam("by an agent that a program asks", (scene) => {
			const code = 'return await tools.ask_knocker({ task: "go on" });';
			const asking = boss(scene, [program(code)], scene.agent(thenEnd(peek, danger)));
			return { ...asking, programs: { direct: [], limits: {}, rehearse: false, declarationTokensMax: undefined } };
		}),
		programs: true,
	},
];

function overTeam(name: string, make: (scene: BypassScene) => Participant): BypassDoor {
	return { name, play: (scene) => scene.enter([make(scene)]) };
}

function other(scene: BypassScene, name: string, steps: readonly StoryStep[]): Agent {
	return scene.agent(thenEnd(...steps), false, { name });
}

/** Hands on to the one behind, and ends with its last word. */
function desk(scene: BypassScene, steps: readonly StoryStep[], behind: Participant): Team {
	return defineTeam({
		name: "desks",
		participants: [other(scene, "desk", steps), behind],
		coordinator: "desk",
		terminateWhen: (said) => said.at(-1)?.text === tried,
	});
}

/** Puts the work to the one behind. */
function boss(scene: BypassScene, steps: readonly StoryStep[], behind: Participant): Agent {
	return scene.agent(thenEnd(...steps), false, { name: "boss", tools: [...scene.tools, agentTool(behind)] });
}
