import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MicrovmdClient } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import { bootBaseImage } from "../../holdpoint/src/adapters/sandboxes/wasm/base-image.ts";
import { GuestInstance } from "../../holdpoint/src/adapters/sandboxes/wasm/guest-instance.ts";
import { Module } from "../../holdpoint/src/adapters/sandboxes/wasm/webassembly.ts";
import { budget, killMachines, spawnMachine, start, startText, textOf, whyNoMachine } from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);

const moduleBytes = readFileSync(
	createRequire(new URL("../../holdpoint/package.json", import.meta.url)).resolve("quickjs-wasi/quickjs.wasm"),
);
const module = new Module(moduleBytes);
const base = bootBaseImage(moduleBytes, module);

/** Values whose bits a compiler may choose: not-a-numbers, zeros, what rounds, what overflows. */
const oddNumbers =
	"[0, -0, 1, -1, 0.1, -2.5, 0.5, 1.5, 3, 1e300, -1e300, 5e-324, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 53, 2 ** 63, Infinity, -Infinity, NaN, -NaN, Math.PI]";
const bitsOf =
	"(list) => Array.from(new BigUint64Array(Float64Array.from(list).buffer), (bits) => bits.toString(16)).join()";

const programs: readonly (readonly [name: string, source: string])[] = [
	[
		"operators on odd numbers, bit by bit",
		`const n = ${oddNumbers}; const bits = ${bitsOf};
		return bits(n.flatMap((a) => n.flatMap((b) => [a + b, a - b, a * b, a / b, a % b, a ** b, a & b, a | b, a ^ b, a << b, a >> b, a >>> b])));`,
	],
	[
		"functions of Math on odd numbers, bit by bit",
		`const n = ${oddNumbers}; const bits = ${bitsOf};
		const names = Object.getOwnPropertyNames(Math).filter((name) => typeof Math[name] === "function" && name !== "random").sort();
		return names.map((name) => bits(n.flatMap((a) => n.slice(0, 9).map((b) => Number(Math[name].length === 2 ? Math[name](a, b) : name === "sumPrecise" ? 0 : Math[name](a))))));`,
	],
	[
		"conversions of odd numbers",
		`const n = ${oddNumbers}; return n.map((x) => [String(x), x.toString(2).slice(0, 40), x.toString(36), x.toFixed(2).slice(0, 30), x.toPrecision(7), x.toExponential(3),
		x | 0, x >>> 0, ~~x, Number.parseInt(x), Number(String(x)), Number.isSafeInteger(x), Object.is(x, -0)].map(String));`,
	],
	[
		"typed arrays and their conversions",
		`const n = ${oddNumbers}; return [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array]
		.map((kind) => { const a = new kind(n); return [...new Uint8Array(a.buffer)].join("") + a.slice().sort().reverse().join(); });`,
	],
	[
		"not-a-numbers through a DataView",
		`const v = new DataView(new ArrayBuffer(8)); const out = [];
		for (const hex of ["7ff8000000000000", "fff8000000000000", "7ff8000000000001", "7ff0000000000001", "ffffffffffffffff"]) {
			v.setBigUint64(0, BigInt("0x" + hex)); const f = v.getFloat64(0); v.setFloat64(0, f); out.push(v.getBigUint64(0).toString(16));
			v.setFloat64(0, f + 1); out.push(v.getBigUint64(0).toString(16)); v.setFloat32(0, f); out.push(v.getUint32(0).toString(16)); v.setFloat64(0, -f); out.push(v.getBigUint64(0).toString(16));
		} return out;`,
	],
	[
		"dates",
		"return [0, 1e12, -1e12, 8.64e15, 951782400000, NaN].map((t) => { const d = new Date(t); return [String(d), d.getTime(), d.getDay(), d.toUTCString(), d.toJSON()]; }).concat([[Date.parse('2024-02-29T12:34:56.789Z'), Date.parse('Feb 30 2023'), Date.UTC(1999, 13, 40)]]);",
	],
	[
		"regular expressions",
		"return ['The Quick brown-fox 42 jumped ÄÖÜ 🎉'.replace(/(?<w>\\p{L}+)|(\\d+)/gu, (m, w, d, o) => o + ':' + m), 'aXbX'.split(/x/i), [...'a1b22c333'.matchAll(/(?<=[a-z])\\d+/g)].map(String), /^(?:(a+)+)$/.test('aaaaaaaaaaaaab'), 'x'.padEnd(9, 'abc').search(/c(?!a)/)];",
	],
	[
		"text",
		"const s = 'Straße ǅ ﬃ İi e\\u0301 🎉\\ud800'; return [s.toUpperCase(), s.toLowerCase(), s.normalize('NFC').length, s.normalize('NFKD'), [...s].length, s.at(-1).charCodeAt(0), s.isWellFormed(), s.localeCompare('Strasse'), encodeURIComponent('ä🎉'), escape(s.slice(0, 9)), s.codePointAt(18)];",
	],
	[
		"sorting",
		"const r = []; let x = 7; for (let i = 0; i < 3000; i++) r.push((x = (x * 16807) % 2147483647)); return [r.toSorted()[9], r.toSorted((a, b) => a - b).slice(0, 5), [3, undefined, 1, , 2].sort(), Float64Array.from(r, (v) => v / 3).sort()[1500]];",
	],
	[
		"large whole numbers",
		"let b = 1n; for (let i = 1n; i < 300n; i++) b = b * i + (b >> 3n) - (b % 97n); return [b.toString(36), (b ** 3n).toString().length, BigInt.asIntN(64, b).toString(), BigInt.asUintN(100, -b).toString(), Number(b), b / -(10n ** 500n) + ''];",
	],
	[
		"classes, privates, accessors",
		"class A { #x = 1; static s = []; static { A.s.push('init'); } get x() { return this.#x; } set x(v) { this.#x = v * 2; } static #p() { return 'p'; } static q() { return A.#p(); } has(o) { return #x in o; } } class B extends A { constructor() { super(); this.x = 21; } toString() { return 'B(' + this.x + ')'; } } const b = new B(); return [String(b), A.s, A.q(), b.has(b), b.has({}), B.name, Object.getOwnPropertyNames(B.prototype)];",
	],
	[
		"generators, iterators, destructuring",
		"function* g(n) { try { while (n--) { const got = yield n; if (got) n += got; } } finally { yield 'end'; } } const it = g(3); const out = [it.next(), it.next(2), it.return(9), it.next()]; const [a, , b = 5, ...rest] = [1, 2, undefined, 4, 5]; const { x: { y: [z] = [7] } = {}, ...others } = { p: 1, q: 2 }; return [out, a, b, rest, z, others, Iterator.from([1, 2, 3, 4]).map((v) => v * v).filter((v) => v % 2).toArray(), [...new Map([[NaN, 1], [0, 2], [-0, 3]])]];",
	],
	[
		"promises in their order",
		"const log = []; const p = (n) => Promise.resolve(n).then((v) => log.push(v)); setTimeout === undefined; await Promise.all([p(1), p(2).finally(() => log.push('f')), (async () => { log.push('a'); await null; log.push('b'); })()]); const r = await Promise.allSettled([Promise.reject(new Error('x')), 1]); for await (const v of (async function* () { yield 1; yield* [2, 3]; })()) log.push('v' + v); return [log, r.map((v) => v.status), await Promise.any([Promise.reject(1), 2]), await Promise.race([3, 4])];".replace(
			"setTimeout === undefined; ",
			"",
		),
	],
	[
		"proxies and reflection",
		"const log = []; const p = new Proxy(function f() {}, new Proxy({}, { get: (_, trap) => (...args) => { log.push(trap); return Reflect[trap](...args); } })); p.a = 1; delete p.a; 'a' in p; Object.keys(p); p(); new p(); Object.defineProperty(p, 'z', { value: 1, configurable: true }); Object.isExtensible(p); return [log, Reflect.ownKeys({ 2: 0, 1: 0, b: 0, [Symbol.iterator]: 0, a: 0 }).map(String)];",
	],
	[
		"errors and their stacks",
		"const out = []; for (const f of [() => null.x, () => undefined(), () => x, () => { 'use strict'; Object.freeze([]).push(1); }, () => JSON.parse('{'), () => new Array(-1), () => decodeURI('%'), () => BigInt(1.5), () => eval('let let = 1'), () => new RegExp('(')]) try { f(); } catch (e) { out.push([e.name, e.message, e.stack]); } return out;",
	],
	[
		"JSON",
		"return [JSON.stringify({ a: [1, undefined, () => 1, Symbol('x'), NaN, -0, new Date(0), { toJSON: () => 'j' }], 'ä\\u2028\\ud800': 1 }, null, 2), JSON.stringify('\\u007f\\b\"'), JSON.parse('[1e3,-0.0,\"\\\\u00e4\",{\"__proto__\":1}]', (k, v) => (Array.isArray(v) ? v.length : v))];",
	],
	[
		"deep recursion that is caught",
		"let depth = 0; const f = () => { depth++; f(); }; try { f(); } catch (e) { return [depth, e.name, e.message]; }",
	],
	[
		"much garbage",
		"let kept = {}; for (let i = 0; i < 2e4; i++) { const o = { i, o: kept.o, a: [i, String(i)] }; o.self = o; if (i % 100 === 0) kept = { o }; } return JSON.stringify(kept, (k, v) => (k === 'self' || k === 'o' ? undefined : v));",
	],
	[
		"memory that grows",
		"const a = []; for (let i = 0; i < 30; i++) a.push(new Uint8Array(1e5 * i).fill(i)); return a.map((x) => x.at(-1) ?? null);",
	],
];

