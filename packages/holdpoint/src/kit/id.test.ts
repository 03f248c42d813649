import { expect, test } from "vitest";
import { newId } from "./id.ts";

const now = Date.UTC(2030, 0, 1);

test("an id has its prefix and 26 plain characters", () => {
	expect(newId("run", now)).toMatch(/^run_[0-9a-hjkmnp-tv-z]{26}$/);
});

test("ids are sorted in the order of their making, within a millisecond too", () => {
	const ids = [now, now, now, now + 1, now + 1, now + 1_000, now * 2].map((at) => newId("run", at));
	expect([...ids].sort()).toEqual(ids);
});

test("no two are the same", () => {
	const ids = Array.from({ length: 40_000 }, () => newId("run", now));
	expect(new Set(ids).size).toBe(ids.length);
});
