import { strict as assert } from "node:assert";
import type { ProgramLimits } from "../spec/limits.ts";
import {
	assertUnharmed,
	begin,
	deliveryOf,
	errorOf,
	evaluate,
	limitOf,
	ok,
	play,
	programOf,
	type SandboxCase,
	valueOf,
} from "./sandbox-play.ts";

interface Bomb {
	readonly name: string;
	readonly source: string;
	readonly stops: readonly string[];
	readonly limits?: Partial<ProgramLimits>;
}

const shortly = { sliceMs: 200 };

/** Programs that never end by themselves, or ask for more than they may have. None can catch its end. */
const bombs: readonly Bomb[] = [
	{ name: "an endless loop", source: "for (;;);", stops: ["slice"], limits: shortly },
	{
		name: "a loop that catches",
		source: "for (;;) try { for (;;); } catch {} finally { continue; }",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "an endless chain of promises",
		source: "const f = async () => { await null; return f(); }; await f();",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "microtasks that never end",
		source: "const f = () => queueMicrotask(f); f(); await new Promise(() => {});",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "an endless generator",
		source: "for (const x of (function* () { while (true) yield 1; })()) ;",
		stops: ["slice"],
		limits: shortly,
	},
	{ name: "CPU time before wall time", source: "for (;;);", stops: ["cpu"], limits: { sliceMs: 20_000, cpuMs: 150 } },
	{
		name: "a catastrophic regular expression",
		source: "/^(a+)+$/.test('a'.repeat(60) + 'b');",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "a built-in over an endless array",
		source: "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "arithmetic that takes for ever",
		source: "let x = 3n ** 400000n; for (;;) x.toString();",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "a sort that takes for ever",
		source: "[3, 1, 2].sort(() => { for (;;); });",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "a getter of the value that never ends",
		source: "return { get x() { for (;;); } };",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "a console argument that never ends",
		source: "console.log({ toJSON() { for (;;); } });",
		stops: ["slice"],
		limits: shortly,
	},
	{
		name: "memory, many objects",
		source: "const a = []; for (;;) a.push({ i: a.length });",
		stops: ["memory"],
		limits: { memoryBytesMax: 8e6 },
	},
	{
		name: "memory, one string",
		source: "let s = 'x'; for (;;) { s += s; s.indexOf('y'); }",
		stops: ["memory"],
		limits: { memoryBytesMax: 8e6 },
	},
	{
		name: "memory, buffers",
		source: "const a = []; for (;;) a.push(new ArrayBuffer(1e5));",
		stops: ["memory"],
		limits: { memoryBytesMax: 8e6 },
	},
	{
		name: "too many calls",
		source: "for (let i = 0; ; i++) await tools.search(i);",
		stops: ["calls"],
		limits: { callsMax: 20 },
	},
	{
		name: "ten thousand parallel calls",
		source: "await Promise.allSettled(Array.from({ length: 10000 }, (_, i) => tools.search(i)));",
		stops: ["openCalls"],
	},
	{
		name: "too many calls, caught",
		source: "for (let i = 0; i < 100; i++) try { await tools.search(i); } catch {} return 'went on';",
		stops: ["calls"],
		limits: { callsMax: 20 },
	},
	{ name: "a huge value", source: "return 'x'.repeat(2e6);", stops: ["value"], limits: { valueBytesMax: 1e6 } },
	{
		name: "a value of few characters and many bytes",
		source: "return '€'.repeat(400000);",
		stops: ["value"],
		limits: { valueBytesMax: 1e6 },
	},
	{
		name: "huge arguments",
		source: "try { await tools.search('x'.repeat(2e6)); } catch {} return 'went on';",
		stops: ["value"],
		limits: { valueBytesMax: 1e6 },
	},
	{
		name: "arguments of few characters and many bytes",
		source: "await tools.search('€'.repeat(400000));",
		stops: ["value"],
		limits: { valueBytesMax: 1e6 },
	},
	{
		name: "a program too long",
		source: `return 1; /* ${"x".repeat(2_000)} */`,
		stops: ["value"],
		limits: { sourceBytesMax: 1_000 },
	},
];

/** Programs that run into the engine's own bounds: ordinary errors, which a program may catch. */
const overflows: readonly string[] = [
	"const f = () => f() + 1; f();",
	"const f = async () => { await f(); }; await f();",
	"class A { get x() { return this.x; } } new A().x;",
	"let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a;",
	"JSON.parse('['.repeat(1e5));",
	"let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x;",
	"eval('('.repeat(1e5));",
	"new RegExp('('.repeat(1e5));",
	"eval('('.repeat(1e5) + 'x' + ')'.repeat(1e5));",
	"const o = { toString() { return '' + this; } }; '' + o;",
	"let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); f();",
	"return [1].map(function m(x) { return [x].map(m); });",
	"const a = {}; a.toJSON = () => JSON.stringify(a); JSON.stringify(a);",
];

const bombCases: readonly SandboxCase[] = bombs.map((bomb) => ({
	name: `stopped: ${bomb.name}`,
	async run(make) {
		const provider = make();
		const played = await play(provider, bomb.source, bomb.limits ? { limits: bomb.limits } : {});
		assert.ok(bomb.stops.includes(limitOf(played)), JSON.stringify(played.state));
		assert.deepEqual(played.slices.at(-1)?.asks, []);
		await assertUnharmed(provider);
	},
}));

