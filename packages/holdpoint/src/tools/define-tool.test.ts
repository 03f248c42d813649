import { describe, expect, test } from "vitest";
import { z } from "zod";
import { isHoldpointError } from "../spec/errors.ts";
import type { Effect, Repeatability } from "../spec/tool.ts";
import { defineTool, type ToolDefinition } from "./define-tool.ts";

const input = z.object({ amount: z.int() });
const good = { name: "pay", description: "Pays.", input, execute: () => null } as const;

function refusal(change: Readonly<Record<string, unknown>>): string {
	try {
		defineTool({ ...good, ...change } as ToolDefinition<typeof input>);
	} catch (error) {
		if (isHoldpointError(error) && error.code === "tool.invalid") return error.message;
		throw error;
	}
	throw new Error("It was accepted");
}

describe("a tool", () => {
	test("that declares nothing is a write that is never repeated", () => {
		expect(defineTool(good)).toMatchObject({ effect: "write", repeat: "once", tags: [], timeoutMs: undefined });
	});

	test.each<[Effect, Repeatability]>([
		["internal", "repeatable"],
		["read", "repeatable"],
		["write", "once"],
		["destructive", "once"],
	])("%s is %s where it does not say otherwise", (effect, repeat) => {
		expect(defineTool({ ...good, effect }).repeat).toBe(repeat);
		expect(defineTool({ ...good, effect, repeat: "keyed" }).repeat).toBe("keyed");
	});

	test.each([
		["no name", { name: undefined }, "is no tool name"],
		["an empty name", { name: "" }, "is no tool name"],
		["a name with a dot", { name: "a.b" }, "is no tool name"],
		["a name that begins with a digit", { name: "1a" }, "is no tool name"],
		["a name with a line end", { name: "pay\n" }, "is no tool name"],
		["a name that is too long", { name: "a".repeat(65) }, "is no tool name"],
		["a name that is the prototype", { name: "__proto__" }, "is no tool name"],
		["no description", { description: "" }, "no description"],
		["no input", { input: undefined }, "schema"],
		["an input that is no schema", { input: { type: "object" } }, "schema"],
		["nothing to execute", { execute: undefined }, "execute"],
		["an unknown effect", { effect: "harmless" }, "harmless"],
		["an unknown repeatability", { repeat: "often" }, "often"],
		["no time", { timeoutMs: 0 }, "time-out"],
		["a negative time", { timeoutMs: -1 }, "time-out"],
		["an endless time", { timeoutMs: Number.POSITIVE_INFINITY }, "time-out"],
		["a time that is a text", { timeoutMs: "5" }, "time-out"],
		["tags that are no texts", { tags: "money" }, "tags"],
		["a version that is no text", { version: 2 }, "version"],
		["labels that are no object", { labels: "untrusted" }, "labels"],
		["an unknown integrity", { labels: { integrity: "clean" } }, "labels"],
		["readers that are no list", { labels: { readers: "ann" } }, "labels"],
		["a read that declassifies", { effect: "read", labels: { declassifies: true } }, 'the effect "write"'],
		["an internal one that does", { effect: "internal", labels: { declassifies: true } }, 'the effect "write"'],
		["a label that is misspelt", { labels: { reader: ["ann"] } }, "labels"],
	])("with %s is refused, and the message says so", (_, change, message) => {
		expect(refusal(change)).toContain(message);
	});

	test("whose schema is nested too deep for a version is refused", () => {
		let deep: z.ZodType = z.string();
		for (let i = 0; i < 100; i++) deep = z.array(deep);
		expect(refusal({ input: z.object({ deep }) })).toContain("pay");
	});

	test("I5: its version changes with schema, effect, repeatability and declared version, and with nothing else", () => {
		const version = (change: Partial<ToolDefinition<typeof input>> = {}) => defineTool({ ...good, ...change }).version;
		const same = [
			version(),
			version({ description: "Other." }),
			version({ execute: () => 1 }),
			version({ tags: ["t"] }),
		];
		expect(new Set(same).size).toBe(1);
		const schema = defineTool({ ...good, input: z.object({ amount: z.number() }) }).version;
		const others = [schema, version({ effect: "read" }), version({ repeat: "keyed" }), version({ version: "2" })];
		expect(new Set([...same, ...others]).size).toBe(5);
	});
});
