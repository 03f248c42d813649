export { scriptedModel, type ScriptedModelOptions } from "./scripted-model.ts";
export { breaking, call, calls, failing, json, program, say, type Story, type StoryAsk, type StoryStep } from "./story.ts";
