import { strict as assert } from "node:assert";
import { assertUnharmed, begin, errorOf, evaluate, play, type SandboxCase, valueOf } from "./sandbox-play.ts";

/** Ways to spoil what a prelude might lean on. After each, calls must still leave as they were made. */
const poisons: readonly string[] = [
	"Object.prototype.toJSON = () => 'evil'; Object.prototype.get = () => 'evil'; Object.prototype.value = 'evil';",
	"Object.prototype.code = 'evil'; Object.defineProperty(Object.prototype, 'name', { get() { throw 1; }, configurable: true });",
	"Object.defineProperty(Object.prototype, '0', { set() { throw new Error('seen'); }, get() { return 'evil'; } });",
	"Object.defineProperty(Array.prototype, '0', { set(v) { globalThis.seen = v; }, get() { return 'evil'; } });",
	"Array.prototype.push = Array.prototype.join = Array.prototype.map = () => { throw new Error('evil'); };",
	"Array.prototype[Symbol.iterator] = function* () { yield 'evil'; };",
	"JSON.stringify = () => '\"evil\"'; JSON.parse = () => 'evil';",
	"Promise.prototype.then = function () { throw new Error('evil'); };",
	"globalThis.Promise = class { constructor() { throw new Error('evil'); } };",
	"Object.defineProperty(Promise.prototype, 'constructor', { get() { throw new Error('evil'); } });",
	"Promise[Symbol.species] = null; Promise.resolve = Promise.reject = () => 'evil';",
	"Map.prototype.get = Map.prototype.set = Map.prototype.has = Map.prototype.delete = () => { throw new Error('evil'); };",
	"String.prototype.slice = String.prototype.indexOf = String.prototype.charCodeAt = () => { throw new Error('evil'); };",
	"String.prototype.toJSON = Number.prototype.toJSON = () => 'evil'; String.prototype.toString = () => 'evil';",
	"Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw new Error('evil'); };",
	"Error.prepareStackTrace = () => { throw new Error('evil'); }; Error.stackTraceLimit = 0;",
	"Object.defineProperty(Error.prototype, 'stack', { get() { return '<input>:666:6'; }, set() { throw new Error('evil'); } });",
	"Error.prototype.toString = () => { throw new Error('evil'); }; globalThis.Error = globalThis.TypeError = null;",
	"Object.defineProperty = Object.freeze = Object.create = () => { throw new Error('evil'); };",
	"RegExp.prototype.exec = () => { throw new Error('evil'); }; Symbol.prototype.toString = () => 'evil';",
	"Reflect.apply = Reflect.get = () => { throw new Error('evil'); }; Proxy = null;",
	"Math.imul = Math.random = () => 'evil'; Number.isInteger = () => true; eval = () => 'evil';",
	"for (const key of Object.getOwnPropertyNames(globalThis)) if (key !== 'tools') try { delete globalThis[key]; } catch {}",
	"try { ToolDenied.prototype.name = 'evil'; Object.setPrototypeOf(ToolDenied, function () { throw 1; }); } catch {}",
];

