import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { keyRing } from "./seal.ts";

const key = (id: string, byte: number) => ({ id, secret: new Uint8Array(32).fill(byte) });

describe("seal", () => {
	test("is outer(inner(text)) with two keys that are made of the secret", () => {
		const sha = (text: string) => createHash("sha256").update(text);
		const secret = Buffer.alloc(32, 1).toString("hex");
		const inner = sha(sha(`holdpoint inner ${secret}`).digest("hex") + "text").digest("hex");
		const outer = sha(sha(`holdpoint outer ${secret}`).digest("hex") + inner).digest("base64url");
		expect(keyRing([key("a", 1)]).code("a", "text")).toBe(outer);
	});

	test("the first key seals, every key verifies, an unknown one says so", () => {
		const ring = keyRing([key("new", 2), key("old", 1)]);
		expect(ring.current).toBe("new");
		expect(ring.code("old", "text")).toBe(keyRing([key("old", 1)]).code("old", "text"));
		expect(ring.code("other", "text")).toBeUndefined();
	});

	test("another key, another text or half a text has another code", () => {
		const ring = keyRing([key("a", 1), key("b", 2)]);
		const codes = [ring.code("a", "text"), ring.code("b", "text"), ring.code("a", "tex"), ring.code("a", "")];
		expect(new Set(codes).size).toBe(4);
	});

	test("a ring without keys is a bug of the caller", () => {
		expect(() => keyRing([])).toThrow("key ring has a key");
	});
});
