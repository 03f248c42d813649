import { expect, test } from "vitest";
import { collected, emptyOutbox, lookFrom } from "./outbox.ts";

const hourMs = 3_600_000;

test("what was not looked at is looked at from where it was left, however late its run went on", () => {
	const base = { ...emptyOutbox, born: 1, since: hourMs };
	const runs = [{ run: "r", seq: 4, updatedAt: 9 * hourMs }];
	const place = { type: "run.waiting", run: "r", seq: 4 } as const;
	const partly = collected(base, { base, runs, found: [place], isAll: false }, 10 * hourMs);
	expect(partly).toMatchObject({ since: hourMs, seen: [["r", 4]], pending: [{ run: "r", seq: 4 }] });
	expect(lookFrom(partly, 10 * hourMs)).toBe(lookFrom(base, 10 * hourMs));
	expect(collected(base, { base, runs, found: [], isAll: true }, 10 * hourMs).since).toBe(9 * hourMs);
});