const tricks: readonly { readonly name: string; readonly source: string; readonly value: unknown }[] = [
	{
		name: "a function's constructor leads to the guest's own global and no further",
		source: `const g = tools.search.constructor('return this')(); const f = (async () => {}).constructor('return typeof process')();
			return [g === globalThis, typeof g.process, typeof g.require, await f];`,
		value: [true, "undefined", "undefined", "undefined"],
	},
	{
		name: "frames of the host are not to be had",
		source: `function f() { return [f.caller, f.arguments]; } let seen;
			function g() { seen = [g.caller, g.arguments]; return 1; }
			await tools.search({ get x() { return g(); } }); return [f(), seen];`,
		value: [
			[null, null],
			[null, null],
		],
	},
	{
		name: "tools cannot be replaced, extended or looked behind",
		source: `const before = tools.search; try { tools.search = () => 'mine'; } catch {} try { tools.mine = 1; } catch {}
			try { globalThis.tools = { search: () => 'mine' }; } catch {} try { delete tools.search; } catch {}
			try { Object.defineProperty(tools, 'x', { value: 1 }); } catch {} try { Object.setPrototypeOf(tools, { y: 1 }); } catch {}
			return [tools.search === before, 'mine' in tools, 'x' in tools, 'y' in tools, Object.getPrototypeOf(tools)];`,
		value: [true, false, false, false, null],
	},
	{
		name: "keys of a result are data",
		source: `const r = await tools.search({}); return [Object.keys(r), ({}).polluted === undefined, r.constructor.x,
			Object.getPrototypeOf(r) === Object.prototype];`,
		value: [["__proto__", "constructor", "then"], true, 1, true],
	},
	{
		name: "getters and proxies as arguments are read once, and what they throw is theirs",
		source: `let reads = 0; const p = new Proxy({}, { ownKeys: () => ['a'], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
			get: (_, k) => { if (k === 'a') reads++; return k === 'toJSON' ? undefined : 'v'; } });
			await tools.search(p); const e = await tools.search({ get x() { throw new RangeError('mine'); } }).catch((e) => e.name);
			const revoked = Proxy.revocable({}, {}); revoked.revoke(); const f = await tools.search(revoked.proxy).catch((e) => e.name);
			return [reads, e, f];`,
		value: [1, "ToolFailed", "ToolFailed"],
	},
	{
		name: "a call made while arguments are written is a call of its own, before it",
		source: `const outer = tools.search({ toJSON() { tools.pay('inner'); return 'outer'; } }); return await outer;`,
		value: "outer",
	},
	{
		name: "thenables settle once and only themselves",
		source: `const t = { then(ok, no) { ok(1); no(2); ok(3); throw 4; } }; const a = await t;
			const r = await Promise.race([t, tools.search('x')]); return [a, r];`,
		value: [1, 1],
	},
	{
		name: "a generator that is returned, thrown into and re-entered stays a generator",
		source: `const log = []; function* g() { try { yield 1; yield 2; } finally { log.push('f'); yield 3; } }
			const it = g(); it.next(); log.push(it.return(9).value, it.next().value);
			let re; const bad = (function* () { try { re.next(); } catch (e) { log.push(e.name); } yield 1; })(); re = bad; bad.next();
			return log;`,
		value: ["f", 3, 9, "TypeError"],
	},
];

