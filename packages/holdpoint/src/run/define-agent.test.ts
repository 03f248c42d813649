import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import { isHoldpointError } from "../spec/errors.ts";
import { defineTool } from "../tools/define-tool.ts";
import { type AgentDefinition, defineAgent } from "./define-agent.ts";

const look = defineTool({ name: "look", description: "Looks.", input: z.object({}), effect: "read", execute: () => 1 });
const good: AgentDefinition = { name: "tester", instructions: "Test.", tools: [look] };

function refusal(act: () => unknown, code: string): string {
	try {
		act();
	} catch (error) {
		if (isHoldpointError(error) && error.code === code) return error.message;
		throw error;
	}
	throw new Error("It was accepted");
}

describe("a harness", () => {
	test.each([
		["a policy that is misspelt", { polcy: () => ({ verdict: "deny" }) }, '"polcy", which is no option'],
		["agents that are no list", { agents: "clerk" }, 'sets agents to "clerk"'],
		["an isolation that is misspelt", { isolation: "hardwre" }, 'sets isolation to "hardwre"'],
		["a sandbox that is none", { sandbox: false }, "sets sandbox to false"],
		["nothing as its store", { store: null }, "sets store to null"],
	])("with %s is refused, and the message says so", (_, options, message) => {
		expect(refusal(() => createHarness(options as HarnessOptions), "config.invalid")).toContain(message);
	});
});

describe("an agent", () => {
	test.each([
		["no name", { name: undefined }, "no agent name"],
		["a name with a space", { name: "a b" }, "no agent name"],
		["no instructions", { instructions: "" }, "no instructions"],
		["tools that are no list", { tools: look }, "sets tools to an object"],
		["middleware that is no list", { middleware: "log" }, 'sets middleware to "log"'],
		["an option that is none", { tool: [look] }, '"tool", which is no option'],
		["an option with the name of a method", { toString: 1 }, '"toString", which is no option'],
		["an option of programs that is none", { programs: { drect: [] } }, 'in its programs, "drect", which is no option'],
		["programs that are a word", { programs: "yes" }, 'sets programs to "yes"'],
		["a tool that is only an object", { tools: [{ name: "look", execute: () => 1 }] }, "did not make: look"],
		["a tool that is nothing", { tools: [undefined] }, "did not make"],
		["two tools of one name", { tools: [look, look] }, "two tools named look"],
		["a tool with a name that is taken", { tools: [{ ...look, name: "execute_code" }] }, "taken"],
		["a direct tool that it has not", { programs: { direct: ["pay"] } }, '"pay" as direct'],
		["a limit that is none", { limits: { turnMax: 5 } }, '"turnMax", which is no limit'],
		["a limit with the name of a method", { limits: { toString: 5 } }, "no limit"],
		["a limit of a program that is none", { programs: { limits: { cpu: 5 } } }, '"cpu", which is no limit'],
	])("with %s is refused, and the message says so", (_, change, message) => {
		expect(refusal(() => defineAgent({ ...good, ...change } as AgentDefinition), "agent.invalid")).toContain(message);
	});

	test.each([0, -1, 0.5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e16, "5", null, undefined])(
		"I8: %j is no bound, neither of an agent nor of a program nor of a harness",
		(value) => {
			const limits = { turnsMax: value as number };
			expect(refusal(() => defineAgent({ ...good, limits }), "agent.invalid")).toContain("turnsMax");
			const programs = { limits: { cpuMs: value as number } };
			expect(refusal(() => defineAgent({ ...good, programs }), "agent.invalid")).toContain("cpuMs");
			expect(refusal(() => createHarness({ limits }), "config.invalid")).toContain("turnsMax");
		},
	);

	test("what is refused says what to pass", () => {
		const hint = (change: object) => {
			try {
				defineAgent({ ...good, ...change } as AgentDefinition);
			} catch (error) {
				return isHoldpointError(error) ? error.hint : undefined;
			}
			return undefined;
		};
		expect(hint({ tool: [] })).toMatch(/^Known: name, instructions, .*middleware\.$/);
		expect(hint({ tools: "look" })).toBe("Pass a list.");
		expect(hint({ tools: undefined, model: undefined })).toBeUndefined();
	});

	test("its digest changes with what a run of it must be told about, and with nothing else", () => {
		const digest = (change: Partial<AgentDefinition> = {}) => defineAgent({ ...good, ...change }).digest;
		const same = [digest(), digest({ tools: [] }), digest({ limits: { turnsMax: 5 } })];
		expect(new Set(same).size).toBe(1);
		const others = [
			digest({ name: "other" }),
			digest({ instructions: "Other." }),
			digest({ output: z.object({}) }),
			digest({ programs: true }),
		];
		expect(new Set([...same, ...others]).size).toBe(5);
	});
});
