import { expect, test } from "vitest";
import { cpuLoads } from "./cpu-loads.ts";

test.each(cpuLoads.map((load) => [load.name, load] as const))("the load %s returns what it says", (_, load) => {
	expect(new Function(load.source)()).toBe(load.value);
});
