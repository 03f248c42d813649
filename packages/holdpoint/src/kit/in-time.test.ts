import { expect, test } from "vitest";
import { inTime } from "./in-time.ts";

const never = new Promise<never>(() => undefined);

test("what comes in time is what it gives, a failure included", async () => {
	expect(await inTime(Promise.resolve(5), "it", { timeoutMs: 60_000 })).toBe(5);
	await expect(inTime(Promise.reject(new Error("no")), "it", { timeoutMs: 60_000 })).rejects.toThrow("no");
});

test("what does not come is given up, by its name", async () => {
	await expect(inTime(never, "the oracle", { timeoutMs: 1 })).rejects.toThrow("the oracle did not answer within 1 ms");
});

test("a signal ends the wait with its reason, also one that came before", async () => {
	const controller = new AbortController();
	const waiting = inTime(never, "it", { timeoutMs: 60_000, signal: controller.signal });
	controller.abort("enough");
	await expect(waiting).rejects.toBe("enough");
	await expect(inTime(never, "it", { timeoutMs: 60_000, signal: controller.signal })).rejects.toBe("enough");
});
