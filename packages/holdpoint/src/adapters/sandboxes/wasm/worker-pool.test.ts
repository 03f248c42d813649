import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isHoldpointError } from "../../../spec/errors.ts";
import type { SandboxProvider } from "../../../spec/sandbox.ts";
import {
	assertUnharmed,
	begin,
	deliveryOf,
	evaluate,
	limitOf,
	ok,
	play,
	programOf,
	valueOf,
} from "../../../testing/sandbox-play.ts";
import { wasmSandbox } from "./provider.ts";

const open: SandboxProvider[] = [];

function sandbox(workersMax = 1): SandboxProvider {
	const provider = wasmSandbox({ workersMax });
	open.push(provider);
	return provider;
}

afterEach(async () => {
	await Promise.all(open.splice(0).map((provider) => provider.close()));
});

/** Runs a module in a process of its own and returns what it printed. */
function runProcess(script: string, input = ""): string {
	const file = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
	const prologue = `import { wasmSandbox } from ${file("./provider.ts")};
		import * as playing from ${file("../../../testing/sandbox-play.ts")};`;
	const args = ["--input-type=module", "-e", prologue + script];
	return execFileSync(process.execPath, args, { encoding: "utf8", input, timeout: 60_000 });
}

// Threads and processes are started here, which a busy machine does slowly.
vi.setConfig({ testTimeout: 60_000 });

describe("a pool", () => {
	test("runs more programs than it has workers, each to its end", async () => {
		const provider = sandbox(2);
		const values = await Promise.all(
			Array.from({ length: 60 }, (_, i) => evaluate(provider, `return ${i} + await tools.search(1);`)),
		);
		expect(values).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
	});

	test("one program that never ends does not hold back another where there are two workers", async () => {
		const provider = sandbox(2);
		const controller = new AbortController();
		let isOver = false;
		const options = { signal: controller.signal, limits: { sliceMs: 60_000, cpuMs: 60_000 } };
		const endless = play(provider, "for (;;);", options).finally(() => {
			isOver = true;
		});
		await assertUnharmed(provider);
		expect(isOver).toBe(false);
		controller.abort();
		expect(limitOf(await endless)).toBe("cancelled");
	});

	test("a program that ignores its deadline ends its worker; who lived there hears of it, new programs run", async () => {
		const provider = sandbox(1);
		const neighbour = await begin(provider, "return await tools.search();");
		const bomb = play(provider, "let x = 3n ** 400000n; for (;;) x.toString();", { limits: { sliceMs: 100 } });
		const queued = begin(provider, "return 1;");
		await new Promise(setImmediate);
		const late = neighbour.guest.advance(deliveryOf([ok(1, 1)]));
		expect(limitOf(await bomb)).toBe("slice");
		await expect(late).rejects.toSatisfy((error) => isHoldpointError(error) && error.code === "sandbox.fault");
		await expect(neighbour.guest.snapshot()).rejects.toThrow();
		expect(valueOf((await queued).slice)).toBe(1);
		neighbour.guest.dispose();
		await assertUnharmed(provider);
	});

	test("a program that ignores its deadline can be cancelled", async () => {
		const provider = sandbox(1);
		const controller = new AbortController();
		const source = "let x = 3n ** 400000n; for (;;) x.toString();";
		const stuck = begin(provider, source, { signal: controller.signal, limits: { sliceMs: 60_000, cpuMs: 60_000 } });
		setTimeout(() => controller.abort(), 50);
		expect(limitOf((await stuck).slice)).toBe("cancelled");
		await assertUnharmed(provider);
	});

	test("a cancelled program leaves its neighbours alone", async () => {
		const provider = sandbox(1);
		const neighbour = await begin(provider, "return await tools.search();");
		const controller = new AbortController();
		const options = { signal: controller.signal, limits: { sliceMs: 60_000, cpuMs: 60_000 } };
		const endless = begin(provider, "for (;;);", options);
		await new Promise(setImmediate);
		controller.abort();
		expect(limitOf((await endless).slice)).toBe("cancelled");
		expect(valueOf(await neighbour.guest.advance(deliveryOf([ok(1, 5)])))).toBe(5);
	});

	test("a signal that serves many slices gathers no listeners", async () => {
		const { signal } = new AbortController();
		let listeners = 0;
		const counted = new Proxy(signal, {
			get(target, key) {
				if (key === "addEventListener") listeners++;
				if (key === "removeEventListener") listeners--;
				const value: unknown = Reflect.get(target, key, target);
				return typeof value === "function" ? value.bind(target) : value;
			},
		});
		await play(sandbox(), "for (let i = 0; i < 20; i++) await tools.search(i);", { signal: counted });
		expect(listeners).toBe(0);
	});

	test("close ends what runs and what waits", async () => {
		const provider = wasmSandbox({ workersMax: 1 });
		await provider.probe();
		const running = Array.from({ length: 4 }, () => begin(provider, "for (;;);", { limits: { sliceMs: 20_000 } }));
		const settled = Promise.allSettled(running);
		await provider.close();
		for (const result of await settled) {
			expect(result.status === "rejected" && isHoldpointError(result.reason) && result.reason.code).toBe(
				"sandbox.unavailable",
			);
		}
	});

	test("closing a sandbox that was never used starts nothing", async () => {
		const provider = wasmSandbox();
		await provider.close();
		await expect(provider.start(programOf("return 1;"))).rejects.toThrow(/closed/);
	});
});

