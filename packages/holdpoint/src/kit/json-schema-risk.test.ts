import { describe, expect, test } from "vitest";
import type { JsonSchema } from "../spec/json.ts";
import { cleanSchema } from "./json-schema-clean.ts";
import { isSimplePattern, schemaRisk } from "./json-schema-risk.ts";

const riskOf = (schema: JsonSchema) => schemaRisk(cleanSchema(schema, { formats: true }));

describe("isSimplePattern", () => {
	test.each(["^[a-z]+$", "^\\d{4}-\\d\\d$", "^(cat|dog)$", "^#W\\d{7}$", "^[0-9a-f]{8}-[0-9a-f]{4}$"])(
		"%s",
		(pattern) => {
			expect(isSimplePattern(pattern)).toBe(true);
		},
	);
	test.each(["(a+)+$", "(a|a)*b", "a*a*a*b", "(a|b){30}", "(?:a?){20}", "(.)\\1", `${"a?".repeat(20)}b`])(
		"not %s",
		(pattern) => {
			expect(isSimplePattern(pattern)).toBe(false);
		},
	);
});

describe("schemaRisk", () => {
	test("a plain schema is worth what it holds", () => {
		expect(riskOf({ properties: { a: { type: "string" }, b: {} } })).toEqual({ always: false, steep: false, work: 3 });
	});

	test("recursion and bad patterns need a deadline always, good patterns and uniqueItems for large values", () => {
		expect(riskOf({ items: { $ref: "#" } }).always).toBe(true);
		expect(riskOf({ $ref: "#/$defs/a", $defs: { a: { items: { $ref: "#/$defs/a" } } } }).always).toBe(true);
		expect(riskOf({ patternProperties: { "(a+)+": {} } }).always).toBe(true);
		expect(riskOf({ pattern: "^a+$" })).toMatchObject({ always: false, steep: true });
		expect(riskOf({ uniqueItems: true })).toMatchObject({ always: false, steep: true });
	});

	test("refs that double at each step count at each use", () => {
		const $defs = Object.fromEntries(
			Array.from({ length: 30 }, (_, i) => {
				const next = { $ref: `#/$defs/d${i + 1}` };
				return [`d${i}`, i === 29 ? {} : { allOf: [next, next] }];
			}),
		);
		expect(riskOf({ $ref: "#/$defs/d0", $defs }).work).toBeGreaterThan(1e8);
	});
});
