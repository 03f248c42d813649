import { strict as assert } from "node:assert";
import {
	assertUnharmed,
	begin,
	comparable,
	deliveryOf,
	errorOf,
	evaluate,
	ok,
	play,
	type SandboxCase,
	startClockMs,
	valueOf,
} from "./sandbox-play.ts";

/** What a program sees and what its host sees of it. */
export const surfaceCases: readonly SandboxCase[] = [
	{
		name: "probe boots a guest and says which",
		async run(make) {
			const provider = make();
			const probe = await provider.probe();
			assert.ok(probe.ok, JSON.stringify(probe));
			assert.equal(probe.provider, provider.name);
			assert.equal(probe.guest, provider.guest);
			assert.match(provider.guest, /^[0-9a-f]{64}$/);
			assert.ok(probe.startMs > 0);
			assert.ok(Number.isInteger(provider.format));
		},
	},
	{
		name: "a program's value is what it returns, as JSON text",
		async run(make) {
			const provider = make();
			const source = "return { a: [1, 'x', null, true, { b: undefined }], c: new Date(0), d: NaN };";
			const expected = { a: [1, "x", null, true, {}], c: "1970-01-01T00:00:00.000Z", d: null };
			assert.deepEqual(await evaluate(provider, source), expected);
			assert.equal(await evaluate(provider, "return undefined;"), null);
			assert.equal(await evaluate(provider, "const x = 1;"), null);
			assert.equal(await evaluate(provider, "return Promise.resolve(5); // comment at the end"), 5);
		},
	},
	{
		name: "text survives both ways: emoji, lone surrogates, NUL, line separators",
		async run(make) {
			const provider = make();
			const text = "a\u0000b\u2028c\u2029d😀é\n\"\\'`\u00ff\u0100";
			assert.equal(await evaluate(provider, `return await tools.search(${JSON.stringify(text)});`), text);
			const played = await play(provider, "console.log('😀\\u2028'); return '\\ud800';");
			assert.equal(valueOf(played), "\ud800");
			assert.equal(played.console, "😀\u2028\n");
			assert.equal(
				await evaluate(provider, "return (await tools.search()).length;", { answer: () => "\ud800\udc00x" }),
				3,
			);
		},
	},
	{
		name: "a value that JSON cannot carry is an error that says so",
		async run(make) {
			const provider = make();
			const sources = {
				BigInt: "return 10n;",
				circular: "const a = {}; a.a = a; return a;",
				function: "return () => 1;",
				symbol: "return Symbol('s');",
				mine: "return { toJSON() { throw new TypeError('mine'); } };",
			};
			for (const [word, source] of Object.entries(sources)) {
				const error = errorOf(await play(provider, source));
				assert.equal(error.name, "TypeError");
				assert.ok(error.message.includes(word), `${error.message} names ${word}`);
			}
		},
	},
	{
		name: "console output is kept in order, and when the program throws",
		async run(make) {
			const source = `console.log('a', 1, { b: [2] }); console.info(null, undefined); console.warn('w'); console.error(
				new TypeError('bad')); console.debug(Symbol('s'), 3n, () => 1, Object.create(null)); throw new Error('end');`;
			const played = await play(make(), source);
			const expected = 'a 1 {"b":[2]}\nnull undefined\nw\nTypeError: bad\nSymbol(s) 3 [function] {}\n';
			assert.equal(played.console, expected);
			assert.equal(errorOf(played).message, "end");
		},
	},
	{
		name: "console output comes with the slice that made it",
		async run(make) {
			const { slices } = await play(make(), "console.log(1); await tools.search(); console.log(2); return 3;");
			assert.deepEqual(
				slices.map((slice) => slice.console),
				["1\n", "2\n"],
			);
		},
	},
	{
		name: "an error has its name, message, line and column",
		async run(make) {
			const provider = make();
			const { state } = await play(provider, "const x = 1;\n\n  null.foo;");
			assert.equal(state.kind, "threw");
			if (state.kind !== "threw") return;
			assert.equal(state.error.name, "TypeError");
			assert.equal(state.error.line, 3);
			assert.ok(state.error.column >= 3 && state.error.column <= 8, `column ${state.error.column}`);
			assert.equal(errorOf(await play(provider, "await null;\nthrow new RangeError('r');")).line, 2);
			assert.equal(
				errorOf(await play(provider, "class Mine extends Error { name = 'Mine' }\nthrow new Mine('m');")).name,
				"Mine",
			);
		},
	},
	{
		name: "a syntax error is reported with its line before anything runs",
		async run(make) {
			const played = await play(make(), "console.log('ran');\nconst = 5;");
			const error = errorOf(played);
			assert.equal(error.name, "SyntaxError");
			assert.equal(error.line, 2);
			assert.equal(played.console, "");
		},
	},
	{
		name: "whatever is thrown is reported",
		async run(make) {
			const provider = make();
			const thrown = { "'text'": "text", 5: "5", null: "null", undefined: "undefined", "{ a: 1 }": '{"a":1}' };
			for (const [source, message] of Object.entries(thrown)) {
				assert.deepEqual(errorOf(await play(provider, `throw ${source};`)).message, message);
			}
			const shaped = errorOf(await play(provider, "throw { name: 'Shape', message: 'of an error' };"));
			assert.deepEqual([shaped.name, shaped.message], ["Shape", "of an error"]);
		},
	},
	{
		name: "calls made without awaiting leave as one batch, in their order",
		async run(make) {
			const source = `const results = await Promise.all(['a', 'b', 'c'].map((q) => tools.search(q)));
				const last = await tools.pay(4); return [...results, last];`;
			const { slices, state } = await play(make(), source);
			assert.deepEqual(
				slices.map((slice) => slice.asks.map((ask) => ask.n)),
				[[1, 2, 3], [4], []],
			);
			assert.deepEqual(valueOf({ state }), ["a", "b", "c", 4]);
		},
	},
	{
		name: "answers come in any order, some now and some later",
		async run(make) {
			const source = `const order = []; const note = (p) => p.then((v) => { order.push(v); return v; });
				const all = await Promise.all([note(tools.search(1)), note(tools.search(2)), note(tools.search(3))]);
				return { order, all };`;
			const { guest, slice } = await begin(make(), source);
			assert.equal(slice.asks.length, 3);
			const middle = await guest.advance(deliveryOf([ok(3, "c")]));
			assert.deepEqual([middle.state.kind, middle.asks.length], ["open", 0]);
			const end = await guest.advance(deliveryOf([ok(2, "b"), ok(1, "a")]));
			assert.deepEqual(valueOf(end), { order: ["c", "b", "a"], all: ["a", "b", "c"] });
		},
	},
	{
		name: "a program may go on calling while earlier calls are open",
		async run(make) {
			const source = `const slow = tools.pay(1); const a = await tools.search('a'); const b = await tools.search(a + 'b');
				return [b, await slow];`;
			const { guest, slice } = await begin(make(), source);
			assert.deepEqual(
				slice.asks.map((ask) => ask.tool),
				["pay", "search"],
			);
			const second = await guest.advance(deliveryOf([ok(2, "a")]));
			assert.deepEqual(
				second.asks.map((ask) => [ask.n, ask.args]),
				[[3, '"ab"']],
			);
			const third = await guest.advance(deliveryOf([ok(3, "ab")]));
			assert.equal(third.state.kind, "open");
			assert.deepEqual(valueOf(await guest.advance(deliveryOf([ok(1, "paid")]))), ["ab", "paid"]);
		},
	},
	{
		name: "a denied and a failed call reject with typed errors that the program may catch",
		async run(make) {
			const provider = make();
			const source = `const caught = [];
				for (const tool of ['search', 'pay']) {
					try { await tools[tool](); } catch (e) {
						caught.push([e.name, e.message, e.code, e instanceof Error, e instanceof ToolDenied, e instanceof ToolFailed]);
					}
				}
				return caught;`;
			const answer = ({ n, tool }: { n: number; tool: string }) =>
				tool === "search"
					? { n, error: { name: "ToolDenied", message: "not you" } }
					: { n, error: { name: "ToolFailed", message: "no money", code: "E1" } };
			assert.deepEqual(await evaluate(provider, source, { answer }), [
				["ToolDenied", "not you", null, true, true, false],
				["ToolFailed", "no money", "E1", true, false, true],
			]);
			const uncaught = errorOf(await play(provider, "1;\nawait tools.search();", { answer }));
			assert.deepEqual([uncaught.name, uncaught.message, uncaught.line], ["ToolDenied", "not you", 2]);
		},
	},
	{
		name: "an edited answer reaches the program as a value",
		async run(make) {
			const answer = ({ n }: { n: number }) => ({ n, ok: '{"amount":5}', edited: true });
			assert.deepEqual(await evaluate(make(), "return await tools.pay({ amount: 500 });", { answer }), { amount: 5 });
		},
	},
	{
		name: "$search and $describe leave like calls",
		async run(make) {
			const { asks } = await play(make(), "await tools.$search('pay'); await tools.$describe('pay');");
			assert.deepEqual(
				asks.map((ask) => [ask.tool, ask.args]),
				[
					["$search", '"pay"'],
					["$describe", '"pay"'],
				],
			);
		},
	},
	{
		name: "tools have any name that a host gives them",
		async run(make) {
			const tools = ["files.read", "a-b", "__proto__", "constructor", "ünï", 'q"u\\o', "then"];
			const source = `for (const name of ${JSON.stringify(tools)}) await tools[name](name);`;
			const { asks, state } = await play(make(), source, { tools });
			assert.equal(state.kind, "returned");
			assert.deepEqual(
				asks.map((ask) => ask.tool),
				tools,
			);
		},
	},
	{
		name: "an unknown tool is a TypeError that names it",
		async run(make) {
			const provider = make();
			const error = errorOf(await play(provider, "1;\nawait tools.serch({});"));
			assert.deepEqual([error.name, error.line], ["TypeError", 2]);
			assert.match(error.message, /tools\.serch is not a tool/);
			assert.equal(await evaluate(provider, "await tools; return 'search' in tools && !('x' in tools);"), true);
		},
	},
	{
		name: "arguments that JSON cannot carry reject that call alone",
		async run(make) {
			const source = `const bad = [1n, () => 1, Symbol('s'), { toJSON() { throw new Error('mine'); } }];
				const cycle = {}; cycle.self = cycle; bad.push(cycle);
				const settled = await Promise.allSettled([...bad.map((x) => tools.search(x)), tools.search('good')]);
				return settled.map((s) => s.status === 'fulfilled' ? s.value : s.reason.name + ' ' + s.reason.message);`;
			const played = await play(make(), source);
			const value = valueOf(played) as string[];
			assert.equal(value.pop(), "good");
			for (const text of value) assert.match(text, /^ToolFailed tools\.search: .*JSON/);
			assert.equal(played.asks.length, 1);
		},
	},
	{
		name: "time stands still between deliveries and moves with them",
		async run(make) {
			const source = `const now = () => [Date.now(), +new Date(), performance.now() === performance.now()];
				const first = now(); for (let i = 0; i < 1e5; i++); const same = now(); await tools.search(); return [first, same, now()];`;
			const { guest } = await begin(make(), source, { clockMs: startClockMs });
			const end = await guest.advance(deliveryOf([ok(1, 0)], startClockMs + 5_000));
			const then = [startClockMs, startClockMs, true];
			assert.deepEqual(valueOf(end), [then, then, [startClockMs + 5_000, startClockMs + 5_000, true]]);
		},
	},
	{
		name: "dates are those of UTC",
		async run(make) {
			const source = "return [new Date(2026, 0, 1).toISOString(), new Date(0).getTimezoneOffset()];";
			assert.deepEqual(await evaluate(make(), source), ["2026-01-01T00:00:00.000Z", 0]);
		},
	},
	{
		name: "random numbers follow the seed",
		async run(make) {
			const provider = make();
			const source = "return Array.from({ length: 200 }, () => Math.random());";
			const one = (await evaluate(provider, source, { seed: 1 })) as number[];
			assert.deepEqual(await evaluate(provider, source, { seed: 1 }), one);
			assert.notDeepEqual(await evaluate(provider, source, { seed: 2 }), one);
			assert.notDeepEqual(await evaluate(provider, source, { seed: 0xffff_ffff }), one);
			assert.equal(new Set(one).size, one.length);
			assert.ok(one.every((x) => x >= 0 && x < 1));
			const mean = one.reduce((sum, x) => sum + x, 0) / one.length;
			assert.ok(mean > 0.35 && mean < 0.65, `mean ${mean}`);
		},
	},
	{
		name: "the same program with the same deliveries makes the same slices",
		async run(make) {
			const source = `const seen = new Map(); for (let i = 0; i < 5; i++) {
				const r = await Promise.all([tools.search({ i, r: Math.random() }), tools.pay({ at: Date.now() })]);
				seen.set(i, r); console.log(i, r); } return [...seen];`;
			const once = async () => (await play(make(), source)).slices.map(comparable);
			assert.deepEqual(await once(), await once());
		},
	},
	{
		name: "a program has no way out: no timers, network, files, modules, or view of the collector",
		async run(make) {
			const provider = make();
			const names = `fetch setTimeout setInterval setImmediate process require module Buffer WebAssembly WeakRef
				FinalizationRegistry SharedArrayBuffer Atomics Deno Bun std os navigator gc print load scriptArgs`.split(/\s+/);
			const source = `return ${JSON.stringify(names)}.filter((name) => name in globalThis);`;
			assert.deepEqual(await evaluate(provider, source), []);
			const imported = "return await import('node:fs').then(() => 'imported', () => 'refused');";
			assert.equal(await evaluate(provider, imported), "refused");
			await assertUnharmed(provider);
		},
	},
	{
		name: "a promise that nothing can settle is an error, not a wait",
		async run(make) {
			const provider = make();
			assert.equal(errorOf(await play(provider, "await new Promise(() => {});")).name, "NeverSettles");
			const later = "await tools.search(); await new Promise(() => {});";
			assert.match(errorOf(await play(provider, later)).message, /nothing can settle/);
			const { guest, slice } = await begin(provider, "tools.search(); await new Promise(() => {});");
			assert.equal(slice.state.kind, "open");
			assert.equal(errorOf(await guest.advance(deliveryOf([ok(1, 1)]))).name, "NeverSettles");
		},
	},
	{
		name: "a rejection that nobody handles does not fail the program",
		async run(make) {
			const source = "Promise.reject(new Error('lost')); tools.search(10n); await null; return 'fine';";
			assert.equal(await evaluate(make(), source), "fine");
		},
	},
	{
		name: "calls that are not awaited leave with the program's end",
		async run(make) {
			const { slice } = await begin(make(), "tools.pay(1); tools.search(2); return 'done';");
			assert.equal(valueOf(slice), "done");
			assert.deepEqual(
				slice.asks.map((ask) => ask.tool),
				["pay", "search"],
			);
		},
	},
	{
		name: "modern JavaScript is there",
		async run(make) {
			const source = `class P { #x = 1; static { this.s = 2; } get x() { return this.#x ??= 5; } }
				const o = { ...{ a: 1 }, b: [3, 1, 2].toSorted().at(-1) }; const g = Object.groupBy([1, 2, 3], (n) => n % 2 ? 'odd' : 'even');
				async function* gen() { yield* [1, 2]; } let sum = 0; for await (const n of gen()) sum += n;
				const m = 'a1b22'.matchAll(/(?<d>\\d+)/gv); return [new P().x, P.s, o, g, sum, [...m].map((x) => x.groups.d),
				new Set([1, 2]).union(new Set([3])).size, structuredCloneless(), 2n ** 64n > 1n];
				function structuredCloneless() { return typeof structuredClone; }`;
			const value = (await evaluate(make(), source)) as unknown[];
			assert.deepEqual(value.slice(0, 7), [1, 2, { a: 1, b: 3 }, { odd: [1, 3], even: [2] }, 3, ["1", "22"], 3]);
			assert.equal(value.at(-1), true);
		},
	},
];
