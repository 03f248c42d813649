export { type ScriptedModelOptions, scriptedModel } from "./scripted-model.ts";
export {
	breaking,
	call,
	calls,
	failing,
	json,
	program,
	type Story,
	type StoryAsk,
	type StoryStep,
	say,
} from "./story.ts";
