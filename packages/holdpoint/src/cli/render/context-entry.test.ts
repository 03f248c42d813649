import { expect, test } from "vitest";
import type { ContextEvent } from "../../run/context-events.ts";
import { contextEntry } from "./context-entry.ts";
import { createStyle } from "./style.ts";

const style = createStyle(false);
const textOf = (event: ContextEvent) => contextEntry(event, style, (text) => [text])?.text;
const todo = (text: string, status: "done" | "open") => ({ text, status });

test.each<[ContextEvent, string | undefined]>([
	[{ type: "context.provided" }, undefined],
	[{ type: "context.provided", parts: [{ name: "facts", text: "be kind" }] }, "reads beside its instructions: facts"],
	[{ type: "context.provided", parts: [] }, "reads beside its instructions: nothing any more"],
	[
		{ type: "context.provided", parts: [], failed: [{ name: "facts", why: "no network" }] },
		"reads beside its instructions: facts failed: no network",
	],
	[{ type: "todos.set", todos: [todo("look", "open")] }, "has 1 thing to do, 0 done"],
	[{ type: "todos.set", todos: [todo("look", "done"), todo("pay", "open")] }, "has 2 things to do, 1 done"],
	[
		{ type: "context.compacted", how: "clear", kept: 3, fresh: 1, resultTokensMax: 400, tokens: 2_963, budget: 4_439 },
		"old results are cleared, at 2,963 of 4,439 tokens",
	],
])("%j is read as one line", (event, text) => {
	expect(textOf(event)).toBe(text);
});