test.each([{ workersMax: 0 }, { workersMax: Number.NaN }, { warm: 1.5 }])("refuses the options %j", (options) => {
	expect(() => wasmSandbox(options)).toThrow(/of wasmSandbox is/);
});

describe("processes", () => {
	test("a snapshot with open calls is restored in another process, in the midst of Promise.all and a race", async () => {
		const source = `const order = []; const calls = [1, 2, 3].map((i) => tools.search(i).then((v) => { order.push(v); return v; }));
			const first = await Promise.race(calls); const all = await Promise.all(calls); return { order, first, all };`;
		const { guest } = await begin(sandbox(), source);
		await guest.advance(deliveryOf([ok(2, "two")]));
		const snapshot = Buffer.from(await guest.snapshot()).toString("base64");
		const printed = runProcess(
			`const { programOf, deliveryOf, ok } = playing; const provider = wasmSandbox();
			const { readFileSync } = await import("node:fs"); const [snapshot, source] = JSON.parse(readFileSync(0, "utf8"));
			const guest = await provider.restore(Buffer.from(snapshot, "base64"), programOf(source));
			const { state } = await guest.advance(deliveryOf([ok(3, "three"), ok(1, "one")]));
			console.log(state.value);`,
			JSON.stringify([snapshot, source]),
		);
		expect(JSON.parse(printed)).toEqual({ order: ["two", "three", "one"], first: "two", all: ["one", "two", "three"] });
	});

	test("a process ends by itself with idle workers and a guest that waits", () => {
		const script = `const provider = wasmSandbox({ workersMax: 2 });
			const { slice } = await playing.begin(provider, "await tools.search();");
			console.log(slice.state.kind);`;
		expect(runProcess(script)).toBe("open\n");
	});

	test("a process stays alive while a slice runs", () => {
		const script = `const provider = wasmSandbox();
			playing.begin(provider, "for (let i = 0; i < 3e6; i++); return 'done';", { limits: { sliceMs: 20_000 } })
				.then(({ slice }) => console.log(slice.state.value));`;
		expect(runProcess(script)).toBe('"done"\n');
	});

	test("a thread starts with the first use, not before", () => {
		const script = `let threads = 0; process.on("worker", () => { threads++; });
			const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
			const provider = wasmSandbox(); await turn(); const before = threads;
			await provider.probe(); await turn(); console.log(before, threads);`;
		expect(runProcess(script)).toBe("0 1\n");
	});
});

test("a bundle runs with its worker beside the main file", async () => {
	const root = fileURLToPath(new URL("../../../../../../", import.meta.url));
	mkdirSync(join(root, ".cache"), { recursive: true });
	const folder = mkdtempSync(join(root, ".cache", "wasm-bundle-"));
	try {
		const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
		const bundle = await rolldown({
			input: { main: here("./provider.ts"), "wasm-worker": here("./worker.ts") },
			platform: "node",
			external: [/^node:/],
		});
		await bundle.write({ dir: folder, format: "esm", entryFileNames: "[name].js" });
		await bundle.close();
		const script = `import { wasmSandbox } from "./main.js"; const provider = wasmSandbox();
			const probe = await provider.probe(); console.log(JSON.stringify(probe)); await provider.close();`;
		const result = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
			cwd: folder,
			encoding: "utf8",
		});
		expect(JSON.parse(result.stdout)).toMatchObject({ ok: true, provider: "wasm", isolation: "wasm" });
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
});
