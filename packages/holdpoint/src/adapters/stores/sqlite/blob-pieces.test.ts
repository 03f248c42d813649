import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bytes } from "../../../testing/store-contract/fixture.ts";
import { cutBlob, pageBytes } from "./blob-pieces.ts";

test("the pieces are the blob, and all but the first are small", () => {
	const size = fc.oneof(fc.nat({ max: 30_000 }), fc.constantFrom(960, 961, 4_580, 4_581, 4_582));
	void fc.assert(
		fc.property(size, (length) => {
			const body = bytes(length);
			const pieces = cutBlob(body);
			expect(Buffer.concat(pieces).equals(body)).toBe(true);
			expect(pieces.length).toBeLessThanOrEqual(1 + Math.ceil(pageBytes / 960));
			for (const piece of pieces.slice(1)) expect(piece.length).toBeLessThanOrEqual(960);
			for (const piece of pieces.slice(1)) expect(piece.length).toBeGreaterThan(0);
		}),
	);
});
