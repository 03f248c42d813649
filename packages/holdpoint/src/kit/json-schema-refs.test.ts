import { describe, expect, test } from "vitest";
import { schemaRefs } from "./json-schema-refs.ts";

describe("schemaRefs", () => {
	const inner = { type: "string" } as const;

	test("follows pointers with escapes, through arrays and to boolean schemas", () => {
		const root = { $defs: { "a/b~c d": inner, no: false }, anyOf: [{}, inner] };
		const find = schemaRefs(root);
		expect(find("#")).toBe(root);
		expect(find("#/$defs/a~1b~0c%20d")).toBe(inner);
		expect(find("#/anyOf/1")).toBe(inner);
		expect(find("#/$defs/no")).toBe(false);
	});

	test("finds names of the document, the first one counting", () => {
		const root = {
			$id: "https://a.example/s",
			$defs: { x: { $id: "T0" }, y: { $anchor: "here" }, z: { $id: "T0", no: 1 } },
		};
		const find = schemaRefs(root);
		expect(find("T0")).toBe(root.$defs.x);
		expect(find("#here")).toBe(root.$defs.y);
		expect(find("https://a.example/s")).toBe(root);
		expect(find("https://a.example/s#/$defs/y")).toBe(root.$defs.y);
	});

	test("finds nothing outside the document, in prototypes, or in what is no schema", () => {
		const find = schemaRefs({ $defs: { text: "x" }, required: ["a"] });
		for (const ref of [
			"https://b.example/s",
			"#/constructor",
			"#/__proto__",
			"#/required/length",
			"#/$defs/text",
			"#/%",
			"",
		]) {
			expect(find(ref), ref).toBeUndefined();
		}
	});
});
