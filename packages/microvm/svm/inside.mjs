/**
 * What runs inside the emulated machine: the micro-VM on a kernel that has real AMD-V. One line for each thing checked;
 * the last line is `svm: well` or `svm: <n> failed`. Written without a test runner, which takes minutes to start there.
 */
import assert from "node:assert/strict";
import { MicrovmdClient, MicrovmdLost } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import { deliveryMessage, startMessage } from "../../holdpoint/src/spec/guest-messages.ts";
import { defaultProgramLimits } from "../../holdpoint/src/spec/limits.ts";

const [bin, guestDigest] = process.argv.slice(2);
const budget = { clockMs: 0, cpuMs: 600_000, sliceMs: 600_000, memoryBytesMax: 64e6 };
const machines = [];
let failed = 0;

async function machineOf(guest = "guest.elf") {
	const machine = await MicrovmdClient.spawn({
		executable: `${bin}/microvmd`,
		guest: `${bin}/${guest}`,
		memoryMiB: 80,
	});
	machines.push(machine);
	return machine;
}

const textOf = ({ outbox }) => Buffer.from(outbox).toString();
const startText = (source) =>
	Buffer.from(
		startMessage({ source, tools: ["search"], seed: 1, clockMs: 0, limits: defaultProgramLimits, principal: "p" }),
	);
const start = (machine, source, change = {}) => machine.start(startText(source), { ...budget, ...change }, true);
const deliver = (machine, answers) =>
	machine.deliver(Buffer.from(deliveryMessage(answers, defaultProgramLimits)), budget);

async function check(name, work) {
	const from = performance.now();
	try {
		const note = await work();
		console.log(`ok      ${name} (${(performance.now() - from).toFixed(0)} ms)${note ? `: ${note}` : ""}`);
	} catch (error) {
		failed++;
		console.log(`FAILED  ${name}: ${error.message}`);
	}
	for (const machine of machines.splice(0)) machine.kill();
}

await check("boots to the image of every other machine", async () => {
	const { hello } = await machineOf();
	assert.equal(hello.guestDigest, guestDigest);
	assert.equal(hello.isolation, "svm");
	return `boot ${hello.bootMs.toFixed(0)} ms, ${hello.hasPageScan ? "with" : "without"} a scan of written pages`;
});

await check("runs a program with calls, and resets", async () => {
	const machine = await machineOf();
	assert.equal(textOf(await start(machine, "globalThis.x = 1; return 1 + 2")), "r 3");
	assert.equal(textOf(await start(machine, "return [typeof x, await tools.search(7)]")), 'a 1 1 "search" 7\no');
	assert.equal(textOf(await deliver(machine, [{ n: 1, ok: "8" }])), 'r ["undefined",8]');
});

await check("goes on from a snapshot in another process", async () => {
	const [one, two] = [await machineOf(), await machineOf()];
	await start(one, "const m = new Map([['a', Math.sin(1)]]); const r = await tools.search(); return [r, ...m]");
	const image = await one.snapshot();
	await two.restore(image);
	const there = textOf(await deliver(two, [{ n: 1, ok: "5" }]));
	assert.equal(there, textOf(await deliver(one, [{ n: 1, ok: "5" }])));
	return `${image.pageCount} pages, ${there}`;
});

await check("stops loops and long built-in functions, fifty times, each followed by a right answer", async () => {
	const machine = await machineOf();
	for (let i = 0; i < 50; i++) {
		const bomb = i % 2 ? "new Array(4e9).fill(1)" : "for (;;);";
		assert.equal((await start(machine, bomb, { sliceMs: 30 })).stop, "slice");
		assert.equal(textOf(await start(machine, `return [1, ${i}].map((x) => x * x)`)), `r [1,${i * i}]`);
	}
});

await check("cancels", async () => {
	const machine = await machineOf();
	const slice = start(machine, "for (;;);");
	setTimeout(() => machine.cancel(), 100);
	assert.equal((await slice).stop, "cancelled");
});

await check("survives machine code that attacks it", async () => {
	const lister = await machineOf("hostile.elf");
	const names = textOf(await lister.start(Buffer.from("list"), budget))
		.trim()
		.split("\n");
	const wrong = [];
	const alive = [];
	for (const [number, name] of names.entries()) {
		const machine = await machineOf("hostile.elf");
		const sliceMs = name.startsWith("~") ? 100 : 60_000;
		const end = await machine.start(Buffer.from(String(number)), { ...budget, sliceMs }).catch((error) => error);
		const died = end instanceof MicrovmdLost && (end.stop === "fault" || end.stop === "stack");
		const survived = !(end instanceof MicrovmdLost) && end.stop === "none";
		const stopped = !(end instanceof MicrovmdLost) && end.stop === "slice";
		if (name.startsWith("?") && survived) alive.push(name.slice(1));
		const isRight = { "!": died, "?": died || survived, "~": stopped, "=": survived }[name[0]];
		if (!isRight) wrong.push(`${name} ${end.stop} ${end.message ?? textOf(end).slice(0, 30)}`);
		machine.kill();
	}
	assert.deepEqual(wrong, []);
	assert.equal(textOf(await start(await machineOf(), "return 6 * 7")), "r 42");
	return `${names.length} attacks; ring 3 may: ${alive.join(" ")}`;
});

console.log(failed === 0 ? "svm: well" : `svm: ${failed} failed`);
