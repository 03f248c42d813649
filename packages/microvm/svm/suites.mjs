/**
 * The contract suite of the sandboxes inside the emulated machine, for the providers that are named: `microvm`,
 * `hyperlight`. Written without a test runner, as inside.mjs is. The last line is `suites: well` or
 * `suites: <n> failed`; it is printed when the process ends by itself, which an open machine would keep it from.
 */
import assert from "node:assert/strict";
import { contractSkips } from "../../holdpoint/src/adapters/sandboxes/hyperlight/contract-skips.ts";
import { hyperlightSandbox } from "../../holdpoint/src/adapters/sandboxes/hyperlight/provider.ts";
import { microvmSandbox } from "../../holdpoint/src/adapters/sandboxes/microvm/provider.ts";
import { sandboxContractExcept } from "../../holdpoint/src/testing/sandbox-contract.ts";
import { begin, deliveryOf, evaluate, ok, play, valueOf } from "../../holdpoint/src/testing/sandbox-play.ts";

const caseMs = 120_000;
let failed = 0;

/**
 * What rests on how much a processor does in a given CPU time. An emulated one may fail it; that is printed as `slow`,
 * with the reason, and is no failure.
 */
const mayBeSlow = {
	"microvm: a stopped program keeps what it printed":
		"a stopped guest has 0.8 ms of CPU time to hand over its text, and the emulator's processor does little in that",
};

async function check(name, work) {
	const from = performance.now();
	const late = Promise.withResolvers();
	const timer = setTimeout(() => late.reject(new Error(`not over after ${caseMs} ms`)), caseMs);
	try {
		await Promise.race([work(), late.promise]);
		console.log(`ok      ${name} (${(performance.now() - from).toFixed(0)} ms)`);
	} catch (error) {
		const why = Object.hasOwn(mayBeSlow, name) ? mayBeSlow[name] : undefined;
		if (why === undefined) failed++;
		console.log(`${why === undefined ? "FAILED" : "slow  "}  ${name}: ${why ?? String(error.message).slice(0, 500)}`);
	}
	clearTimeout(timer);
}

async function suite(name, make, skips = {}) {
	const shared = make();
	await check(`${name}: isolation is that of this processor`, async () => {
		const probe = await shared.probe();
		assert.equal(probe.isolation, "svm", probe.reason);
	});
	for (const one of sandboxContractExcept(skips)) {
		await check(`${name}: ${one.name}`, () =>
			one.run((options) => (options?.fresh ? make({ machinesMax: 1 }) : shared)),
		);
	}
	return shared;
}

/** What its contract leaves open. */
async function hyperlightAlone(shared) {
	const limits = { memoryBytesMax: 8e6 };
	await check("hyperlight: three programs share one machine, each with its own memory", async () => {
		const one = hyperlightSandbox({ machinesMax: 1 });
		const source = (tag) => `const mine = '${tag}'; return [mine, await tools.search(), await tools.search(), mine];`;
		const run = async (tag) => {
			const { guest } = await begin(one, source(tag), { limits });
			await guest.advance(deliveryOf([ok(1, 1)]));
			return valueOf(await guest.advance(deliveryOf([ok(2, 2)])));
		};
		const values = await Promise.all(["a", "b", "c"].map(run));
		assert.deepEqual(
			values,
			["a", "b", "c"].map((tag) => [tag, 1, 2, tag]),
		);
		await one.close();
	});
	await check("hyperlight: what its engine has beside the language reaches nothing", async () => {
		const names = `fetch setTimeout setInterval setImmediate process module Buffer WebAssembly WeakRef
			FinalizationRegistry SharedArrayBuffer Atomics Deno Bun std os navigator gc load scriptArgs`.split(/\s+/);
		const source = `globalThis.print('to the host'); globalThis.console.log('to the host'); console.log('to the program');
			const io = await import('io'); io.print('to the host');
			const files = []; for (const name of ['fs', 'node:fs', 'os', 'std', 'host:x', './x.js', '/etc/passwd'])
				files.push(await import(name).then(() => 'imported', () => 'refused'));
			return [typeof print, typeof require, ${JSON.stringify(names)}.filter((name) => name in globalThis), [...new Set(files)]];`;
		const played = await play(shared, source, { limits });
		assert.deepEqual(valueOf(played), ["undefined", "undefined", [], ["refused"]]);
		assert.equal(played.console, "to the program\n");
	});
	await check("hyperlight: a signal stops a loop that runs, long before its limits", async () => {
		const controller = new AbortController();
		await evaluate(shared, "return 1;", { limits });
		const from = performance.now();
		setTimeout(() => controller.abort(), 300);
		const options = { limits: { ...limits, sliceMs: 100_000, cpuMs: 100_000 }, signal: controller.signal };
		const { state } = await play(shared, "for (;;);", options);
		assert.equal(state.limit, "cancelled");
		assert.ok(performance.now() - from < 30_000, `after ${performance.now() - from} ms`);
	});
	await check("hyperlight: deep recursion stops its program, and the next one is well", async () => {
		const { state } = await play(shared, "const f = () => f() + 1; f();", { limits });
		assert.equal(state.limit, "memory");
		assert.equal(await evaluate(shared, "return 6 * 7;", { limits }), 42);
	});
}

const names = process.argv.slice(2);
if (names.includes("microvm")) await (await suite("microvm", microvmSandbox)).close();
if (names.includes("hyperlight")) {
	const reasons = [...new Set(Object.values(contractSkips))];
	for (const reason of reasons) console.log(`skipped: of hyperlight's contract: ${reason}`);
	// Not closed: it ends by itself when it has lain idle.
	await hyperlightAlone(await suite("hyperlight", hyperlightSandbox, contractSkips));
	console.log(`memory ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`);
}
process.on("exit", () => console.log(failed === 0 ? "suites: well" : `suites: ${failed} failed`));
