import { type Story, type StoryStep, say } from "./story.ts";

/** What every door's agent says at its end. */
export const tried = "I have tried.";

/** The steps, and then an end, however often the model is asked. (A module that exports `then` is taken for a promise.) */
export function thenEnd(...steps: readonly StoryStep[]): Story {
	return (_, n) => steps[n] ?? say(tried);
}

export function sourceOf(code: string): string {
	return `const told = (error) => error.name + ": " + error.message;\nawait tools.peek({});\n${code}`;
}
