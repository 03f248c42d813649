import { strict as assert } from "node:assert";
import { isHoldpointError } from "../spec/errors.ts";
import type { Guest, ProgramSpec, SandboxProvider } from "../spec/sandbox.ts";
import {
	assertUnharmed,
	begin,
	comparable,
	deliveryOf,
	errorOf,
	evaluate,
	limitOf,
	ok,
	play,
	programOf,
	type SandboxCase,
	startClockMs,
	valueOf,
} from "./sandbox-play.ts";

/** Snapshot here, dispose, restore there: what every wait of a run does. */
async function moved(guest: Guest, to: SandboxProvider, program: ProgramSpec): Promise<Guest> {
	const snapshot = await guest.snapshot();
	guest.dispose();
	return to.restore(snapshot, program);
}

/** Plays the races with these answers, one batch a delivery; moved before each of them where asked to. */
async function raced(
	provider: SandboxProvider,
	batches: readonly (readonly number[])[],
	moves: boolean,
): Promise<unknown> {
	const begun = await begin(provider, races);
	let { guest, slice } = begun;
	for (const batch of batches) {
		if (moves) guest = await moved(guest, provider, begun.program);
		slice = await guest.advance(deliveryOf(batch.map((n) => ok(n, n))));
	}
	return valueOf(slice);
}

async function refusal(provider: SandboxProvider, snapshot: Uint8Array, source: string): Promise<string> {
	try {
		const guest = await provider.restore(snapshot, programOf(source));
		guest.dispose();
	} catch (error) {
		assert.ok(isHoldpointError(error), `a HoldpointError, not ${String(error)}`);
		return error.code;
	}
	return "restored";
}

const races = `const order = []; const note = (name) => (value) => { order.push(name + value); return value; };
	const a = tools.search('a'), b = tools.search('b'), c = tools.pay('c');
	a.then(note('a1:')).then(note('a2:')).finally(() => order.push('fin'));
	b.then(note('b1:')); b.then(note('b2:'));
	const winner = await Promise.race([a, b, c]); order.push('race:' + winner);
	const any = await Promise.any([c, b]); order.push('any:' + any);
	await Promise.all([a, b, c].map((p) => p.then(note('all:'))));
	return order;`;

