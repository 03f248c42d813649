import { afterEach, describe, expect, test } from "vitest";
import { HoldpointError, isHoldpointError } from "../../../spec/errors.ts";
import { defaultProgramLimits, type ProgramLimits } from "../../../spec/limits.ts";
import type { ProgramSpec, SandboxProvider } from "../../../spec/sandbox.ts";
import { wasmSandbox } from "../wasm/provider.ts";
import { FakeHostApi } from "./fake-host-api.ts";
import { pieceChars } from "./guest-script.ts";
import { piecesOf } from "./machine.ts";
import { HyperlightPool } from "./pool.ts";
import { type HyperlightSandboxOptions, hyperlightSandboxIn } from "./provider.ts";

const svm = "processor : 0\nflags\t\t: fpu svm sse\n";
const opened: SandboxProvider[] = [];

afterEach(async () => {
	for (const sandbox of opened.splice(0)) await sandbox.close();
});

function sandboxOver(api: FakeHostApi, options: HyperlightSandboxOptions = {}, cpuinfo = svm): SandboxProvider {
	const sandbox = hyperlightSandboxIn({ load: async () => api, cpuinfo: () => cpuinfo }, options);
	opened.push(sandbox);
	return sandbox;
}

/** A program of the false Hyperlight: what its guest writes, slice by slice. */
function programOf(outboxes: readonly string[], limits: Partial<ProgramLimits> = {}): ProgramSpec {
	return {
		source: JSON.stringify(outboxes),
		tools: ["search"],
		seed: 1,
		clockMs: 0,
		limits: { ...defaultProgramLimits, ...limits },
		principal: "p",
	};
}

const ask = (n: number) => `a ${n} 1 "search" {}\no`;
const none = { answers: [], clockMs: 0 };
const answerTo = (n: number) => ({ answers: [{ n, ok: "1" }], clockMs: 0 });

async function firstSlice(sandbox: SandboxProvider, program: ProgramSpec, signal?: AbortSignal) {
	const guest = await sandbox.start(program);
	return { guest, slice: await guest.advance(none, signal) };
}

describe("a slice", () => {
	test("is an order, jobs until none is left, and the outbox; console, calls and value come through", async () => {
		const api = new FakeHostApi();
		const { guest, slice } = await firstSlice(sandboxOver(api), programOf([`c "hi"\n${ask(1)}`, "r [1]"]));
		expect(slice).toMatchObject({ console: "hi\n", asks: [{ n: 1, tool: "search", args: "{}" }], cpuMs: 2 });
		expect(await guest.advance(answerTo(1))).toMatchObject({ state: { kind: "returned", value: "[1]" } });
		expect(api.done).toEqual(["snapshot", "restore", "start", "drain", "deliver", "drain"]);
	});

	test("texts that are longer than one call takes go and come in pieces", async () => {
		const api = new FakeHostApi();
		const long = JSON.stringify("é".repeat(pieceChars * 1.5));
		const { slice } = await firstSlice(sandboxOver(api), programOf([`r ${long}`]));
		expect(slice.state).toEqual({ kind: "returned", value: long });
		expect(api.done).toEqual(["snapshot", "restore", "part", "start", "drain", "more"]);
	});

	test("no piece ends in the middle of a pair of surrogates", () => {
		const text = `${"x".repeat(pieceChars - 1)}😀${"y".repeat(pieceChars)}`;
		const pieces = piecesOf(text);
		expect(pieces.join("")).toBe(text);
		expect(pieces.map((piece) => piece.isWellFormed() && piece.length <= pieceChars)).toEqual([true, true, true]);
	});

	const cancelled = "[ERR_CANCELLED] Execution was cancelled by the host.";
	test.each<[string, string, object, string]>([
		["wall time", cancelled, { cpuTimeMs: 5, terminatedBy: "wall-clock" }, "slice"],
		["CPU time", cancelled, { cpuTimeMs: 5, terminatedBy: "cpu-time" }, "cpu"],
		["the allocator", "[ERR_GUEST_ABORT] Guest aborted: 13 ", {}, "memory"],
		["pages", "[ERR_GUEST_ABORT] Guest aborted: 13 Out of physical memory", {}, "memory"],
		["the stack", "[ERR_GUEST_ABORT] Guest aborted: 9 ", {}, "stack"],
		["a panic", "[ERR_GUEST_ABORT] Guest aborted: 8 panicked at call.rs", {}, "fault"],
		["anything else", "[ERR_INTERNAL] something", {}, "fault"],
		[
			"an exception that looks like rest",
			"[ERR_INTERNAL] Guest error occurred GuestError: Error: Runtime error: Exception(WouldBlock)",
			{},
			"fault",
		],
	])("is stopped by %s, and the machine is reset for the next program", async (_, message, stats, limit) => {
		const api = new FakeHostApi();
		const sandbox = sandboxOver(api, { machinesMax: 1 });
		api.instead("start", (machine) => {
			machine.poison();
			machine.stats = stats;
			throw new Error(message);
		});
		expect((await firstSlice(sandbox, programOf(["r 1"]))).slice.state).toMatchObject({ kind: "stopped", limit });
		expect((await firstSlice(sandbox, programOf(["r 2"]))).slice.state).toEqual({ kind: "returned", value: "2" });
	});

	test.each<[string, string, unknown]>([
		["no text", "drain", { not: "text" }],
		["a text without its mark", "drain", "r 1"],
		["an empty piece that promises more", "drain", "+"],
		["a piece longer than one may be", "drain", `.${"x".repeat(pieceChars + 1)}`],
		["a line that the prelude does not write", "drain", ".hello"],
		["a value where there is none", "start", "early"],
		["a number that is none", "start", -1],
	])("of a guest that answers with %s ends as a fault", async (_, kind, value) => {
		const api = new FakeHostApi();
		api.instead(kind, () => value);
		const { slice } = await firstSlice(sandboxOver(api), programOf(["r 1"]));
		expect(slice).toMatchObject({ asks: [], state: { kind: "stopped", limit: "fault" } });
	});

	test("of a guest that never ends its outbox is stopped when it has said what one may say", async () => {
		const api = new FakeHostApi();
		const endless = (): unknown => {
			api.instead("more", endless);
			return `+${"x".repeat(pieceChars)}`;
		};
		api.instead("drain", endless);
		const { slice } = await firstSlice(sandboxOver(api), programOf(["r 1"]));
		expect(slice.state).toMatchObject({ kind: "stopped", limit: "value" });
	});

	test("is killed by its signal, and its program is cancelled", async () => {
		const api = new FakeHostApi();
		const controller = new AbortController();
		api.instead("start", (machine) => {
			controller.abort();
			machine.poison();
			throw new Error(cancelled);
		});
		const { slice } = await firstSlice(sandboxOver(api), programOf(["r 1"]), controller.signal);
		expect(slice.state).toMatchObject({ kind: "stopped", limit: "cancelled" });
		expect(api.done).toContain("kill");
	});

	test("has CPU time for what its program has left", async () => {
		const api = new FakeHostApi();
		const { guest } = await firstSlice(sandboxOver(api), programOf([ask(1), ask(2)], { cpuMs: 3 }));
		expect(await guest.advance(answerTo(1))).toMatchObject({ state: { kind: "stopped", limit: "cpu" } });
	});
});

