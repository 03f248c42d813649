import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Readable } from "node:stream";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { guestDigest } from "../../holdpoint/src/adapters/sandboxes/guest-image/guest-digest.ts";
import {
	MicrovmdClient,
	MicrovmdLost,
	MicrovmdRefused,
} from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import {
	budget,
	deliver,
	deliveryText,
	executable,
	frame,
	guestFile,
	inState,
	killMachines,
	memoryMiB,
	spawnMachine,
	start,
	startText,
	textOf,
	underWay,
	whyNoMachine,
} from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);
afterEach(killMachines);

/** A process without a client. */
async function rawProcess(): Promise<{
	write(bytes: Uint8Array): void;
	end(): void;
	reply(): Promise<unknown>;
	pid: number;
	code: Promise<number | null>;
}> {
	const child = spawn(executable, [guestFile, String(memoryMiB)], { stdio: ["pipe", "pipe", "ignore"] });
	child.stdin.on("error", () => undefined);
	const code = once(child, "exit").then(([status]) => status as number | null);
	await once(child.stdout, "data");
	child.stdout.resume();
	return {
		write: (bytes) => child.stdin.write(bytes),
		end: () => child.stdin.end(),
		reply: () => once(child.stdout, "data"),
		pid: child.pid ?? 0,
		code,
	};
}

describe.skipIf(whyNoMachine)("a machine", () => {
	test("boots to the image that the wasm provider boots to", async () => {
		const { hello } = await spawnMachine();
		expect(hello.guestDigest).toBe(guestDigest);
		expect(hello.memoryBytesMax).toBe(memoryMiB * 1_048_576);
	});

	test("runs a program to its value", async () => {
		const slice = await start(await spawnMachine(), "return 1 + 2");
		expect(textOf(slice)).toBe("r 3");
		expect(slice.stop).toBe("none");
	});

	test("takes calls out and answers in, as batches", async () => {
		const machine = await spawnMachine();
		const asked = await start(
			machine,
			"const r = await Promise.all([tools.search({ q: 1 }), tools.search({ q: 2 })]); return r",
		);
		expect(textOf(asked)).toBe('a 1 1 "search" {"q":1}\na 2 1 "search" {"q":2}\no');
		expect(textOf(await deliver(machine, [{ n: 2, ok: '"b"' }]))).toBe("o");
		expect(textOf(await deliver(machine, [{ n: 1, ok: '"a"' }]))).toBe('r ["a","b"]');
	});

	test("reports an answer to a call that is not open and goes on afterwards", async () => {
		const machine = await spawnMachine();
		await start(machine, "return await tools.search()");
		expect((await deliver(machine, [{ n: 5, ok: "1" }])).unknownCall).toBe(5);
		expect(textOf(await deliver(machine, [{ n: 1, ok: "7" }]))).toBe("r 7");
	});

	test("shows the clock that it was given and seeds chance", async () => {
		const machine = await spawnMachine();
		const source = "return [Date.now(), Math.random(), performance.now === undefined]";
		const [one, two] = [
			await start(machine, source, { clockMs: 1_700_000_000_123 }),
			await start(machine, source, { clockMs: 1_700_000_000_123 }),
		];
		expect(textOf(one)).toContain("1700000000123");
		expect(textOf(two)).toBe(textOf(one));
	});

	test.each([1, 4])("carries arguments and results of %d MiB", async (mebibytes) => {
		const machine = await spawnMachine();
		// With its quotes it stays below the limit of 4 MiB.
		const length = mebibytes * 1_048_576 - 3;
		const asked = await start(machine, `const r = await tools.search("x".repeat(${length})); return r.length`);
		expect(textOf(asked).length).toBeGreaterThan(length);
		const answered = await deliver(machine, [{ n: 1, ok: JSON.stringify("y".repeat(length)) }]);
		expect(textOf(answered)).toBe(`r ${length}`);
	});

	test.each([8, 2_048])("boots to the same image with %d MiB", async (mebibytes) => {
		const machine = await MicrovmdClient.spawn({ executable, guest: guestFile, memoryMiB: mebibytes });
		expect(machine.hello.guestDigest).toBe(guestDigest);
		const source =
			"const kept = []; try { for (;;) kept.push(new Uint8Array(1e6).fill(1)); } catch {} return kept.length";
		const slice = await start(machine, source, { memoryBytesMax: 5e6 });
		expect(textOf(slice)).toBe("r 4");
		machine.kill();
	});

	test("carries text beyond ASCII", async () => {
		const machine = await spawnMachine();
		await start(machine, "return (await tools.search('grüße 🎉')) + '\\u0000ö'");
		expect(JSON.parse(textOf(await deliver(machine, [{ n: 1, ok: '"naïve 🎈"' }])).slice(2))).toBe("naïve 🎈\u0000ö");
	});

	test("serves nothing that its guest's state does not allow", async () => {
		const machine = await spawnMachine();
		await expect(machine.snapshot()).rejects.toThrow(MicrovmdRefused);
		await expect(machine.deliver(deliveryText([]), budget)).rejects.toThrow("there is no program that waits");
		await start(machine, "await tools.search()");
		await expect(machine.start(startText("return 1"), budget)).rejects.toThrow("the guest is not a fresh one");
		await expect(start(machine, "return 1", { sliceMs: 1e9 })).rejects.toThrow("longer than it may be");
		await machine.reset();
		await machine.ping();
		expect(textOf(await machine.start(startText("return 1"), budget))).toBe("r 1");
	});

	test("is ready for the next program once one is over", async () => {
		const machine = await spawnMachine();
		for (const source of ["return 1", "throw 1", "globalThis.x = 1"]) {
			await machine.start(startText(source), budget);
		}
		expect(textOf(await machine.start(startText("return typeof x"), budget))).toBe('r "undefined"');
	});
});

