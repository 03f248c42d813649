/**
 * What the machine costs, as a table: node packages/microvm/bench.mjs [rounds]
 *
 * Wall times from Node, p50 and p95. "Warm" figures leave out the first fifth of the rounds.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { MicrovmdClient } from "../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import { bootBaseImage } from "../holdpoint/src/adapters/sandboxes/wasm/base-image.ts";
import { GuestInstance } from "../holdpoint/src/adapters/sandboxes/wasm/guest-instance.ts";
import { Module } from "../holdpoint/src/adapters/sandboxes/wasm/webassembly.ts";
import { deliveryMessage, startMessage } from "../holdpoint/src/spec/guest-messages.ts";
import { defaultProgramLimits } from "../holdpoint/src/spec/limits.ts";

const rounds = Number(process.argv[2] ?? 1_000);
const bin = (name) => fileURLToPath(new URL(`bin/${name}`, import.meta.url));
const options = { executable: bin("microvmd"), guest: bin("guest.elf"), memoryMiB: 80 };
const budget = { clockMs: 0, cpuMs: 600_000, sliceMs: 600_000, memoryBytesMax: 64e6 };

const startText = (source) =>
	Buffer.from(
		startMessage({
			source,
			tools: ["search"],
			seed: 1,
			clockMs: 0,
			limits: { ...defaultProgramLimits, callsMax: 100_000 },
			principal: "p",
		}),
	);
const answerText = (answers) => Buffer.from(deliveryMessage(answers, defaultProgramLimits));
const one = startText("return 1 + 2");
const oneCall = startText("return await tools.search({ q: 1 })");
const fifty = startText("let s = 0; for (let i = 0; i < 50; i++) s += await tools.search({ i }); return s");
const batch = startText("return (await Promise.all(Array.from({ length: 50 }, (_, i) => tools.search({ i })))).length");
const answerOne = answerText([{ n: 1, ok: "42" }]);

/** Float, integer, property, string, closure and allocation work, as a program has it. */
const cpuSource = `
const t = []; let acc = 0;
for (let r = 0; r < 60; r++) {
	const o = {}; for (let i = 0; i < 2000; i++) o["k" + (i % 97)] = (o["k" + (i % 97)] ?? 0) + i;
	const a = Array.from({ length: 2000 }, (_, i) => (i * 7919) % 1009).sort((x, y) => x - y);
	let s = ""; for (let i = 0; i < 2000; i++) s += String.fromCharCode(97 + (i % 26));
	const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2);
	acc += fib(17) + a[100] + s.length + Object.keys(o).length + JSON.stringify(a).length + Math.floor(Math.sqrt(r) * 1000);
}
return acc;`;

function summary(times) {
	const sorted = times.slice(Math.floor(times.length / 5)).sort((a, b) => a - b);
	const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
	return { p50: at(0.5), p95: at(0.95) };
}

async function timed(count, work) {
	const times = [];
	for (let i = 0; i < count; i++) {
		const from = performance.now();
		await work(i);
		times.push(performance.now() - from);
	}
	return summary(times);
}

const row = (name, { p50, p95 }) => ({ what: name, "p50 ms": p50.toFixed(3), "p95 ms": p95.toFixed(3) });

async function measureSlices(machine) {
	const rows = [];
	rows.push(row("empty round trip (ping)", await timed(rounds, () => machine.ping())));
	rows.push(row("guest that was reset → first result", await timed(rounds, () => machine.start(one, budget))));
	await machine.start(oneCall, budget);
	rows.push(
		row(
			"reset and start in one frame → first result",
			await timed(rounds, async () => {
				await machine.start(oneCall, budget, true);
			}),
		),
	);
	await machine.reset();
	rows.push(
		row(
			"program with one call (start + deliver)",
			await timed(rounds, async () => {
				await machine.start(oneCall, budget);
				await machine.deliver(answerOne, budget);
			}),
		),
	);
	const calls = [];
	for (let round = 0; round < Math.max(10, rounds / 20); round++) {
		await machine.start(fifty, budget, true);
		for (let n = 1; n <= 50; n++) {
			const from = performance.now();
			await machine.deliver(answerText([{ n, ok: "42" }]), budget);
			calls.push(performance.now() - from);
		}
	}
	rows.push(row("one call: answer in → next call out", summary(calls)));
	rows.push(
		row(
			"program with 50 calls one after another",
			await timed(rounds / 10, async () => {
				await machine.start(fifty, budget, true);
				for (let n = 1; n <= 50; n++) await machine.deliver(answerText([{ n, ok: "42" }]), budget);
			}),
		),
	);
	const answers = answerText(Array.from({ length: 50 }, (_, i) => ({ n: i + 1, ok: "42" })));
	rows.push(
		row(
			"program with 50 calls as one batch",
			await timed(rounds / 10, async () => {
				await machine.start(batch, budget, true);
				await machine.deliver(answers, budget);
			}),
		),
	);
	return rows;
}