describe("machines", () => {
	test("eight programs share two, each with its own memory, and none waits for ever", async () => {
		const api = new FakeHostApi();
		const sandbox = sandboxOver(api, { machinesMax: 2 });
		const values = await Promise.all(
			Array.from({ length: 8 }, async (_, i) => {
				const { guest } = await firstSlice(sandbox, programOf([ask(1), ask(2), ask(3), `r ${i}`]));
				for (const n of [1, 2]) await guest.advance(answerTo(n));
				const { state } = await guest.advance(answerTo(3));
				return state.kind === "returned" ? state.value : state;
			}),
		);
		expect(values).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
		expect(api.aliveMost).toBe(2);
	});

	test("a guest that rests keeps its machine while nobody else needs it", async () => {
		const api = new FakeHostApi();
		const { guest } = await firstSlice(sandboxOver(api, { machinesMax: 1 }), programOf([ask(1), "r 1"]));
		await guest.advance(answerTo(1));
		expect(api.done.filter((one) => one === "snapshot" || one === "restore")).toEqual(["snapshot", "restore"]);
	});

	test("more guests than may be kept outside of machines: one is lost, says so, and can be replayed", async () => {
		const sandbox = sandboxOver(new FakeHostApi(), { machinesMax: 1 });
		const guests = [];
		for (let i = 0; i < 34; i++) guests.push((await firstSlice(sandbox, programOf([ask(1), `r ${i}`]))).guest);
		const ends = [];
		for (const guest of guests) {
			const end = guest.advance(answerTo(1)).then(({ state }) => (state.kind === "returned" ? state.value : state));
			ends.push(await end.catch((error: unknown) => (isHoldpointError(error) ? error.code : error)));
		}
		// Going on moves another one out, which finds no place either.
		const lost = ends.flatMap((end, i) => (end === "sandbox.fault" ? [i] : []));
		expect(lost).toEqual([32, 33]);
		expect(ends.filter((end) => end !== "sandbox.fault")).toEqual(guests.slice(0, 32).map((_, i) => String(i)));
	});

	test("a guest whose memory cannot be read when another one needs the machine is lost", async () => {
		const api = new FakeHostApi();
		const sandbox = sandboxOver(api, { machinesMax: 1 });
		const { guest } = await firstSlice(sandbox, programOf([ask(1), "r 1"]));
		api.instead("snapshot", () => {
			throw new Error("no");
		});
		expect((await firstSlice(sandbox, programOf(["r 2"]))).slice.state).toEqual({ kind: "returned", value: "2" });
		await expect(guest.advance(answerTo(1))).rejects.toMatchObject({ code: "sandbox.fault" });
	});

	test("a machine that cannot be reset is thrown away, and its program can be replayed", async () => {
		const api = new FakeHostApi();
		const sandbox = sandboxOver(api, { machinesMax: 1 });
		api.instead("restore", () => {
			throw new Error("no");
		});
		await expect(firstSlice(sandbox, programOf(["r 1"]))).rejects.toMatchObject({ code: "sandbox.fault" });
		expect(api.alive.size).toBe(0);
		expect((await firstSlice(sandbox, programOf(["r 2"]))).slice.state).toEqual({ kind: "returned", value: "2" });
	});

	test("programs with other limits of memory get other machines, and never more than there may be", async () => {
		const api = new FakeHostApi();
		const sandbox = sandboxOver(api, { machinesMax: 1 });
		for (const memoryBytesMax of [8e6, 64e6, 7e6]) {
			expect((await firstSlice(sandbox, programOf(["r 1"], { memoryBytesMax }))).slice.state.kind).toBe("returned");
		}
		expect(api.aliveMost).toBe(1);
	});

	test("a slice that is cancelled before it has a machine waits for none", async () => {
		const pool = new HyperlightPool(1, () => Promise.resolve(new FakeHostApi()));
		await pool.take(8, pool.closing);
		expect(await pool.take(8, AbortSignal.abort())).toBeUndefined();
		await pool.close();
	});

	test("closing ends them all, whoever waits is told, and nothing starts again", async () => {
		const api = new FakeHostApi();
		const sandbox = sandboxOver(api, { machinesMax: 1 });
		const { guest } = await firstSlice(sandbox, programOf([ask(1), "r 1"]));
		await sandbox.close();
		const isClosed = { code: "sandbox.unavailable", message: expect.stringContaining("closed") };
		await expect(guest.advance(answerTo(1))).rejects.toMatchObject(isClosed);
		await expect(sandbox.start(programOf(["r 1"]))).rejects.toMatchObject(isClosed);
		expect(api.alive.size).toBe(0);
	});

	test("a guest cannot be written down, and no snapshot is taken for one", async () => {
		const { guest } = await firstSlice(sandboxOver(new FakeHostApi()), programOf([ask(1), "r 1"]));
		await expect(guest.snapshot()).rejects.toMatchObject({ code: "snapshot.refused" });
		const sandbox = sandboxOver(new FakeHostApi());
		await expect(sandbox.restore(new Uint8Array(), programOf([]))).rejects.toMatchObject({ code: "snapshot.refused" });
	});
});

