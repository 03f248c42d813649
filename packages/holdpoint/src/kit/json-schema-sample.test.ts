import { expect, test } from "vitest";
import type { JsonSchema } from "../spec/json.ts";
import { sampleOf } from "./json-schema-sample.ts";

test.each<[string, JsonSchema, unknown]>([
	[
		"an object with what it must have",
		{ type: "object", properties: { n: { type: "integer", minimum: 3 } }, required: ["n"] },
		{ n: 3 },
	],
	["a list as long as it must be", { type: "array", minItems: 2, items: { type: "string" } }, ["", ""]],
	["a reference", { $ref: "#/$defs/a~1b", $defs: { "a/b": { enum: ["x"] } } }, "x"],
	["null for a reference that is none", { $ref: "#/%" }, null],
	["a list of lists of itself, without end", { type: "array", minItems: 100, items: { $ref: "#" } }, undefined],
])("makes up %s", (_, schema, sample) => {
	expect(sampleOf(schema)).toEqual(sample);
});
