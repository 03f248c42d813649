import { expect, test } from "vitest";
import { rootName, spanIdOf, traceIdOf } from "./ids.ts";

test("ids are what they were: later segments, other processes and other versions link to them", () => {
	const trace = traceIdOf({ store: "store", run: "run", epoch: 1 });
	expect(trace).toBe("1f2488e74a821cb30a5beb0b521ab004");
	expect(spanIdOf(trace, rootName)).toBe("6957b98e0f3dec97");
	expect(spanIdOf(trace, "call c1")).toBe("49ea7c275a65432e");
});

test("another store, run or epoch is another trace", () => {
	const places = [
		{ store: "s", run: "r", epoch: 1 },
		{ store: "s2", run: "r", epoch: 1 },
		{ store: "s", run: "r2", epoch: 1 },
		{ store: "s", run: "r", epoch: 2 },
		{ store: "s\nr", run: "1", epoch: 1 },
	];
	expect(new Set(places.map(traceIdOf)).size).toBe(places.length);
});

test("names that differ in little have ids that differ in much, and no two the same", () => {
	const ids = new Set<string>();
	const trace = traceIdOf({ store: "store", run: "run", epoch: 1 });
	let bits = 0;
	let before = 0n;
	for (let call = 0; call < 100_000; call++) {
		const id = spanIdOf(trace, `call c${call}`);
		ids.add(id);
		const now = BigInt(`0x${id}`);
		for (let rest = now ^ before; call < 2_000 && rest > 0n; rest &= rest - 1n) bits++;
		before = now;
	}
	expect(ids.size).toBe(100_000);
	// Half of 64 is what chance gives.
	expect(bits / 2_000).toBeGreaterThan(30);
	expect(bits / 2_000).toBeLessThan(34);
	expect([...ids].every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true);
});