describe.skipIf(whyNoMachine)("the process", () => {
	test("ends with its parent's end of the pipe, also in the middle of a slice", async () => {
		const idle = await spawnMachine();
		await idle.close();
		const busy = await spawnMachine();
		const slice = start(busy, "for (;;);");
		const lost = expect(slice).rejects.toThrow(MicrovmdLost);
		await underWay(busy.pid ?? 0);
		// Otherwise it would end with its slice: in a minute, which no test has.
		await busy.close();
		await lost;
	});

	test("has given up everything that it does not need", async () => {
		const { pid } = await spawnMachine();
		const status = readFileSync(`/proc/${pid}/status`, "utf8");
		expect(status).toMatch(/^Seccomp:\s+2$/m);
		expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
		// The kernel may keep a worker of its own for a virtual machine; it runs no code of this process.
		const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
			readFileSync(`/proc/${pid}/task/${thread}/comm`, "utf8"),
		);
		expect(threads.filter((name) => !name.startsWith("kvm-"))).toEqual(["microvmd\n"]);
		expect(status).toMatch(/^CapEff:\s+0+$/m);
		if (process.getuid?.() === 0) expect(status).toMatch(/^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
		expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("1000\n");
		const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
		for (const name of ["Max core file size", "Max file size", "Max processes"]) {
			expect(limits).toMatch(new RegExp(`^${name}\\s+0\\s+0\\s`, "m"));
		}
	});

	test("keeps none of the files that its parent left open", async () => {
		const linksOf = (pid: number | undefined) =>
			readdirSync(`/proc/${pid}/fd`).map((file) => readlinkSync(`/proc/${pid}/fd/${file}`).replace(/\d+/g, "*"));
		const stdio = ["pipe", "pipe", "pipe", openSync("/etc/passwd", "r"), "pipe"] as const;
		const child = spawn(executable, [guestFile, String(memoryMiB)], { stdio: [...stdio] });
		await once(child.stdout as Readable, "data");
		expect(linksOf(child.pid).toSorted()).toEqual(linksOf((await spawnMachine()).pid).toSorted());
		child.kill("SIGKILL");
	});

	test("is lost when it is killed, and says so", async () => {
		const machine = await spawnMachine();
		const slice = start(machine, "for (;;);");
		machine.kill();
		await expect(slice).rejects.toThrow(MicrovmdLost);
		await expect(machine.ping()).rejects.toThrow(MicrovmdLost);
	});

	test("may be killed at any moment", { timeout: 60_000 }, async () => {
		for (let i = 0; i < 40; i++) {
			const starting = spawnMachine();
			const work = starting.then(async (machine) => {
				for (;;) {
					await start(machine, "const m = new Map([[1, 'x'.repeat(99)]]); await tools.search(1)");
					await machine.restore(await machine.snapshot());
					await deliver(machine, [{ n: 1, ok: "1" }]);
				}
			});
			const ended = expect(work).rejects.toThrow(MicrovmdLost);
			const machine = await starting;
			for (let turn = 0; turn < i * 7; turn++) await new Promise((resolve) => setImmediate(resolve));
			machine.kill();
			await ended;
		}
	});

	test.each([
		["nothing but noise", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
		["a kind that does not exist", frame(99)],
		["a kind 0", frame(0)],
		["a body where none can be", frame(5, Buffer.alloc(4))],
	])("ends on %s", async (_, bytes) => {
		const child = await rawProcess();
		child.write(bytes);
		expect(await child.code).toBe(3);
	});

	test("ends on a request that comes while a slice runs", async () => {
		const child = await rawProcess();
		const head = Buffer.alloc(32);
		head.writeUInt32LE(64e6, 4);
		head.writeBigUInt64LE(60_000_000n, 8);
		head.writeBigUInt64LE(60_000_000n, 16);
		child.write(frame(1, Buffer.concat([head, startText("for (;;);")])));
		await underWay(child.pid);
		child.write(frame(6));
		expect(await child.code).toBe(3);
	});

	test.each([
		["a cancellation", [frame(7)]],
		["the end of its input", []],
	])("notices %s that comes together with the request", async (_, cancel) => {
		const child = await rawProcess();
		const head = Buffer.alloc(32);
		head.writeUInt32LE(64e6, 4);
		head.writeBigUInt64LE(3_000_000_000n, 8);
		head.writeBigUInt64LE(3_000_000_000n, 16);
		const start = frame(1, Buffer.concat([head, startText("for (;;);")]));
		// Only one that waits is woken without a signal for what came with its request.
		await inState(child.pid, "S");
		child.write(Buffer.concat([start, ...cancel]));
		if (cancel.length === 0) child.end();
		if (cancel.length > 0) await child.reply();
		child.end();
		expect(await child.code).toBe(0);
	});

	test("survives or ends by itself whatever bytes it is sent", { timeout: 60_000 }, async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(
					fc.record({ kind: fc.integer({ min: 0, max: 8 }), body: fc.uint8Array({ maxLength: 80 }), lie: fc.nat(3) }),
					{ maxLength: 12 },
				),
				async (frames) => {
					const child = await rawProcess();
					for (const { kind, body, lie } of frames) child.write(frame(kind, body, body.length + (lie === 3 ? 1 : 0)));
					child.end();
					// 0: its input ended. 3: that was no request. Anything else, or a signal, is a defect.
					expect([0, 3]).toContain(await child.code);
				},
			),
			{ numRuns: 40 },
		);
	});

	test.each([
		["no guest", "/does/not/exist", "No such file"],
		["a file that is no guest", executable, "segment|headers|code"],
		["an empty file", "/dev/null", "not an ELF file"],
	])("does not start with %s", async (_, guest, reason) => {
		const starting = MicrovmdClient.spawn({ executable, guest, memoryMiB });
		await expect(starting).rejects.toThrow(MicrovmdLost);
		await expect(starting).rejects.toThrow(new RegExp(reason));
	});

	test.each([0, 7, 2_049, 1e6, -1, 1.5])("does not start with %d MiB", async (mebibytes) => {
		const starting = MicrovmdClient.spawn({ executable, guest: guestFile, memoryMiB: mebibytes });
		await expect(starting).rejects.toThrow("MiB");
	});

	test("goes on after it was halted and continued in the middle of a slice", async () => {
		const machine = await spawnMachine();
		const pid = machine.pid ?? 0;
		const slice = start(machine, "for (let i = 0; i < 3e6; i++); return 'done'");
		for (let i = 0; i < 5; i++) {
			process.kill(pid, "SIGSTOP");
			await inState(pid, "T");
			process.kill(pid, "SIGCONT");
			await inState(pid, "R", "S");
		}
		expect(textOf(await slice)).toBe('r "done"');
	});

	test("is lost where there is no such program", async () => {
		const starting = MicrovmdClient.spawn({ executable: "/does/not/exist", guest: guestFile, memoryMiB });
		await expect(starting).rejects.toThrow(MicrovmdLost);
	});
});
