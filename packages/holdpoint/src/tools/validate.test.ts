import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { AnySchema } from "../spec/tool.ts";
import { validate } from "./validate.ts";

const schemaOf = (check: (value: unknown) => unknown): AnySchema =>
	({ "~standard": { version: 1, vendor: "test", validate: check } }) as AnySchema;
const patience = { timeoutMs: 60_000 };
const hostile = (): never => {
	throw Object.create(null);
};

describe("validation", () => {
	test("gives the parsed value, synchronously where the schema is", () => {
		expect(validate(z.object({ n: z.coerce.number() }), { n: "5" }, patience)).toEqual({ ok: true, value: { n: 5 } });
	});

	test("waits for an asynchronous schema", async () => {
		const even = z.number().refine(async (n) => n % 2 === 0, "must be even");
		expect(await validate(even, 2, patience)).toEqual({ ok: true, value: 2 });
		expect(await validate(even, 3, patience)).toEqual({ ok: false, issues: "must be even" });
	});

	test("names the place of an issue, and no more than five of them", () => {
		const list = validate(
			z.object({ list: z.array(z.number()) }),
			{ list: ["a", "b", "c", "d", "e", "f", "g"] },
			patience,
		);
		expect(list).toMatchObject({ ok: false, issues: expect.stringMatching(/^list\.0: .*; list\.4: .*; and 2 more$/) });
	});

	test.each([
		["throws", hostile],
		["rejects", async () => hostile()],
		["answers nothing", () => undefined],
		["answers nothing later", async () => undefined],
		["answers issues that cannot be read", () => ({ issues: [null] })],
		["answers such issues later", async () => ({ issues: [{ message: "m", path: [null] }] })],
	])("a schema that %s has refused", async (_, check) => {
		expect(await validate(schemaOf(check), 1, patience)).toMatchObject({ ok: false, issues: expect.any(String) });
	});

	test("I8: a schema that does not answer has refused; where nobody waits any more nothing is said", async () => {
		const hanging = schemaOf(() => new Promise(() => undefined));
		const late = await validate(hanging, 1, { timeoutMs: 1 });
		expect(late).toEqual({ ok: false, issues: "its schema did not answer within 1 ms" });
		const stopped = validate(hanging, 1, { ...patience, signal: AbortSignal.abort("stopped") });
		await expect(stopped).rejects.toBe("stopped");
	});
});
