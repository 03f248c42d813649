import { describe, expect, test } from "vitest";
import type { AnswerPart, ToolCallPart } from "../spec/model.ts";
import { answerToMessage } from "./prompt.ts";

const call = (input: string, more: Partial<ToolCallPart> = {}): ToolCallPart => ({
	type: "tool-call",
	toolCallId: "c1",
	toolName: "look",
	input,
	...more,
});

describe("an answer sent back", () => {
	test("carries every part and gives the provider its own data", () => {
		const mine = { anthropic: { signature: "s" } };
		const content: AnswerPart[] = [
			{ type: "reasoning", text: "hm", providerMetadata: mine },
			{ type: "text", text: "well" },
			call('{"a":[1]}', { providerMetadata: mine }),
			call("{}", { toolCallId: "p", providerExecuted: true }),
			{ type: "tool-result", toolCallId: "p", toolName: "look", result: { b: 2 } },
			{ type: "tool-result", toolCallId: "p", toolName: "look", result: "no", isError: true },
			{ type: "custom", kind: "anthropic.fallback", providerMetadata: mine },
		];
		expect(answerToMessage(content)).toEqual({
			role: "assistant",
			content: [
				{ type: "reasoning", text: "hm", providerOptions: mine },
				{ type: "text", text: "well" },
				{ type: "tool-call", toolCallId: "c1", toolName: "look", input: { a: [1] }, providerOptions: mine },
				{ type: "tool-call", toolCallId: "p", toolName: "look", input: {}, providerExecuted: true },
				{ type: "tool-result", toolCallId: "p", toolName: "look", output: { type: "json", value: { b: 2 } } },
				{ type: "tool-result", toolCallId: "p", toolName: "look", output: { type: "error-json", value: "no" } },
				{ type: "custom", kind: "anthropic.fallback", providerOptions: mine },
			],
		});
	});

	test("names its calls as the results will", () => {
		const content: AnswerPart[] = [call("{}"), call("{}", { toolCallId: "c2" })];
		const { content: sent } = answerToMessage(content, new Map([["c1", "run.7"]]));
		expect(sent.map((part) => part.type === "tool-call" && part.toolCallId)).toEqual(["run.7", "c2"]);
	});

	test.each<[string, unknown]>([
		['{"a":1}', { a: 1 }],
		["", {}],
		[" \n", {}],
		['{"a":', { rawInvalidInput: '{"a":' }],
		["look at it", { rawInvalidInput: "look at it" }],
		["[1,2]", { rawInvalidInput: [1, 2] }],
		['"text"', { rawInvalidInput: "text" }],
		["null", { rawInvalidInput: null }],
	])("has an object for the arguments %s", (input, expected) => {
		const [sent] = answerToMessage([call(input)]).content;
		expect(sent?.type === "tool-call" && sent.input).toEqual(expected);
	});

	test("leaves what a provider gave to its own tool", () => {
		const executed = { providerExecuted: true } as const;
		expect(answerToMessage([call("*** patch", executed), call("[1]", executed)]).content).toMatchObject([
			{ input: "*** patch" },
			{ input: [1] },
		]);
	});
});
