import type { LanguageModelV4Prompt } from "@ai-sdk/provider";
import { expect, test } from "vitest";
import { PromptWatch } from "./prompt-watch.ts";

const call = (id: string): LanguageModelV4Prompt[number] => ({
	role: "assistant",
	content: [{ type: "tool-call", toolCallId: id, toolName: "t", input: {} }],
});
const result = (id: string, value: string): LanguageModelV4Prompt[number] => ({
	role: "tool",
	content: [{ type: "tool-result", toolCallId: id, toolName: "t", output: { type: "text", value } }],
});
const user = (text: string): LanguageModelV4Prompt[number] => ({ role: "user", content: [{ type: "text", text }] });
const cleared = "[Cleared to save room: a result of about 90 tokens.]";
const first = user("Help me.");

const prompts: readonly [string, LanguageModelV4Prompt, readonly (RegExp | string)[]][] = [
	["is right", [first, call("§1.0"), result("§1.0", "seen")], []],
	["has an old result that is cleared", [first, call("§1.0"), result("§1.0", cleared), user("And?")], []],
	["has no first request", [user("Go on."), call("§1.0"), result("§1.0", "seen")], [/first request/]],
	["has a result without its call", [first, result("§1.0", "seen")], [/§1.0 has no call/]],
	["has a call without its result", [first, call("§1.0"), user("And?")], [/§1.0 have no results/]],
	["has another result than gold", [first, call("§1.0"), result("§1.0", "other")], [/§1.0 is not gold's/]],
	["has a result of nobody's", [first, call("§9.0"), result("§9.0", "seen")], [/nobody has made/]],
	["has no result to read", [first, call("§1.0"), result("§1.0", cleared)], [/last result/]],
];

test.each(prompts)("a prompt that %s", (_, prompt, problems) => {
	const steps = [{ answer: { text: "" }, result: { result: "seen" } }];
	const watch = new PromptWatch({ request: "Help me.", budget: 100, steps });
	watch.see({ prompt }, 100);
	expect(watch.problems).toEqual(problems.map((problem) => expect.stringMatching(problem)));
	watch.see({ prompt: [first] }, 101);
	expect(watch.problems.at(-1)).toContain("101 tokens where 100 may be sent");
});