/** Programs that wait: their state outlives the guest, the process and the machine. */
export const waitingCases: readonly SandboxCase[] = [
	{
		name: "a program goes on from a snapshot of its first call, on another host",
		async run(make) {
			const [here, there] = [make(), make({ fresh: true })];
			try {
				const source = "let x = 40; const r = await tools.search('q'); return x + r;";
				const { guest, program } = await begin(here, source);
				const again = await moved(guest, there, program);
				assert.equal(valueOf(await again.advance(deliveryOf([ok(1, 2)]))), 42);
			} finally {
				await there.close();
			}
		},
	},
	{
		name: "closures, maps, classes, generators and the call stack survive a wait",
		async run(make) {
			const source = `class Cart { #items = new Map(); add(k, v) { this.#items.set(k, v); return this; } sum() {
					return [...this.#items.values()].reduce((a, b) => a + b, 0); } }
				const cart = new Cart().add('a', 1); const ids = (function* () { let i = 0; while (true) yield ++i; })(); ids.next();
				const re = /x(\\d)/g; re.exec('x1x2'); const weak = new WeakMap([[cart, 'w']]); const sym = Symbol('k');
				const held = { [sym]: 1n, date: new Date(), bytes: new Uint8Array([1, 2]) };
				async function deep(n) { return n === 0 ? await tools.search('deep') : (await deep(n - 1)) + 1; }
				const got = await deep(10); cart.add('b', got);
				return [cart.sum(), ids.next().value, re.exec('x1x2')[1], weak.get(cart), String(held[sym]), +held.date, held.bytes[1]];`;
			const provider = make();
			const { guest, program } = await begin(provider, source);
			const again = await moved(guest, provider, program);
			const end = await again.advance(deliveryOf([ok(1, 5)]));
			assert.deepEqual(valueOf(end), [16, 2, "2", "w", "1", startClockMs, 2]);
		},
	},
	{
		name: "a snapshot does not disturb the guest that it was taken of",
		async run(make) {
			const provider = make();
			const source = "const a = await tools.search(1); const b = await tools.search(a); return [a, b];";
			const { guest, slice } = await begin(provider, source);
			const first = await guest.snapshot();
			const second = await guest.advance(deliveryOf([ok(1, "a")]));
			assert.deepEqual(
				second.asks.map((ask) => ask.args),
				['"a"'],
			);
			assert.deepEqual(valueOf(await guest.advance(deliveryOf([ok(2, "b")]))), ["a", "b"]);
			const older = await provider.restore(first, programOf(source));
			const replayed = await older.advance(deliveryOf([ok(1, "a")]));
			assert.deepEqual(comparable(replayed), comparable(second));
			assert.equal(slice.asks.length, 1);
			older.dispose();
		},
	},
	{
		name: "a program may be moved again and again",
		async run(make) {
			const provider = make();
			const source = "const rows = []; for (let i = 0; i < 6; i++) rows.push(await tools.search(i)); return rows;";
			let { guest, slice, program } = await begin(provider, source);
			for (let n = 1; slice.state.kind === "open"; n++) {
				guest = await moved(guest, provider, program);
				slice = await guest.advance(deliveryOf([ok(n, { id: n })]));
			}
			assert.deepEqual(
				valueOf(slice),
				[1, 2, 3, 4, 5, 6].map((id) => ({ id })),
			);
		},
	},
	{
		name: "a hundred open calls survive a wait and are answered in any order",
		async run(make) {
			const provider = make();
			const source = `const done = []; await Promise.all(Array.from({ length: 100 }, (_, i) =>
				tools.search(i).then((v) => done.push(v)))); return done;`;
			const { guest, program } = await begin(provider, source);
			const some = await guest.advance(deliveryOf([ok(50, 50), ok(1, 1)]));
			assert.equal(some.state.kind, "open");
			const again = await moved(guest, provider, program);
			const rest = Array.from({ length: 100 }, (_, i) => 100 - i).filter((n) => n !== 50 && n !== 1);
			const end = await again.advance(deliveryOf(rest.map((n) => ok(n, n))));
			assert.deepEqual(valueOf(end), [50, 1, ...rest]);
		},
	},
	{
		name: "races and chains settle in the same order, replayed or restored",
		async run(make) {
			const provider = make();
			const orders: readonly (readonly number[][])[] = [[[2], [1], [3]], [[3, 1], [2]], [[1, 2, 3]], [[2, 3], [1]]];
			for (const batches of orders) {
				const replayed = await raced(provider, batches, false);
				assert.deepEqual(await raced(provider, batches, true), replayed, JSON.stringify(batches));
			}
		},
	},
	{
		name: "an answer that denies or fails reaches a restored program",
		async run(make) {
			const provider = make();
			const source = `try { await tools.pay(1); } catch (e) { return [e.name, e.code, e instanceof ToolFailed]; }`;
			const { guest, program } = await begin(provider, source);
			const again = await moved(guest, provider, program);
			const error = { name: "ToolFailed", message: "m", code: "C" } as const;
			assert.deepEqual(valueOf(await again.advance(deliveryOf([{ n: 1, error }]))), ["ToolFailed", "C", true]);
		},
	},
	{
		name: "the random numbers, the clock and the count of calls go on where they were",
		async run(make) {
			const provider = make();
			const source = `const r = [Math.random()]; await tools.search(); r.push(Math.random(), Date.now());
				try { await tools.search(); } catch {} return r;`;
			const straight = await play(provider, source);
			const { guest, program } = await begin(provider, source);
			const again = await moved(guest, provider, program);
			const second = await again.advance(deliveryOf([ok(1, null)]));
			assert.deepEqual(
				second.asks.map((ask) => ask.n),
				[2],
			);
			const end = await again.advance(deliveryOf([ok(2, null)]));
			assert.deepEqual(valueOf(end), valueOf(straight));
			const limits = { callsMax: 1 };
			const limited = await begin(provider, source, { limits });
			const restored = await moved(limited.guest, provider, limited.program);
			assert.equal(limitOf(await restored.advance(deliveryOf([ok(1, null)]))), "calls");
		},
	},
	{
		name: "a snapshot of another program, a damaged one and a foreign one are refused",
		async run(make) {
			const provider = make();
			const source = "await tools.search(); return 1;";
			const { guest } = await begin(provider, source);
			const snapshot = await guest.snapshot();
			assert.equal(await refusal(provider, snapshot, source), "restored");
			assert.equal(await refusal(provider, snapshot, `${source} `), "snapshot.refused");
			assert.equal(await refusal(provider, new Uint8Array(0), source), "snapshot.refused");
			assert.equal(await refusal(provider, new Uint8Array(4_096), source), "snapshot.refused");
			for (const length of [1, 40, 87, 88, 96, 200, snapshot.length - 1]) {
				assert.equal(await refusal(provider, snapshot.slice(0, length), source), "snapshot.refused", `${length} bytes`);
			}
			for (let at = 0; at < 100; at += 4) {
				const damaged = snapshot.slice();
				damaged.set([0xff, 0xff, 0xff, 0xff], at);
				// Two words count what the program used up, which nothing but their seal can check.
				if (at < 80 || at >= 88)
					assert.equal(await refusal(provider, damaged, source), "snapshot.refused", `byte ${at}`);
			}
			assert.equal(valueOf(await guest.advance(deliveryOf([ok(1, 1)]))), 1);
		},
	},
	{
		name: "bytes changed anywhere in a snapshot harm nobody else",
		async run(make) {
			const provider = make();
			const source = "const r = await tools.search(); console.log(r); return [r];";
			const { guest } = await begin(provider, source, { limits: { sliceMs: 300 } });
			const snapshot = await guest.snapshot();
			guest.dispose();
			for (let at = 100; at < snapshot.length; at += Math.ceil(snapshot.length / 40)) {
				const damaged = snapshot.slice();
				damaged[at] = (damaged[at] ?? 0) ^ 0x55;
				try {
					const hostile = await provider.restore(damaged, programOf(source, { limits: { sliceMs: 300 } }));
					const slice = await hostile.advance(deliveryOf([ok(1, 1)]));
					assert.ok(["open", "returned", "threw", "stopped"].includes(slice.state.kind));
					hostile.dispose();
				} catch (error) {
					assert.ok(isHoldpointError(error), String(error));
				}
			}
			await assertUnharmed(provider);
		},
	},
	{
		name: "a snapshot over its limit is refused when it is taken, and the guest goes on",
		async run(make) {
			const provider = make();
			const limits = { snapshotBytesMax: 1_000 };
			const { guest } = await begin(provider, "await tools.search(); return 1;", { limits });
			await assert.rejects(guest.snapshot(), (error) => isHoldpointError(error) && error.code === "snapshot.refused");
			assert.equal(valueOf(await guest.advance(deliveryOf([ok(1, 1)]))), 1);
		},
	},
	{
		name: "guests live side by side and know nothing of each other",
		async run(make) {
			const provider = make();
			const source = (tag: string) => `globalThis.mine = '${tag}'; const r = []; for (let i = 0; i < 3; i++) {
				r.push(globalThis.mine + await tools.search('${tag}')); } return r;`;
			const tags = Array.from({ length: 8 }, (_, i) => `t${i}`);
			const values = await Promise.all(tags.map((tag) => evaluate(provider, source(tag))));
			assert.deepEqual(
				values,
				tags.map((tag) => [tag + tag, tag + tag, tag + tag]),
			);
		},
	},
	{
		name: "an answer to a call that is not open is the caller's bug, and is delivered to nobody",
		async run(make) {
			const { guest } = await begin(make(), "return [await tools.search(), await tools.search()];");
			await assert.rejects(guest.advance(deliveryOf([ok(1, "a"), ok(7, "b")])), /call 7 is open/);
			await assert.rejects(guest.advance(deliveryOf([ok(1, "a"), ok(1, "b")])), /each call once/);
			await guest.advance(deliveryOf([ok(1, "a")]));
			await assert.rejects(guest.advance(deliveryOf([ok(1, "again")])), /call 1 is open/);
			assert.deepEqual(valueOf(await guest.advance(deliveryOf([ok(2, "b")]))), ["a", "b"]);
		},
	},
	{
		name: "dispose may be called at any time and twice",
		async run(make) {
			const provider = make();
			const started = await provider.start(programOf("return 1;"));
			started.dispose();
			started.dispose();
			const { guest } = await begin(provider, "await tools.search();");
			guest.dispose();
			guest.dispose();
			await assert.rejects(guest.advance(deliveryOf([ok(1, 1)])));
			const ended = await begin(provider, "return 1;");
			ended.guest.dispose();
			ended.guest.dispose();
			const failed = await begin(provider, "throw new Error('x');");
			assert.equal(errorOf(failed.slice).message, "x");
			failed.guest.dispose();
			await assertUnharmed(provider);
		},
	},
	{
		name: "a closed sandbox says so",
		async run(make) {
			const provider = make({ fresh: true });
			const { guest } = await begin(provider, "await tools.search();");
			await provider.close();
			await provider.close();
			const isClosed = (error: unknown) => isHoldpointError(error) && error.code === "sandbox.unavailable";
			await assert.rejects(provider.start(programOf("return 1;")), isClosed);
			await assert.rejects(guest.advance(deliveryOf([ok(1, 1)])), isClosed);
			guest.dispose();
		},
	},
];