describe("the provider", () => {
	test.each([
		["svm", "flags : fpu svm"],
		["vmx", "flags : vmx fpu"],
	])("says %s where the processor does", async (isolation, cpuinfo) => {
		const api = new FakeHostApi();
		expect(await sandboxOver(api, {}, cpuinfo).probe()).toMatchObject({ ok: true, isolation, provider: "hyperlight" });
	});

	test("does not claim an isolation that it cannot name", async () => {
		const api = new FakeHostApi();
		expect(await sandboxOver(api, {}, "flags : fpu").probe()).toMatchObject({
			ok: false,
			reason: "its virtualization is of a kind that is not known",
		});
	});

	test("says what is missing, and tries again at the next program", async () => {
		const api = new FakeHostApi();
		let isThere = false;
		const missing = new HoldpointError("sandbox.unavailable", "it is not installed", { hint: "Install it." });
		const load = () => (isThere ? Promise.resolve(api) : Promise.reject(missing));
		const sandbox = hyperlightSandboxIn({ load, cpuinfo: () => svm }, {});
		opened.push(sandbox);
		expect(await sandbox.probe()).toMatchObject({ ok: false, reason: "it is not installed", hint: "Install it." });
		isThere = true;
		expect((await firstSlice(sandbox, programOf(["r 1"]))).slice.state).toEqual({ kind: "returned", value: "1" });
	});

	test("refuses by default what may be held, and takes another sandbox for it, which it closes", async () => {
		expect(sandboxOver(new FakeHostApi()).whenHeld).toBe("refuse");
		let closed = 0;
		const other = { ...wasmSandbox(), close: async () => void closed++ };
		const sandbox = hyperlightSandboxIn(
			{ load: async () => new FakeHostApi(), cpuinfo: () => svm },
			{ whenHeld: other },
		);
		expect(sandbox.whenHeld).toBe(other);
		await sandbox.close();
		expect(closed).toBe(1);
	});

	test.each<[string, HyperlightSandboxOptions]>([
		["no machine", { machinesMax: 0 }],
		["half a machine", { machinesMax: 1.5 }],
		["a word that is none", { whenHeld: "wait" as never }],
		["nothing", { whenHeld: null as never }],
		["a sandbox that cannot wait either", { whenHeld: { ...wasmSandbox(), whenHeld: "refuse" } }],
	])("refuses options that make no sense: %s", (_, options) => {
		expect(() => sandboxOver(new FakeHostApi(), options)).toThrow(expect.objectContaining({ code: "config.invalid" }));
	});
});