describe.skipIf(whyNoMachine)("in both providers a program", () => {
	let machine: MicrovmdClient;
	beforeAll(async () => {
		machine = await spawnMachine();
	});
	afterAll(killMachines);

	/** What it returned and, where it then waits, all of its memory. */
	async function expectSame(source: string): Promise<string> {
		const waiting = `const value = await (async () => { ${source} })(); await tools.search(value);`;
		const guest = new GuestInstance(module, base);
		const there = guest.start(startText(waiting), { ...budget, cancelled: () => false });
		const here = await start(machine, waiting);
		expect(textOf(here)).toBe(Buffer.from(there.outbox).toString());
		if (!textOf(here).endsWith("o")) return textOf(here);
		const image = await machine.snapshot();
		const memory = guest.memory();
		expect(image.memoryBytes).toBe(memory.length);
		expect(differentPages(image.pages, image.pageCount, memory)).toEqual([]);
		return textOf(here);
	}

	/** Numbers of pages that are not those of the other memory. */
	function differentPages(pages: Uint8Array, count: number, memory: Uint8Array): number[] {
		const view = new DataView(pages.buffer, pages.byteOffset, pages.length);
		const mine = new Map(Array.from({ length: count }, (_, at) => [view.getUint32(at * 4, true), at]));
		const different: number[] = [];
		for (let page = base.stackPointer / 4_096; page < memory.length / 4_096; page++) {
			const theirs = Buffer.from(memory.buffer, page * 4_096, 4_096);
			const at = mine.get(page);
			const ours = Buffer.from(base.memory.subarray(page * 4_096, page * 4_096 + 4_096));
			const whole = ours.length === 0 ? Buffer.alloc(4_096) : ours;
			if (at !== undefined) {
				for (let word = 0; word < 4_096; word += 4) {
					const swapped = view.getInt32(count * 4 + at * 4_096 + word, true);
					const before = whole.readInt32LE(word);
					whole.writeInt32LE(swapped === before ? 0 : swapped === 0 ? before : swapped, word);
				}
			}
			if (!whole.equals(theirs)) different.push(page);
		}
		return different;
	}

	test.each(programs)("does the same, to the last byte of its memory: %s", async (_, source) => {
		expect(await expectSame(source)).toMatch(/o$/);
	});

	test("does the same, whatever numbers it computes with", { timeout: 60_000 }, async () => {
		const number = fc.oneof(
			fc.double().map((n) => (Object.is(n, -0) ? "(-0)" : `(${n})`)),
			fc.integer().map((n) => `(${n})`),
			fc.constantFrom("x", "y", "(0/0)", "(1/0)", "(-1/0)"),
		);
		const operator = fc.constantFrom("+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", ">>>", "<", "===");
		const callee = fc.constantFrom(
			"sin",
			"cos",
			"tan",
			"exp",
			"log",
			"sqrt",
			"cbrt",
			"atan",
			"fround",
			"round",
			"trunc",
			"sign",
			"expm1",
			"log1p",
			"sinh",
			"hypot",
			"clz32",
		);
		const { expression } = fc.letrec<{ expression: string }>((tie) => ({
			expression: fc.oneof(
				{ depthSize: "small", withCrossShrink: true },
				number,
				fc.tuple(tie("expression"), operator, tie("expression")).map(([a, o, b]) => `(${a} ${o} ${b})`),
				fc.tuple(callee, tie("expression")).map(([f, a]) => `Math.${f}(${a})`),
				tie("expression").map((a) => `(-${a})`),
			),
		}));
		await fc.assert(
			fc.asyncProperty(fc.array(expression, { minLength: 1, maxLength: 30 }), async (expressions) => {
				const source = `let x = 0.7, y = -3; const bits = ${bitsOf}; const out = []; ${expressions.map((e) => `x = Number(${e}); out.push(x); y = x / 3;`).join(" ")} return [bits(out), out.map(String)];`;
				await expectSame(source);
			}),
			{ numRuns: 80 },
		);
	});
});