async function measureSnapshots(machine, other) {
	await machine.start(oneCall, budget, true);
	const image = await machine.snapshot();
	return [
		row("snapshot", await timed(rounds / 2, () => machine.snapshot())),
		row("restore in another process", await timed(rounds / 2, () => other.restore(image))),
		{ what: `image: ${image.pageCount} pages, ${image.pages.length} bytes before compression` },
	];
}

function median(values) {
	return values.toSorted((a, b) => a - b)[values.length >> 1];
}

async function measureCpu(machine) {
	const moduleFile = createRequire(new URL("../holdpoint/package.json", import.meta.url)).resolve(
		"quickjs-wasi/quickjs.wasm",
	);
	const bytes = readFileSync(moduleFile);
	const module = new Module(bytes);
	const guest = new GuestInstance(module, bootBaseImage(bytes, module));
	const text = startText(cpuSource);
	const [here, there] = [[], []];
	for (let i = 0; i < 9; i++) {
		here.push((await machine.start(text, budget, true)).cpuMs);
		guest.reset();
		there.push(guest.start(text, { ...budget, cancelled: () => false }).cpuMs);
	}
	return [
		{
			what: "CPU benchmark: this machine / wasm in V8",
			"p50 ms": `${median(here).toFixed(0)} / ${median(there).toFixed(0)}`,
		},
	];
}

/** Beyond a deadline of 20 ms: where the engine is asked to stop, and where the machine has to be stopped. */
async function measureOvershoot(machine) {
	const beyond = async (source) => {
		const text = startText(source);
		const times = [];
		for (let i = 0; i < Math.max(20, rounds / 20); i++) {
			const from = performance.now();
			await machine.start(text, { ...budget, sliceMs: 20 }, true);
			times.push(performance.now() - from - 20);
		}
		return summary(times);
	};
	return [
		row("beyond a deadline: a loop", await beyond("for (;;);")),
		row("beyond a deadline: one long built-in function", await beyond("new Array(4e9).fill(1)")),
	];
}

async function measureProcesses() {
	const first = [];
	const boots = [];
	for (let i = 0; i < 25; i++) {
		const from = performance.now();
		const machine = await MicrovmdClient.spawn(options);
		await machine.start(one, budget);
		first.push(performance.now() - from);
		boots.push(machine.hello.bootMs);
		machine.kill();
		await machine.gone;
	}
	return [row("new process → first result", summary(first)), row("of it: boot inside the process", summary(boots))];
}

/** As the kernel shares it out among the processes that have a page; its own part of a machine is not in it. */
async function measureMemory() {
	const machines = await Promise.all(Array.from({ length: 40 }, () => MicrovmdClient.spawn(options)));
	for (const machine of machines) await machine.start(one, budget);
	const sharesOf = ({ pid }) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
	const shares = machines.map(sharesOf);
	for (const machine of machines) machine.kill();
	return [{ what: `memory of an idle machine (of 40): ${median(shares)} KiB` }];
}

const machine = await MicrovmdClient.spawn(options);
const other = await MicrovmdClient.spawn(options);
console.table([
	...(await measureProcesses()),
	...(await measureSlices(machine)),
	...(await measureSnapshots(machine, other)),
	...(await measureOvershoot(machine)),
	...(await measureCpu(machine)),
	...(await measureMemory()),
]);
machine.kill();
other.kill();
