/** What the client makes of a process that is no microvmd, or none any more. */
import { ChildProcess, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, test, vi } from "vitest";
import { MicrovmdClient, MicrovmdLost } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import { budget, frame } from "./machine-for-tests.ts";

test("where this process has no more files, one is lost and this process lives on", () => {
	const client = fileURLToPath(
		new URL("../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts", import.meta.url),
	);
	const script = `
		import { openSync } from "node:fs";
		import { MicrovmdClient } from ${JSON.stringify(client)};
		try { for (;;) openSync("/dev/null", "r"); } catch {}
		const options = { executable: "/bin/false", guest: "none", memoryMiB: 8 };
		const lost = await MicrovmdClient.spawn(options).catch((error) => error);
		console.log(lost.name, lost.message);
	`;
	const command = 'ulimit -n 64; exec "$0" --input-type=module --eval "$1"';
	const { stdout, stderr } = spawnSync("/bin/sh", ["-c", command, process.execPath, script], { encoding: "utf8" });
	expect(stderr).toBe("");
	expect(stdout).toBe("MicrovmdLost spawn /bin/false EMFILE\n");
});

describe("a process that is not what it should be", () => {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-false-microvmd-"));
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	const hello = Buffer.alloc(56);
	hello.writeUInt32LE(1, 0);

	/** A program that writes these bytes, one part after each request, and then waits. */
	function falseProcess(...parts: readonly Buffer[]): string {
		const file = join(folder, `false-${Math.random().toString(36).slice(2)}`);
		for (const [at, part] of parts.entries()) writeFileSync(`${file}.${at}`, part);
		const lines = parts.map((_, at) => `${at > 0 ? "head -c 8 > /dev/null; " : ""}cat ${file}.${at}`);
		writeFileSync(file, `#!/bin/sh\nPATH=/usr/bin:/bin\n${lines.join("\n")}\nexec sleep 60\n`, { mode: 0o755 });
		return file;
	}

	function isAlive(pid: number | undefined): boolean {
		try {
			return process.kill(pid ?? 0, 0);
		} catch {
			return false;
		}
	}

	const spawnFalse = (...parts: readonly Buffer[]): Promise<MicrovmdClient> =>
		MicrovmdClient.spawn({ executable: falseProcess(...parts), guest: "none", memoryMiB: 8 });

	test.each([
		["no hello", frame(4)],
		["another version", frame(1, Buffer.alloc(56, 9))],
		["a short hello", frame(1, Buffer.alloc(20))],
		["a long frame", frame(1, Buffer.alloc(0), 0xffff_ffff)],
		["a fault without a body", frame(6)],
		["two frames at once", Buffer.concat([frame(1, hello), frame(4)])],
	])("is lost at its hello: %s", async (_, bytes) => {
		await expect(spawnFalse(bytes)).rejects.toThrow(MicrovmdLost);
	});

	test.each([
		["nothing of a slice", frame(2)],
		["a stop that does not exist", frame(2, Buffer.alloc(16, 99))],
		["another kind", frame(4)],
		["a kind that does not exist", frame(77)],
		["a fault without a body", frame(6)],
		["a frame that is too long", frame(2, Buffer.alloc(0), 0x7fff_ffff)],
	])("is lost at a slice: %s", async (_, bytes) => {
		const machine = await spawnFalse(frame(1, hello), bytes);
		await expect(machine.start(Buffer.alloc(0), budget)).rejects.toThrow(MicrovmdLost);
		machine.kill();
	});

	test.each([
		["no head", frame(3)],
		["fewer pages than it says", frame(3, Buffer.concat([Buffer.alloc(4), Buffer.from([9, 0, 0, 0])]))],
	])("is lost at a snapshot: %s", async (_, bytes) => {
		const machine = await spawnFalse(frame(1, hello), bytes);
		await expect(machine.snapshot()).rejects.toThrow(MicrovmdLost);
		machine.kill();
	});

	test("is killed where it says that it ends and does not", async () => {
		const machine = await spawnFalse(frame(1, hello), frame(6, Buffer.from([5, 0, 0, 0])));
		await expect(machine.ping()).rejects.toMatchObject({ stop: "fault" });
		await machine.gone;
		expect(isAlive(machine.pid)).toBe(false);
	});

	test("is not gone before it is, and ends with its input where no signal reaches it", async () => {
		const file = falseProcess(frame(1, hello));
		writeFileSync(file, readFileSync(file, "utf8").replace("exec sleep 60", "exec cat"));
		const machine = await MicrovmdClient.spawn({ executable: file, guest: "none", memoryMiB: 8 });
		const kill = vi.spyOn(ChildProcess.prototype, "kill").mockImplementation(function (this: ChildProcess) {
			this.emit("error", new Error("kill EPERM"));
			return false;
		});
		machine.kill();
		kill.mockRestore();
		await machine.gone;
		expect(isAlive(machine.pid)).toBe(false);
	});

	test("is not waited for where something else keeps its pipes", async () => {
		const file = falseProcess(frame(1, hello));
		writeFileSync(file, readFileSync(file, "utf8").replace("PATH=/usr/bin:/bin", "PATH=/usr/bin:/bin; sleep 60 &"));
		const machine = await MicrovmdClient.spawn({ executable: file, guest: "none", memoryMiB: 8 });
		const group = -(machine.pid ?? 0);
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
		try {
			machine.kill();
			await vi.advanceTimersByTimeAsync(60_000);
			await machine.gone;
		} finally {
			vi.useRealTimers();
			process.kill(group, "SIGKILL");
		}
	});

	/** What it answers as, and whether it says so much of its length; sizes up to 64 KB, and not only small ones. */
	const noise = fc.tuple(fc.uint8Array({ maxLength: 65_536, size: "max" }), fc.nat(8), fc.boolean());
	test("is lost whatever it writes", { timeout: 60_000 }, async () => {
		await fc.assert(
			fc.asyncProperty(noise, fc.boolean(), async ([body, kind, isLying], asksSnapshot) => {
				const bytes = frame(kind, body, isLying ? body.length + 1_000_000_000 : body.length);
				const machine = await spawnFalse(frame(1, hello), bytes);
				const asked = asksSnapshot ? machine.snapshot() : machine.start(Buffer.alloc(0), budget);
				const end = await asked.then(
					() => "an answer",
					(error: Error) => error.name,
				);
				expect(["MicrovmdLost", "MicrovmdRefused", "an answer"]).toContain(end);
				machine.kill();
			}),
			{ numRuns: 60 },
		);
	});
});
