import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { ownBytes, ownBytesIn } from "./child-processes.ts";

test("what a process has for itself is what is not of files", () => {
	const rollup = "Rss: 9 kB\nPss: 14 kB\nPss_Anon: 2 kB\nPss_File: 4 kB\nPss_Shmem: 8 kB\nPrivate_Dirty: 1 kB\n";
	expect(ownBytesIn(rollup.replaceAll(": ", ":   "))).toBe(10 * 1_024);
});

const hasPython = spawnSync("python3", ["--version"]).status === 0;
if (!hasPython) console.log("skipped: this machine has no python3, which maps memory twice");

test.skipIf(!hasPython)("memory that a process maps twice is its own, once", async () => {
	const mebibytes = 32;
	const script = `
import mmap, os, sys
file = os.memfd_create("twice")
os.ftruncate(file, ${mebibytes} << 20)
maps = [mmap.mmap(file, ${mebibytes} << 20) for _ in range(2)]
for each in maps:
    for at in range(0, ${mebibytes} << 20, 4096): each[at] = 1
print("mapped", flush=True)
sys.stdin.read()`;
	const child = spawn("python3", ["-c", script]);
	await once(child.stdout, "data");
	const bytes = ownBytes(child.pid ?? 0);
	child.stdin.end();
	await once(child, "exit");
	expect(bytes).toBeGreaterThanOrEqual(mebibytes * 1_048_576);
	expect(bytes).toBeLessThan(1.9 * mebibytes * 1_048_576);
});
