import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { timed } from "./subject.ts";
import { SubjectProcess } from "./subject-process.ts";

const span = { ms: 0, min: 1 };
const ask = { row: "one", args: { n: 2 }, warmup: span, slice: span };

describe("timed", () => {
	test("repeats at least as often as it must, and what is prepared is not timed", async () => {
		const told: string[] = [];
		const measure = timed({
			begin: () => void told.push("begin"),
			prepare: async () => told.push("prepare"),
			run: async () => void told.push("run"),
			end: async () => void told.push("end"),
		});
		const numbers = await measure({ ...ask, warmup: { ms: 0, min: 1 }, slice: { ms: 0, min: 2 } });
		expect(told).toEqual(["begin", "prepare", "run", "prepare", "run", "prepare", "run", "end"]);
		expect(numbers["repetitions"]).toBe(2);
	});

	test("a number that the work returns counts instead of the whole", async () => {
		let ms = 0;
		const numbers = await timed({ run: async () => ++ms })({
			...ask,
			warmup: { ms: 0, min: 0 },
			slice: { ms: 0, min: 3 },
		});
		expect(numbers).toMatchObject({ p50: 2, repetitions: 3 });
	});
});

describe("a subject's process", () => {
	let folder: string;
	const opened: SubjectProcess[] = [];
	beforeEach(async () => {
		// Beside this file: a folder for temporary files may be mounted without leave to execute.
		folder = await mkdtemp(join(import.meta.dirname, "results/subject-"));
	});
	afterEach(async () => {
		await Promise.all(opened.splice(0).map((process) => process.close()));
		await rm(folder, { recursive: true });
	});

	function open(rows: string, timeoutMs = 60_000): SubjectProcess {
		const path = join(folder, "subject.mjs");
		const module = JSON.stringify(pathToFileURL(join(import.meta.dirname, "subject.ts")).href);
		writeFileSync(path, `import { serveRows } from ${module};\nawait serveRows({ ${rows} });\n`);
		const subject = new SubjectProcess({ path, nodeFlags: ["--no-warnings"], arguments: ["given"], timeoutMs });
		opened.push(subject);
		return subject;
	}

	test("answers row after row, whatever it prints besides", async () => {
		const subject = open("one: async ({ args }) => { console.log('noise'); return { twice: args.n * 2 }; }");
		expect(await subject.ask(ask)).toEqual({ numbers: { twice: 4 } });
		expect(await subject.ask({ ...ask, args: { n: 5 } })).toEqual({ numbers: { twice: 10 } });
		expect(await subject.ask({ ...ask, row: "two" })).toEqual({ missing: true });
	});

	test("says why it has no answer: it threw, it died, it is late", async () => {
		expect(await open("one: async () => { throw new Error('broken'); }").ask(ask)).toEqual({
			error: expect.stringContaining("broken"),
		});
		const dead = open("one: () => { console.error('last words'); process.exit(3); }");
		expect(await dead.ask(ask)).toEqual({ error: "it ended (3): last words" });
		expect(await dead.ask(ask)).toEqual({ error: "it ended (3): last words" });
		expect(await open("one: () => new Promise(() => setInterval(() => {}, 1e6))", 1).ask(ask)).toEqual({
			error: "no answer within 1 ms",
		});
	});

	test("is gone after it was closed, with the processes that it started", async () => {
		const spawning =
			"const { spawn } = await import('node:child_process'); spawn('sleep', ['1000'], { stdio: 'inherit' })";
		const subject = open(`one: async () => { ${spawning}; return {}; }`);
		await subject.ask(ask);
		// `close` waits for the end of its pipes, and the one that it started holds them.
		await subject.close();
		expect(await subject.ask(ask)).toMatchObject({ error: expect.stringContaining("it ended") });
	});
});
