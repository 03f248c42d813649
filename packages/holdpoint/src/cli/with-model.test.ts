import { expect, test } from "vitest";
import { pipeline } from "../routing/shapes.ts";
import { agentTool } from "../run/agent-tool.ts";
import { defineAgent } from "../run/define-agent.ts";
import { castOf } from "../run/ready-agent.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { checkModel, withModel } from "./with-model.ts";

const own = scriptedModel([], { modelId: "own" });
const named = scriptedModel([], { modelId: "named" });
const otherwise = scriptedModel([], { modelId: "otherwise" });

const clerk = defineAgent({ name: "clerk", instructions: "x" });
const boss = defineAgent({ name: "boss", instructions: "x", tools: [agentTool(clerk)], model: own });
const inner = pipeline([boss], { name: "inner" });
const team = pipeline([inner, defineAgent({ name: "last", instructions: "x" })], { name: "outer" });

function modelsOf(one: Parameters<typeof castOf>[0]): [string, string | undefined][] {
	return castOf(one).map(({ name, model }) => [name, model?.modelId]);
}

test("everybody in a team, teams inside it and agents that are tools get the model that they have none of", () => {
	expect(modelsOf(withModel(team, { named: undefined, otherwise }))).toEqual([
		["boss", "own"],
		["clerk", "otherwise"],
		["last", "otherwise"],
	]);
	expect(modelsOf(team).map(([, model]) => model)).toEqual(["own", undefined, undefined]);
});

test("a model that was named goes before what they have", () => {
	expect(new Set(modelsOf(withModel(team, { named, otherwise })).map(([, model]) => model))).toEqual(
		new Set(["named"]),
	);
});

test("whoever has none is named before anything starts, also where it is a tool of somebody's", () => {
	expect(() => checkModel(team)).toThrow("Agent clerk has no model");
	expect(() => checkModel(withModel(team, { named: undefined, otherwise }))).not.toThrow();
});
