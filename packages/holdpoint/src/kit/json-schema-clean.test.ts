import { describe, expect, test } from "vitest";
import type { JsonSchema } from "../spec/json.ts";
import { cleanSchema } from "./json-schema-clean.ts";

const clean = (schema: JsonSchema) => cleanSchema(schema, { formats: true });
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("cleanSchema", () => {
	test("keeps what a schema says", () => {
		const schema: JsonSchema = {
			type: ["object", "null"],
			properties: { a: { type: "string", format: "email", pattern: "^.+$" }, b: { items: [{ const: null }, false] } },
			required: ["a"],
			additionalProperties: { anyOf: [{ minimum: 1 }, true] },
			dependencies: { a: ["b"] },
		};
		expect(plain(clean(schema).root)).toEqual(schema);
		expect(clean(schema).problems).toEqual([]);
	});

	test("drops what has a wrong shape, and says where", () => {
		const { root, problems } = clean({
			type: "any",
			properties: { a: { required: true, pattern: "(", enum: [], minimum: "1", anyOf: [], exclusiveMinimum: true } },
			patternProperties: { "(": {} },
			items: 7,
		});
		expect(plain(root)).toEqual({ properties: { a: {} }, patternProperties: {}, items: true });
		expect(problems).toContain("#/properties/a/required has a wrong value");
		expect(problems).toContain("#/type has a wrong value");
		expect(problems).toContain("#/items is no schema");
		expect(problems).toHaveLength(9);
	});

	test("formats are rules or notes; those outside the standard are notes always", () => {
		expect(plain(clean({ format: "url" }).root)).toEqual({});
		expect(plain(clean({ format: "constructor" }).root)).toEqual({});
		expect(plain(cleanSchema({ format: "email" }, { formats: false }).root)).toEqual({});
	});

	test("objects have no prototype, so that `__proto__` and `constructor` are names like others", () => {
		const { root } = clean(JSON.parse('{"properties":{"__proto__":{"type":"string"},"constructor":{}}}'));
		const { properties } = root as { properties: object };
		expect(Object.getPrototypeOf(properties)).toBeNull();
		expect(Object.keys(properties)).toEqual(["__proto__", "constructor"]);
	});

	test("a recursive schema becomes parts that name each other", () => {
		const { root, parts, problems } = clean({
			$ref: "#/$defs/tree",
			$defs: { tree: { properties: { kids: { items: { $ref: "#/$defs/tree" } }, root: { $ref: "#" } } } },
		});
		expect(problems).toEqual([]);
		const tree = parts[(root as { $ref: string }).$ref] as {
			properties: { kids: { items: { $ref: string } }; root: { $ref: string } };
		};
		expect(parts[tree.properties.kids.items.$ref]).toBe(tree);
		expect(parts[tree.properties.root.$ref]).toBe(root);
	});

	test("a ref that leads out of the document is dropped and told", () => {
		const { root, problems } = clean({ properties: { a: { $ref: "https://evil.example/s.json" } } });
		expect(plain(root)).toEqual({ properties: { a: {} } });
		expect(problems[0]).toBe(
			'#/properties/a/$ref names "https://evil.example/s.json", which this document does not hold',
		);
	});

	test("depth and size are bounded", () => {
		let deep: JsonSchema = { type: "string" };
		for (let i = 0; i < 5_000; i++) deep = { items: deep };
		expect(clean(deep).problems[0]).toContain("nested deeper than 64 levels");
		const wide = { properties: Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`p${i}`, {}])) };
		expect(clean(wide).problems[0]).toContain("comes after the 20000 parts");
	});

	test("OpenAPI's nullable takes null, beside a type as beside a ref", () => {
		const { root } = clean({ properties: { a: { type: "string", nullable: true } } });
		expect(plain(root)).toEqual({ properties: { a: { anyOf: [{ type: "string" }, { type: "null" }] } } });
	});
});