export const hostileCases: readonly SandboxCase[] = [
	{
		name: "spoiled built-ins do not change what leaves the guest, and are gone for the next program",
		async run(make) {
			const provider = make();
			for (const poison of poisons) {
				const source = `const { search, pay } = tools; const q = 'one'; ${poison}\nsearch(q); pay(2); search();`;
				const { guest, slice } = await begin(provider, source);
				const left = slice.asks.map((ask) => [ask.n, ask.tool, ask.args]);
				assert.deepEqual(
					left,
					[
						[1, "search", '"one"'],
						[2, "pay", "2"],
						[3, "search", ""],
					],
					poison,
				);
				assert.equal(slice.state.kind, "returned", `${poison} ${JSON.stringify(slice.state)}`);
				guest.dispose();
			}
			await assertUnharmed(provider);
		},
	},
	{
		name: "spoiled built-ins do not keep answers from a program",
		async run(make) {
			const provider = make();
			for (const poison of poisons) {
				// A call whose promise the program itself broke may be lost to it; it may not be lost to its host.
				const source = `const { search } = tools; ${poison}\nlet got = 'nothing'; try { got = await search('x'); } catch (e) { got = 'threw'; } return got;`;
				const played = await play(provider, source);
				assert.notEqual(played.state.kind, "stopped", `${poison} ${JSON.stringify(played.state)}`);
			}
			await assertUnharmed(provider);
		},
	},
	...tricks.map(
		(trick): SandboxCase => ({
			name: trick.name,
			async run(make) {
				const provider = make();
				const answer = (ask: { n: number; args: string }) =>
					ask.args === "{}"
						? { n: ask.n, ok: '{"__proto__":{"polluted":1},"constructor":{"x":1},"then":5}' }
						: { n: ask.n, ok: ask.args || "null" };
				const value = await evaluate(provider, trick.source, { answer });
				assert.deepEqual(value, trick.value);
				await assertUnharmed(provider);
			},
		}),
	),
	{
		name: "a fault without a code is looked for nowhere else",
		async run(make) {
			const source = `Object.defineProperty(Object.prototype, 'code', { get() { throw new Error('mine'); }, configurable: true });
				const caught = await tools.search({}).catch((error) => error.name); delete Object.prototype.code; return caught;`;
			const answer = ({ n }: { n: number }) => ({ n, error: { name: "ToolDenied", message: "no" } });
			assert.equal(await evaluate(make(), source, { answer }), "ToolDenied");
		},
	},
	{
		name: "no text of a program passes for a line of the guest",
		async run(make) {
			const provider = make();
			const line = 'a 9 9 "pay" {"amount":5}\\nr "forged"\\n';
			const source = `console.log('${line}'); console.log('\\nr 1'); const f = { ['x (<input>:9:9)\\n${line}']() { return tools.search('${line}'); } };
				Object.defineProperty(g, 'name', { value: '<input>:7 ${line}' }); function g() { return tools.search({ '${line}': '${line}' }); }
				await Promise.all([...Object.values(f).map((h) => h()), g()]); const e = new Error('${line}'); e.name = '${line}'; e.stack = '${line}'; throw e;`;
			const played = await play(provider, source);
			assert.deepEqual(
				played.asks.map((ask) => [ask.n, ask.tool]),
				[
					[1, "search"],
					[2, "search"],
				],
			);
			assert.ok(played.asks.every((ask) => Number.isInteger(ask.line)));
			assert.ok(errorOf(played).message.includes("forged"));
			assert.equal(played.console, 'a 9 9 "pay" {"amount":5}\nr "forged"\n\n\nr 1\n');
		},
	},
	{
		name: "a text that closes the program's function early runs in the guest and nowhere else",
		async run(make) {
			const provider = make();
			const played = await play(provider, "}); globalThis.early = 1; (async () => { return [typeof early, 2];");
			assert.deepEqual(valueOf(played), ["number", 2]);
			const broken = await play(provider, "}), 5); (5");
			assert.equal(broken.state.kind, "threw");
			await assertUnharmed(provider);
		},
	},
	{
		name: "things that fight being read are reported all the same",
		async run(make) {
			const provider = make();
			const fighters = [
				"throw new Proxy({}, { get() { throw new Error('no'); } });",
				"throw { get message() { throw 1; }, get name() { throw 2; }, toString() { throw 3; } };",
				"const e = new Error('m'); Object.defineProperty(e, 'message', { get() { throw e; } }); throw e;",
				"throw Object.create(null);",
				"throw Symbol('s');",
				"const e = new Error(); e.message = { toString() { throw 1; } }; e.name = 5; throw e;",
				"const r = Proxy.revocable(new Error('x'), {}); r.revoke(); throw r.proxy;",
			];
			for (const source of fighters) {
				const error = errorOf(await play(provider, source));
				assert.equal(typeof error.message, "string");
			}
			const log =
				"console.log(new Proxy({}, { get() { throw 1; } }), Object.create(null), { toJSON() { throw 1; } }); return 1;";
			assert.equal(await evaluate(provider, log), 1);
			const long = errorOf(await play(provider, "throw new Error('x'.repeat(1e6));"));
			assert.ok(long.message.length < 10_000);
		},
	},
	{
		name: "nothing of one program is there for the next",
		async run(make) {
			const provider = make();
			const leave = `globalThis.secret = 'secret-7391'; Object.prototype.secret = 'secret-7391'; Array.prototype.secret = 1;
				console.secret = 'secret-7391'; Math.secret = 1; ToolDenied.secret = 1; Symbol.for('secret-7391');
				JSON.stringify = () => 'secret-7391'; globalThis.keep = Array.from({ length: 2000 }, (_, i) => 'secret-7391-' + i);
				return 1;`;
			const look = `const found = []; for (const root of [globalThis, Object.prototype, Array.prototype, console, Math]) {
					for (const key of Reflect.ownKeys(root)) if (String(key).includes('secret') || key === 'keep') found.push(String(key)); }
				const bytes = new Uint8Array(new ArrayBuffer(200000)); return [found, bytes.some((x) => x !== 0), JSON.stringify(1)];`;
			for (let i = 0; i < 12; i++) {
				const [left, seen] = await Promise.all([play(provider, leave), play(provider, look)]);
				assert.ok(left.state.kind === "returned" || left.state.kind === "threw");
				assert.deepEqual(valueOf(seen), [[], false, "1"]);
			}
		},
	},
	{
		name: "code after the end has no effect",
		async run(make) {
			const source = `(async () => { await null; await null; await null; await null; tools.pay('late'); console.log('late'); })(); return 'end';`;
			const { slice } = await begin(make(), source);
			assert.equal(valueOf(slice), "end");
			assert.deepEqual(slice.asks, []);
		},
	},
];
