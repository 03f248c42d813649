import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type MicrovmdClient, MicrovmdLost } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import {
	budget,
	deliver,
	deliveryText,
	killMachines,
	spawnMachine,
	start,
	textOf,
	underWay,
	whyNoMachine,
} from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);
afterAll(killMachines);

describe.skipIf(whyNoMachine)("a limit", () => {
	let machine: MicrovmdClient;
	beforeAll(async () => {
		machine = await spawnMachine();
	});

	test.each([
		["an endless loop", "for (;;);"],
		["endless promises", "for (;;) await null;"],
		["an endless regular expression", "/((a*)*)*b/.test('a'.repeat(50))"],
		["endless recursion through catch", "const f = () => { for (;;) try { f() } catch {} }; f()"],
		["an endless getter", "const p = new Proxy({}, { get: () => { for (;;); } }); p.x"],
		["an endless toJSON", "return { toJSON() { for (;;); } }"],
		["an endless generator", "function* g() { for (;;) yield 1 } for (const x of g());"],
		["endless microtasks", "const f = () => queueMicrotask(f); f(); f(); await new Promise(() => {})"],
	])("of a slice stops %s and keeps what was printed", async (_, source) => {
		const slice = await start(machine, `console.log("before"); ${source}`, { sliceMs: 30 });
		expect(slice.stop).toBe("slice");
		expect(textOf(slice)).toContain('c "before"');
	});

	test("of a slice hands over what was printed, however much the program has to give back", async () => {
		const source =
			"const all = Array.from({ length: 3e5 }, (_, i) => ({ i })); await tools.search(); console.log('then'); for (;;);";
		expect(textOf(await start(machine, source))).toContain('"search"');
		const slice = await machine.deliver(deliveryText([{ n: 1, ok: "1" }]), { ...budget, sliceMs: 30 });
		expect(slice.stop).toBe("slice");
		expect(textOf(slice)).toContain('c "then"');
	});

	test.each([
		["one long fill", "new Array(4e9).fill(1)"],
		["one long copy", "const a = new Uint8Array(3e7); for (;;) a.fill(1)"],
		["one long sort", "new Float64Array(3e6).map((_, i) => -i).sort(); for (;;);"],
		["one long product", "const b = (1n << 500000n) - 1n; for (;;) b * b"],
	])("of a slice stops %s, which the engine cannot be asked to leave", async (_, source) => {
		expect((await start(machine, source, { sliceMs: 30 })).stop).toBe("slice");
		expect(textOf(await start(machine, "return 'well'"))).toBe('r "well"');
	});

	test.each([
		["asked to leave", "for (;;);"],
		["made to leave", "new Array(4e9).fill(1)"],
	])("of CPU time counts what a program used that was %s, and lets it have little more", async (_, source) => {
		for (let i = 0; i < 10; i++) {
			const slice = await start(machine, source, { cpuMs: 40 });
			expect(slice.stop).toBe("cpu");
			// Counted by the process, and CPU time alone: it does not grow while others have the processor.
			expect(slice.cpuMs).toBeGreaterThanOrEqual(40);
			expect(slice.cpuMs).toBeLessThan(400);
		}
	});

	test("of memory ends a program that keeps everything", async () => {
		const slice = await start(machine, "const a = []; for (;;) a.push(new Array(1000).fill(1))", {
			memoryBytesMax: 16e6,
		});
		expect(slice.stop === "memory" || textOf(slice).includes("out of memory")).toBe(true);
		expect(textOf(await start(machine, "return 'well'"))).toBe('r "well"');
	});

	test.each([
		["a string that doubles", "let s = 'a'; for (;;) s += s"],
		["one large array", "return new Uint8Array(1 << 30).length"],
		["one large string", "return 'x'.repeat(1 << 29).length"],
		["a map", "const m = new Map(); for (let i = 0; ; i++) m.set(i, {})"],
		["console text", "for (;;) console.log('x'.repeat(1e6))"],
		["many calls", "for (let i = 0; ; i++) tools.search('x'.repeat(1e5))"],
		["deep recursion", "const f = (n) => f(n + 1) + 1; return f(0)"],
		["deep JSON", "return JSON.parse('['.repeat(1e6))"],
		["deep objects as JSON", "let o = {}; const r = o; for (let i = 0; i < 5e4; i++) o = o.a = {}; return r"],
		["deep regular expressions", "return new RegExp('('.repeat(2e4) + ')'.repeat(2e4)).test('a')"],
		["deep eval", "return eval('('.repeat(5e4))"],
		["deep arrays to text", "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return String(a)"],
		["deep prototypes", "let o = {}; for (let i = 0; i < 1e5; i++) o = Object.create(o); return o.x ?? 1"],
		["deep proxies", "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x ?? 1"],
		["deep binding", "let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(); return f()"],
		["deep promises", "let p = Promise.resolve(1); for (let i = 0; i < 1e5; i++) p = p.then((x) => x); return await p"],
		["deep ropes", "let s = ''; for (let i = 0; i < 1e6; i++) s = i % 2 ? s + 'ab' : 'cd' + s; return s.length"],
		["deep sorting", "return Array.from({ length: 1e5 }, (_, i) => i).sort((a, b) => b - a)[0]"],
		["deep freeing", "let o = null; for (let i = 0; i < 3e5; i++) o = { o }; o = null; return 1"],
		["spread", "return [].concat(...Array(2e5).fill([1])).length"],
		["an array of holes", "const a = []; a.length = 4294967295; a.fill(1)"],
		[
			"broken primordials",
			"globalThis.JSON = null; globalThis.Promise = null; Array.prototype.map = () => { throw 1 }; return 5",
		],
		["a thenable prototype", "Object.prototype.then = function (f) { f(1) }; return {}"],
		["a hostile proxy", "return new Proxy({}, { ownKeys() { throw new Error('trap') } })"],
		["values that JSON cannot take", "return 10n"],
		["a cycle", "const x = {}; x.x = x; return x"],
		["a throwing toString", "throw { toString() { throw 1 } }"],
		["null", "throw null"],
		["a symbol", "return Symbol('x')"],
		["an invalid date", "return new Date(NaN)"],
	])("holds against %s: a clear end, and the next program runs", { timeout: 60_000 }, async (_, source) => {
		const bomb = start(machine, source, { cpuMs: 1_000, sliceMs: 2_000, memoryBytesMax: 32e6 });
		const end = await bomb.then(
			(slice) => (slice.stop === "none" ? (textOf(slice).split("\n").at(-1)?.[0] ?? "") : slice.stop),
			(error: unknown) => (error instanceof MicrovmdLost ? (error.stop ?? "lost") : String(error)),
		);
		expect(["r", "t", "s", "o", "cpu", "slice", "memory", "value"]).toContain(end);
		expect(textOf(await start(machine, "return 'well'"))).toBe('r "well"');
	});

	test("cannot be caught: no code of a stopped program runs again", async () => {
		const slice = await start(
			machine,
			`console.log("a"); queueMicrotask(() => console.log("b")); tools.search().finally(() => console.log("b"));
			try { for (;;) try { for (;;); } finally { console.log("b"); } } catch { console.log("b"); }`,
			{ sliceMs: 20 },
		);
		expect(slice.stop).toBe("slice");
		expect(textOf(slice)).not.toContain('"b"');
		await expect(deliver(machine, [{ n: 1, ok: "1" }])).rejects.toThrow("there is no program that waits");
	});

	test("is none for a cancelled slice: it ends at once, and a cancellation that comes late does nothing", async () => {
		const slice = start(machine, "console.log('x'); for (;;);");
		await underWay(machine.pid ?? 0);
		machine.cancel();
		expect((await slice).stop).toBe("cancelled");
		machine.cancel();
		expect(textOf(await start(machine, "return 1"))).toBe("r 1");
		for (let i = 0; i < 200; i++) {
			const short = start(machine, "for (let i = 0; i < 3e3; i++); return 1");
			setImmediate(() => machine.cancel());
			const { stop, outbox } = await short;
			expect(stop === "cancelled" || Buffer.from(outbox).toString() === "r 1").toBe(true);
		}
		expect(textOf(await start(machine, "return 2"))).toBe("r 2");
	});
});

test.skipIf(whyNoMachine)(
	"a thousand programs that are stopped leave a thousand that are right",
	{ timeout: 120_000 },
	async () => {
		const machine = await spawnMachine();
		const bombs = [
			"let s = []; for (;;) s.push({ a: 1 })",
			"new Array(4e9).fill(1)",
			"for (;;) await tools.search",
			"globalThis.Array.prototype.map = null; for (;;);",
			"const f = () => { try { f() } finally { f() } }; f()",
		];
		for (let i = 0; i < 1_000; i++) {
			const stopped = await start(machine, bombs[i % bombs.length] ?? "", { sliceMs: (i % 3) + 0.3 });
			expect(stopped.stop).toBe("slice");
			const right = await start(machine, `return [1, 2, ${i}].map((x) => x * x)`);
			expect(textOf(right)).toBe(`r [1,4,${i * i}]`);
		}
	},
);
