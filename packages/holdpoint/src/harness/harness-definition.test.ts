import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineTool } from "../tools/define-tool.ts";
import { harnessAgent } from "./harness-agent.ts";

describe("a definition that is not one", () => {
	const helper = harnessAgent({ name: "helper", instructions: "Help." });
	const own = (name: string) => defineTool({ name, description: "Mine.", input: z.object({}), execute: () => 1 });
	test.each([
		[{ foo: 1 }, 'sets "foo", which is no option', /^Known: name, .*programs.*loop\.$/],
		[{ todos: "no" }, 'sets todos to "no"', "Pass true or false."],
		[{ agents: "x" }, 'sets agents to "x"', "Pass a list of agents and teams"],
		[{ agents: [helper, undefined] }, "sets agents to a list", "`defineAgent`"],
		[{ agents: helper }, "sets agents to an object", "Pass a list of agents and teams"],
		[{ memory: true }, "sets memory to true", "or false to switch it off"],
		[
			{ memory: { sesion: false } },
			'in its memory, "sesion", which is no option',
			"session, principal, indexTokensMax",
		],
		[{ memory: { session: "no" } }, 'in its memory, session to "no"', "Pass true or false."],
		[{ context: null }, "sets context to null", "or false to switch it off"],
		[{ context: { window: 9_000 } }, 'in its context, "window"', "Known: windowTokens"],
		[{ context: { isSummarised: "no" } }, 'in its context, isSummarised to "no"', "Pass true or false."],
		[{ context: { providers: [undefined] } }, "in its context, providers to a list", "{ name, tokensMax, provide }"],
		[{ modes: { start: "plan", begin: 1 } }, 'in its modes, "begin"', "Known: start."],
		[{ lastAnswer: { turns: 1, failedTurnsMax: 1 } }, 'in its lastAnswer, "turns"', "Known: failedTurnsMax."],
		[{ loop: true }, "sets loop to true", "Pass an object."],
		[{ loop: { until: () => true, rounds: 2 } }, 'in its loop, "rounds"', "roundsMax"],
		[{ skills: Promise.resolve() }, "sets skills to an object", "await skills({ folder })"],
		[{ tools: own("pay") }, "sets tools to an object", "Pass a list."],
		[
			{ tools: [own("memory")] },
			"two tools named memory",
			"Give yours another name, or switch its own off, with `memory: false`.",
		],
		[{ tools: [own("todo")] }, "two tools named todo", "with `todos: false`"],
		[{ tools: [own("read_result")] }, "two tools named read_result", "with `context: false`"],
		[{ tools: [own("ask_helper")], agents: [helper] }, "two tools named ask_helper", "leave out `agents`"],
	])("%j says so, and what to pass", (change, message, hint) => {
		expect(() => harnessAgent({ name: "clerk", instructions: "Serve.", ...change } as never)).toThrow(
			expect.objectContaining({
				code: "agent.invalid",
				message: expect.stringContaining(message),
				hint: typeof hint === "string" ? expect.stringContaining(hint) : expect.stringMatching(hint),
			}),
		);
	});

	test("what is left out or undefined has its default, and tools of features that are off have free names", () => {
		const undefineds = { todos: undefined, agents: undefined, memory: undefined, loop: undefined };
		const definition = { name: "clerk", instructions: "Serve.", ...undefineds, model: undefined } as never;
		expect(harnessAgent(definition).digest).toBe(harnessAgent({ name: "clerk", instructions: "Serve." }).digest);
		const free = { memory: false, tools: [own("memory"), own("note")] } as const;
		expect(() => harnessAgent({ name: "clerk", instructions: "Serve.", ...free })).not.toThrow();
	});
});
