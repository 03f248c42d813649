/** What may still be called once microvmd is locked down; and what the kernel does for it where it can. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { killMachines, spawnMachine, tryCallFile, whyNoMachine } from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);
afterEach(killMachines);

test("the documents name as many system calls as the filter lets through", () => {
	const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
	const code = read("packages/microvm/native/microvmd/lockdown.c");
	const filter = code.slice(code.indexOf("static bool filter_calls"), code.indexOf("struct sock_fprog filter"));
	const calls = new Set(filter.match(/\bSYS_\w+/g));
	expect([...calls].sort()).toEqual(
		"clock_gettime exit_group ioctl madvise poll read rt_sigtimedwait setitimer write writev"
			.split(" ")
			.map((name) => `SYS_${name}`),
	);
	const words = ["eight", "nine", "ten", "eleven", "twelve"];
	for (const file of ["docs/operate/threat-model.md", "packages/microvm/README.md"]) {
		const named = [...read(file).matchAll(/(\S+) system\s+calls/g)].map(([, word = ""]) => word);
		const counts = named.filter((word) => words.includes(word));
		expect([...new Set(counts)], file).toEqual([words[calls.size - 8]]);
	}
});

describe.skipIf(whyNoMachine)("behind the lock-down", () => {
	test.each(["monotonic", "thread-time", "dontneed"])("%s may be called", (name) => {
		expect(spawnSync(tryCallFile, [name])).toMatchObject({ status: 0, signal: null });
	});

	test.each(["realtime", "other-process", "mergeable", "poison"])("%s ends the process", (name) => {
		expect(spawnSync(tryCallFile, [name])).toMatchObject({ status: null, signal: "SIGSYS" });
	});

	test.each(["Speculation_Store_Bypass", "SpeculationIndirectBranch"])(
		"%s is off where that can be had",
		async (name) => {
			const stateOf = (pid: number | "self" | undefined) =>
				new RegExp(`^${name}:\\s+(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
			const { pid } = await spawnMachine();
			// "thread vulnerable", or "conditional enabled": each process may choose.
			const canChoose = /^(thread vulnerable|conditional enabled)$/.test(stateOf("self") ?? "");
			const off = name === "Speculation_Store_Bypass" ? "thread force mitigated" : "conditional force disabled";
			expect(stateOf(pid)).toBe(canChoose ? off : stateOf("self"));
		},
	);
});
