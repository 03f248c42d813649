import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { ownerIsDead, processOwner } from "./owner.ts";

const module = JSON.stringify(new URL("./owner.ts", import.meta.url).href);
const print = `const { processOwner } = await import(${module}); console.log(processOwner());`;
const noProc = existsSync("/proc/self/ns/pid") ? false : "this system has no /proc";

/** Replaces one field of an owner's text: 1 boot, 2 pid namespace, 3 time namespace, 4 pid, 5 start. */
function changed(owner: string, field: number, value: string): string {
	return owner.split(".").with(field, value).join(".");
}

test("every owner has a name of its own, short enough for a lease", () => {
	const names = Array.from({ length: 100 }, processOwner);
	expect(new Set(names).size).toBe(100);
	expect(names[0]?.length).toBeLessThanOrEqual(200);
});

test("this process is alive, whichever harness asks", () => {
	expect(ownerIsDead(processOwner())).toBe(false);
});

test("a name that is none of ours says nothing", () => {
	const owner = processOwner();
	for (const other of [
		"",
		"p1",
		"somebody",
		`${owner}x`,
		`x${owner}`,
		"p0.123.AAAAAAAAAAAA",
		"p1......",
		owner.repeat(50),
	]) {
		expect(ownerIsDead(other)).toBe(false);
	}
});

describe.skipIf(noProc)(noProc ? `skipped: ${noProc}` : "with /proc", () => {
	test("a process that has ended is dead", () => {
		const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", print], { encoding: "utf8" });
		expect(stdout).toMatch(/^p1\./);
		expect(ownerIsDead(stdout.trim())).toBe(true);
	});

	test("a process that lives is not, until it is killed", async () => {
		const child = spawn(process.execPath, ["--input-type=module", "-e", `${print} setInterval(() => {}, 1000);`], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		onTestFinished(() => void child.kill("SIGKILL"));
		const exited = new Promise((resolve) => child.once("exit", resolve));
		const owner = String(await new Promise((resolve) => child.stdout.once("data", resolve))).trim();
		expect(ownerIsDead(owner)).toBe(false);
		child.kill("SIGKILL");
		await exited;
		expect(ownerIsDead(owner)).toBe(true);
	});

	test("another process under the same pid means that the first is gone", () => {
		expect(ownerIsDead(changed(processOwner(), 5, "1"))).toBe(true);
	});

	test("a pid that nobody has is dead", () => {
		const pidMax = Number(readFileSync("/proc/sys/kernel/pid_max", "utf8"));
		expect(ownerIsDead(changed(processOwner(), 4, String(pidMax + 1)))).toBe(true);
	});

	test("another boot, pid namespace or time namespace may be elsewhere: not certain", () => {
		const owner = changed(processOwner(), 5, "1");
		expect(ownerIsDead(changed(owner, 1, "00000000-0000-4000-8000-000000000000"))).toBe(false);
		expect(ownerIsDead(changed(owner, 2, "1"))).toBe(false);
		expect(ownerIsDead(changed(owner, 3, "1"))).toBe(false);
	});

	test("a process that waits to be collected by its parent is over", async () => {
		// The shell starts a child, becomes `cat`, and never collects it.
		const script = `"$0" --input-type=module -e "$1" & exec cat >/dev/null`;
		const parent = spawn("sh", ["-c", script, process.execPath, print], { stdio: ["pipe", "pipe", "inherit"] });
		onTestFinished(() => void parent.kill("SIGKILL"));
		const printed = new Promise((resolve) => parent.stdout.once("data", resolve));
		const closed = new Promise((resolve) => parent.stdout.once("end", resolve));
		const owner = String(await printed).trim();
		// Its output ends when it has ended; `cat` has another one.
		await closed;
		await expect.poll(() => ownerIsDead(owner), { timeout: 10_000 }).toBe(true);
		expect(readFileSync(`/proc/${owner.split(".")[4]}/stat`, "utf8")).toContain(") Z ");
	});
});