/** Limits, how a stop looks from outside, and that the next program does not notice. */
export const limitCases: readonly SandboxCase[] = [
	...bombCases,
	{
		name: "deep recursion of any kind is an error of the program, and the next one is well",
		async run(make) {
			const provider = make();
			for (const source of overflows) {
				const { state } = await play(provider, source, { limits: { memoryBytesMax: 32e6 } });
				const isOwn =
					state.kind === "threw" || state.kind === "returned" || (state.kind === "stopped" && state.limit === "memory");
				assert.ok(isOwn, `${source} → ${JSON.stringify(state).slice(0, 200)}`);
				await assertUnharmed(provider);
			}
			const error = errorOf(await play(provider, "const f = () => f() + 1;\nf();"));
			assert.match(`${error.name}: ${error.message}`, /RangeError: Maximum call stack/);
		},
	},
	{
		name: "memory that is given back may be used again",
		async run(make) {
			const source = "let sum = 0; for (let i = 0; i < 200; i++) sum += new Uint8Array(1e6).length; return sum;";
			assert.equal(await evaluate(make(), source, { limits: { memoryBytesMax: 16e6 } }), 200e6);
		},
	},
	{
		name: "console output ends at its limit with a note",
		async run(make) {
			const provider = make();
			const limits = { consoleBytesMax: 1_000 };
			for (const text of ["'x'.repeat(100)", "'€'.repeat(100)", "'😀'.repeat(60)", "'x'.repeat(1e5)"]) {
				const source = `for (let i = 0; i < 50; i++) console.log(${text}); await tools.search(); console.log(${text}); return 1;`;
				const { console, state } = await play(provider, source, { limits });
				assert.equal(state.kind, "returned");
				assert.match(console, /\[more console output was dropped\]\n$/);
				assert.ok(Buffer.byteLength(console) <= 1_000 + 40, `${Buffer.byteLength(console)} bytes`);
				assert.ok(!console.includes("\ufffd"));
			}
			const twice = "console.log('€'.repeat(400)); await tools.search(); console.log('€'.repeat(400));";
			assert.ok(Buffer.byteLength((await play(provider, twice, { limits })).console) <= 1_000 + 40);
		},
	},
	{
		name: "a stopped program keeps what it printed",
		async run(make) {
			const source = "console.log('before'); await tools.search(); console.log('then'); for (;;);";
			const { console, state } = await play(make(), source, { limits: shortly });
			assert.equal(limitOf({ state }), "slice");
			assert.equal(console, "before\nthen\n");
		},
	},
	{
		name: "a result over the limit fails its call alone",
		async run(make) {
			const source = `const r = await Promise.allSettled([tools.search('big'), tools.search('small')]);
				return r.map((s) => s.value ?? [s.reason.name, s.reason.code]);`;
			const answer = ({ args }: { args: string }) => (args === '"big"' ? "x".repeat(2_000) : "ok");
			const value = await evaluate(make(), source, { answer, limits: { valueBytesMax: 1_000 } });
			assert.deepEqual(value, [["ToolFailed", "tool.result_too_large"], "ok"]);
		},
	},
	{
		name: "large values within the limits pass: arguments, results, the program's value",
		async run(make) {
			const source = "const text = await tools.search('y'.repeat(1e6)); console.log(text.length); return text + 'z';";
			const played = await play(make(), source, { answer: () => "é".repeat(1e6), limits: { sliceMs: 20_000 } });
			assert.equal(JSON.parse(played.asks[0]?.args ?? "").length, 1e6);
			assert.equal((valueOf(played) as string).length, 1e6 + 1);
		},
	},
	{
		name: "a result that is no JSON fails its call",
		async run(make) {
			const source = "try { await tools.search(); } catch (e) { return [e.name, e.message]; }";
			const [name, message] = (await evaluate(make(), source, {
				answer: ({ n }) => ({ n, ok: "{nonsense" }),
			})) as string[];
			assert.equal(name, "ToolFailed");
			assert.match(message ?? "", /JSON/);
		},
	},
	{
		name: "a signal stops a program before it runs, while it runs and while it waits for its turn",
		async run(make) {
			const provider = make();
			assert.equal(limitOf((await begin(provider, "return 1;", { signal: AbortSignal.abort() })).slice), "cancelled");
			const controller = new AbortController();
			const endless = begin(provider, "for (;;);", { signal: controller.signal, limits: { sliceMs: 20_000 } });
			const others = Array.from({ length: 8 }, () =>
				begin(provider, "for (;;);", { signal: controller.signal, limits: { sliceMs: 20_000 } }),
			);
			setImmediate(() => controller.abort());
			for (const { slice } of await Promise.all([endless, ...others])) assert.equal(limitOf(slice), "cancelled");
			await assertUnharmed(provider);
		},
	},
	{
		name: "a signal does not undo a program that waits",
		async run(make) {
			const provider = make();
			const controller = new AbortController();
			const { guest } = await begin(provider, "return await tools.search();", { signal: controller.signal });
			controller.abort();
			assert.equal(valueOf(await guest.advance(deliveryOf([ok(1, "later")]))), "later");
		},
	},
	{
		name: "CPU time counts over all slices of a program",
		async run(make) {
			const source = "for (;;) { const r = await tools.search(); for (let i = 0; i < 4e5; i++); }";
			const limits = { cpuMs: 1_000, callsMax: 100_000 };
			const played = await play(make(), source, { limits, answer: () => 1 });
			assert.equal(limitOf(played), "cpu");
			assert.ok(played.slices.length > 2, `${played.slices.length} slices`);
		},
	},
	{
		name: "an unstarted program costs nothing to drop",
		async run(make) {
			const provider = make();
			const guests = await Promise.all(Array.from({ length: 50 }, () => provider.start(programOf("return 1;"))));
			for (const guest of guests) guest.dispose();
			await assertUnharmed(provider);
		},
	},
];
