import { afterEach, describe, expect, test } from "vitest";
import { MicrovmdLost, type MicrovmSlice } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import { budget, hostileFile, killMachines, spawnMachine, start, textOf, whyNoMachine } from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);
afterEach(killMachines);

async function attackNames(): Promise<string[]> {
	const machine = await spawnMachine(hostileFile);
	const names = textOf(await machine.start(Buffer.from("list"), budget))
		.trim()
		.split("\n");
	machine.kill();
	return names;
}

/** What one attack came to, on a machine of its own. */
async function attack(number: number, name: string): Promise<MicrovmSlice | MicrovmdLost> {
	const machine = await spawnMachine(hostileFile);
	try {
		return await machine.start(Buffer.from(String(number)), { ...budget, sliceMs: name.startsWith("~") ? 30 : 5_000 });
	} catch (error) {
		if (error instanceof MicrovmdLost) return error;
		throw error;
	} finally {
		machine.kill();
	}
}

/** Says what is wrong with how an attack ended; nothing where it ended as it must. */
function complaint(name: string, end: MicrovmSlice | MicrovmdLost): string | undefined {
	const died = end instanceof MicrovmdLost && (end.stop === "fault" || end.stop === "stack");
	const survived = !(end instanceof MicrovmdLost) && end.stop === "none";
	const stopped = !(end instanceof MicrovmdLost) && end.stop === "slice";
	const isRight = { "!": died, "?": died || survived, "~": stopped, "=": survived }[name[0] ?? ""] ?? false;
	if (isRight) return undefined;
	return `${name}: ${end instanceof MicrovmdLost ? `${end.stop} ${end.message}` : `${end.stop} ${textOf(end).slice(0, 40)}`}`;
}

describe.skipIf(whyNoMachine)("machine code in ring 3", () => {
	test("of a hostile guest harms nothing but its own machine", { timeout: 120_000 }, async () => {
		const names = await attackNames();
		expect(names.length).toBeGreaterThan(140);
		const complaints: string[] = [];
		for (const [number, name] of names.entries()) {
			const wrong = complaint(name, await attack(number, name));
			if (wrong) complaints.push(wrong);
		}
		expect(complaints).toEqual([]);
		expect(textOf(await start(await spawnMachine(), "return 6 * 7"))).toBe("r 42");
	});

	test("cannot refuse an answer and stop as well", async () => {
		const number = (await attackNames()).indexOf("=unknown_with_stop");
		const machine = await spawnMachine(hostileFile);
		expect(textOf(await machine.start(Buffer.from(String(number)), budget))).toBe("o");
		await expect(machine.deliver(Buffer.from("[]"), budget)).rejects.toMatchObject({ stop: "fault" });
	});

	test.each(["sse", "avx", "bases", "rights"])("leaves no mark in registers (%s) beyond a reset", async (kind) => {
		const names = await attackNames();
		const number = (name: string): Buffer => Buffer.from(String(names.findIndex((each) => each.slice(1) === name)));
		const machine = await spawnMachine(hostileFile);
		const left = await machine.start(number(`leave_${kind}`), budget).catch((error: unknown) => error);
		// Where ring 3 may not use them there is nothing to find.
		if (left instanceof MicrovmdLost) return;
		expect(textOf(await machine.start(number(`find_${kind}`), budget))).toBe("survived");
	});
});
