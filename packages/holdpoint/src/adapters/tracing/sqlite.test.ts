import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isHoldpointError } from "../../spec/errors.ts";
import type { Span } from "../../spec/trace.ts";
import { sqliteTraces } from "./sqlite.ts";

let folder: string;
let path: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-traces-"));
	path = join(folder, "deep", "runs.db.traces");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const day = 86_400_000;

/** A root and what lies below it. */
function trace(run: string, epoch: number, { at = 0, text = "" } = {}): Span[] {
	const traceId = `${run}${epoch}`.padStart(32, "0");
	const plain = { traceId, kind: "internal", events: [], links: [], status: { code: "unset" } } as const;
	const root: Span = {
		...plain,
		spanId: "r".repeat(16),
		parentSpanId: undefined,
		name: "invoke_agent a",
		start: at,
		end: at + 5,
		attributes: { "holdpoint.run.id": run, "holdpoint.segment.epoch": epoch },
	};
	const child: Span = {
		...plain,
		spanId: "c".repeat(16),
		parentSpanId: root.spanId,
		name: "chat m",
		start: at + 1,
		end: at + 2,
		attributes: { text },
	};
	return [root, child];
}

/** The spans of these tests are as old as the clock. */
const now = () => 0;

type Traces = ReturnType<typeof sqliteTraces>;

function put(traces: Traces, [root, ...others]: readonly Span[]): void {
	if (!root) return;
	traces.began?.(root);
	for (const span of others) traces.ended(span);
	traces.ended(root);
}

describe("the local trace store", () => {
	test("gives back what it was told, by segment, also to another process that only reads", async () => {
		const traces = sqliteTraces(path, { now });
		const [first, second, other] = [trace("a", 1), trace("a", 3), trace("b", 1)];
		for (const one of [second, other, first]) put(traces, one);
		await traces.close();
		const reader = sqliteTraces(path, { readOnly: true });
		const kept = await reader.read("a");
		expect(kept.map(({ epoch }) => epoch)).toEqual([1, 3]);
		// Parents last, and JSON has no undefined.
		expect(kept[0]?.spans).toEqual(JSON.parse(JSON.stringify(first.toReversed())));
		expect(await reader.read("nobody")).toEqual([]);
		await reader.close();
		expect(statSync(path).mode & 0o777).toBe(0o600);
		expect(statSync(join(folder, "deep")).mode & 0o777).toBe(0o700);
	});

	test("makes no file before there is something to write, and reads none", async () => {
		const traces = sqliteTraces(path, { now });
		expect(await traces.read("a")).toEqual([]);
		await traces.close();
		expect(existsSync(path)).toBe(false);
	});

	test("the oldest go first: by age, by number, and by bytes", async () => {
		let today = 100 * day;
		const options = { daysMax: 2, tracesMax: 3, bytesMax: 20_000, now: () => today };
		const runsAfter = async (...traces: readonly (readonly Span[])[]): Promise<string[]> => {
			const store = sqliteTraces(path, options);
			for (const one of traces) put(store, one);
			await store.close();
			const reader = sqliteTraces(path, { readOnly: true });
			const kept = await Promise.all(
				["a", "b", "c", "d", "e"].map(async (run) => ({ run, of: await reader.read(run) })),
			);
			await reader.close();
			return kept.filter(({ of }) => of.length > 0).map(({ run }) => run);
		};
		expect(await runsAfter(trace("a", 1, { at: today - 3 * day }), trace("b", 1, { at: today - day }))).toEqual(["b"]);
		expect(await runsAfter(trace("c", 1, { at: today }), trace("d", 1, { at: today + 1 }))).toEqual(["b", "c", "d"]);
		expect(await runsAfter(trace("e", 1, { at: today + 2 }))).toEqual(["c", "d", "e"]);
		const large = "x".repeat(30_000);
		expect(await runsAfter(trace("a", 1, { at: today + 3, text: large }))).toEqual(["a"]);
		// Bytes, and not characters: each of these has three.
		const wide = "語".repeat(4_000);
		expect(
			await runsAfter(trace("c", 1, { at: today + 4, text: wide }), trace("d", 1, { at: today + 5, text: wide })),
		).toEqual(["d"]);
		today += 10 * day;
		expect(await runsAfter(trace("b", 1, { at: today }))).toEqual(["b"]);
	});

	test("a run that was erased is dropped, with what is on its way", async () => {
		const traces = sqliteTraces(path, { now });
		const text = "a word that nobody may find ".repeat(1_000);
		put(traces, trace("a", 1, { text }));
		traces.flush();
		put(traces, trace("a", 2, { text }));
		put(traces, trace("b", 1));
		traces.flush();
		const bytes = () => ["", "-wal"].map((end) => readFileSync(`${path}${end}`, "latin1")).join("");
		expect(bytes().includes("nobody may find")).toBe(true);
		await traces.forget?.("a");
		expect(bytes().includes("nobody may find")).toBe(false);
		expect(await traces.read("a")).toEqual([]);
		expect(await traces.read("b")).toHaveLength(1);
		await traces.close();
	});

	/** Another process, which begins so. */
	const other = (...statements: readonly string[]): DatabaseSync => {
		const database = new DatabaseSync(path);
		for (const statement of statements) database.exec(statement);
		return database;
	};

	test("what comes of an erased run afterwards is not kept", async () => {
		const traces = sqliteTraces(path, { now });
		const [root, child] = trace("a", 1);
		if (!root || !child) throw new Error("A trace has two spans");
		put(traces, trace("b", 1));
		traces.flush();
		traces.began?.(root);
		traces.ended(child);
		await traces.forget?.("a");
		traces.ended(root);
		expect(await traces.read("a")).toEqual([]);
		expect(await traces.read("b")).toHaveLength(1);
		await traces.close();
	});

	test.each([
		["writes", "BEGIN IMMEDIATE"],
		["reads", "BEGIN; SELECT count(*) FROM trace"],
	])("erasing waits for another process that %s", async (_, statement) => {
		const traces = sqliteTraces(path, { now });
		put(traces, trace("a", 1, { text: "nobody may find" }));
		traces.flush();
		const reader = other(statement);
		const forgotten = traces.forget?.("a");
		reader.exec("COMMIT");
		reader.close();
		await forgotten;
		expect(["", "-wal"].map((end) => readFileSync(`${path}${end}`, "latin1")).join("")).not.toContain(
			"nobody may find",
		);
		await traces.close();
	});

	test("erasing that cannot be done says so", async () => {
		vi.useFakeTimers();
		try {
			const traces = sqliteTraces(path, { now });
			put(traces, trace("a", 1));
			traces.flush();
			const writer = other("BEGIN IMMEDIATE");
			const forgotten = Promise.resolve(traces.forget?.("a")).catch((error: unknown) => error);
			await vi.advanceTimersByTimeAsync(60_000);
			expect(await forgotten).toMatchObject({ code: "store.failed", hint: expect.stringContaining("Another process") });
			writer.close();
			await traces.forget?.("a");
			expect(await traces.read("a")).toEqual([]);
			await traces.close();
		} finally {
			vi.useRealTimers();
		}
	});

	test("what was swept away is in no free page either", async () => {
		const traces = sqliteTraces(path, { tracesMax: 1, now });
		put(traces, trace("a", 1, { text: "nobody may find ".repeat(5_000) }));
		await traces.close();
		const again = sqliteTraces(path, { tracesMax: 1, now });
		put(again, trace("b", 1, { at: 9 }));
		await again.close();
		expect(readFileSync(path, "latin1")).not.toContain("nobody may find");
	});

	test("the end waits for another process that writes", async () => {
		const traces = sqliteTraces(path, { now });
		put(traces, trace("a", 1));
		traces.flush();
		const writer = other("BEGIN IMMEDIATE");
		put(traces, trace("a", 2));
		const closed = traces.close();
		writer.exec("COMMIT");
		writer.close();
		await closed;
		const reader = sqliteTraces(path, { readOnly: true });
		expect(await reader.read("a")).toHaveLength(2);
		await reader.close();
	});

	test("what the end cannot write is counted", async () => {
		vi.useFakeTimers();
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		try {
			const traces = sqliteTraces(path, { now });
			put(traces, trace("a", 1));
			traces.flush();
			const writer = other("BEGIN IMMEDIATE");
			put(traces, trace("a", 2));
			const closed = traces.close();
			await vi.advanceTimersByTimeAsync(60_000);
			await closed;
			expect(warned.mock.calls.map(([said]) => String(said))).toEqual([
				expect.stringContaining("last 2 spans are lost"),
			]);
			writer.close();
		} finally {
			warned.mockRestore();
			vi.useRealTimers();
		}
	});

	test("a trace of which something was dropped has no root", async () => {
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		const traces = sqliteTraces(path, { now });
		const [root, child] = trace("a", 1);
		if (!root || !child) throw new Error("A trace has two spans");
		put(traces, trace("b", 1));
		traces.flush();
		traces.began?.(root);
		const writer = other("BEGIN IMMEDIATE");
		for (let count = 0; count <= 20_000; count++) traces.ended(child);
		writer.close();
		traces.flush();
		traces.ended(root);
		warned.mockRestore();
		expect((await traces.read("a")).flatMap(({ spans }) => spans).filter((one) => !one.parentSpanId)).toEqual([]);
		await traces.close();
	});

	test.each([
		[
			"swept away",
			async (traces: Traces) => {
				for (let batch = 0; batch < 20; batch++) {
					put(traces, trace("b", batch, { at: 1_000 + batch }));
					traces.flush();
				}
			},
		],
		[
			"erased by another process",
			async () => {
				const other = sqliteTraces(path, { now });
				await other.forget?.("a");
				await other.close();
			},
		],
	])("a trace that was %s while it went on does not come back", async (_, drop) => {
		const traces = sqliteTraces(path, { now, tracesMax: 1 });
		const [root, child] = trace("a", 1) as [Span, Span];
		traces.began?.(root);
		traces.ended(child);
		traces.flush();
		expect(await traces.read("a")).toHaveLength(1);
		await drop(traces);
		expect(await traces.read("a")).toEqual([]);
		traces.ended({ ...child, spanId: "d".repeat(16) });
		traces.ended(root);
		expect(await traces.read("a")).toEqual([]);
		await traces.close();
	});

	const whole = '{"id":"r","name":"x","start":1,"end":2,"attributes":{}}';
	test.each([
		"null",
		"{}",
		"[null]",
		"[1]",
		"[{}]",
		"[",
		'[{"id":"r"}]',
		'[{"id":"r","name":"x","start":"a","end":2,"attributes":{}}]',
		'[{"id":"r","name":"x","start":1e999,"end":2,"attributes":{}}]',
		'[{"id":"r","name":"x","start":1,"end":2,"attributes":null}]',
		'[{"id":"r","name":"x","start":1,"end":2,"attributes":{"a":null}}]',
		'[{"id":"r","name":5,"start":1,"end":2,"attributes":{}}]',
		`[${whole.replace("}}", '},"events":[{}]}')}]`,
		`[${whole.replace("}}", '},"links":[null]}')}]`,
		`[${whole.replace("}}", '},"status":{"code":"fine"}}')}]`,
		`[${whole.replace("}}", '},"kind":"server"}')}]`,
	])("what lies there and is no span is damage: %s", async (spans) => {
		const traces = sqliteTraces(path, { now });
		put(traces, trace("a", 1));
		await traces.close();
		const database = new DatabaseSync(path);
		database.prepare("UPDATE part SET spans = ?").run(`[${whole}]`);
		const reader = sqliteTraces(path, { readOnly: true });
		expect(await reader.read("a")).toHaveLength(1);
		database.prepare("UPDATE part SET spans = ?").run(spans);
		database.close();
		await expect(reader.read("a")).rejects.toMatchObject({ code: "store.damaged" });
		await reader.close();
	});

	test.each([
		{ daysMax: Number.NaN },
		{ daysMax: -1 },
		{ daysMax: Number.POSITIVE_INFINITY },
		{ tracesMax: 0 },
		{ tracesMax: 1.5 },
		{ bytesMax: Number.NaN },
	])("bounds that are none are refused: %j", (options) => {
		expect(() => sqliteTraces(path, options)).toThrow(expect.objectContaining({ code: "config.invalid" }));
	});

	test("why it cannot be used is said", async () => {
		writeFileSync(join(folder, "file"), "");
		const other = sqliteTraces(join(folder, "file", "runs.traces"), { now });
		put(other, trace("a", 1));
		expect(() => other.flush()).toThrow(/cannot be used: (ENOTDIR|EEXIST)/);
		await other.close().catch(() => undefined);
	});

	test("telling it a span never throws", async () => {
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		const file = join(folder, "other");
		writeFileSync(file, "x".repeat(5_000));
		const traces = sqliteTraces(file);
		const [root, child] = trace("a", 1);
		if (!root || !child) throw new Error("A trace has two spans");
		traces.began?.(root);
		for (let count = 0; count < 5_000; count++) traces.ended(child);
		expect(warned).toHaveBeenCalledTimes(1);
		warned.mockRestore();
		await traces.close().catch(() => undefined);
	});

	test("waits for another process that writes, without holding anybody up", async () => {
		const traces = sqliteTraces(path, { now });
		put(traces, trace("a", 1));
		traces.flush();
		const other = new DatabaseSync(path);
		other.exec("BEGIN IMMEDIATE");
		put(traces, trace("a", 2));
		traces.flush();
		const late = sqliteTraces(path, { now });
		put(late, trace("a", 3));
		late.flush();
		expect(other.prepare("SELECT count(*) AS n FROM trace").get()).toEqual({ n: 1 });
		other.exec("COMMIT");
		other.close();
		await late.close();
		expect(await traces.read("a")).toHaveLength(3);
		await traces.close();
	});

	test("what cannot be written is dropped, and said once", async () => {
		const warnings: string[] = [];
		const spy = vi.spyOn(process, "emitWarning").mockImplementation((warning) => void warnings.push(String(warning)));
		const traces = sqliteTraces(path, { now });
		const [root, child] = trace("a", 1);
		if (!root || !child) throw new Error("A trace has two spans");
		put(traces, [root]);
		traces.flush();
		const other = new DatabaseSync(path);
		other.exec("BEGIN IMMEDIATE");
		for (let count = 0; count < 20_010; count++) traces.ended(child);
		other.close();
		await traces.close();
		spy.mockRestore();
		expect(warnings).toEqual([expect.stringContaining("traces are incomplete")]);
	});

	test.each([
		["no database", (file: string) => writeFileSync(file, "x".repeat(5_000)), "store.damaged"],
		["another program's", (file: string) => new DatabaseSync(file).exec("CREATE TABLE t (a)"), "store.damaged"],
	])("a file that is %s is left as it is", async (_, make, code) => {
		const file = join(folder, "other");
		make(file);
		const bytes = readFileSync(file);
		const traces = sqliteTraces(file);
		put(traces, trace("a", 1));
		await expect(traces.close()).rejects.toSatisfy((error) => isHoldpointError(error) && error.code === code);
		expect(readFileSync(file).equals(bytes)).toBe(true);
	});

	test("processes that all begin with no file share the one that one of them makes", async () => {
		const code = `
			const { sqliteTraces } = await import(${JSON.stringify(new URL("./sqlite.ts", import.meta.url).href)});
			const traces = sqliteTraces(process.argv[1], { now: () => 0 });
			const [root, child] = JSON.parse(process.argv[2]);
			console.log("here");
			process.stdin.once("data", async () => {
				traces.began(root);
				traces.ended(child);
				traces.ended(root);
				await traces.close();
				process.exit();
			});`;
		const children = [1, 2, 3, 4].map((epoch) =>
			spawn(process.execPath, ["--input-type=module", "-e", code, path, JSON.stringify(trace("a", epoch))], {
				stdio: ["pipe", "pipe", "inherit"],
			}),
		);
		await Promise.all(children.map(({ stdout }) => once(stdout, "data")));
		const over = children.map((child) => once(child, "exit"));
		for (const { stdin } of children) stdin.write("go");
		await Promise.all(over);
		const traces = sqliteTraces(path, { readOnly: true });
		expect((await traces.read("a")).map(({ epoch, spans }) => [epoch, spans.length])).toEqual([
			[1, 2],
			[2, 2],
			[3, 2],
			[4, 2],
		]);
		await traces.close();
	});

	test("a process that is killed leaves a whole file, with what it had written", async () => {
		const code = `
			const { sqliteTraces } = await import(${JSON.stringify(new URL("./sqlite.ts", import.meta.url).href)});
			const traces = sqliteTraces(process.argv[1], { now: () => 0 });
			for (let epoch = 1; ; epoch++) {
				for (const text of process.argv[2].replaceAll("EPOCH", epoch).split("\\n")) {
					const span = JSON.parse(text);
					if (span.parentSpanId === undefined) traces.began(span);
					traces.ended(span);
				}
				if (epoch % 20 === 0) traces.flush();
				if (epoch === 2_000) console.log("many");
			}`;
		const spans = trace("a", 1).map((span) =>
			JSON.stringify(span).replaceAll(":1}", ":EPOCH}").replace("a1", "aEPOCH"),
		);
		const text = spans.map((span) => span.replace(/"traceId":"0*aEPOCH"/, '"traceId":"EPOCH"')).join("\n");
		const child = spawn(process.execPath, ["--input-type=module", "-e", code, path, text], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		await once(child.stdout, "data");
		child.kill("SIGKILL");
		await once(child, "exit");
		const database = new DatabaseSync(path);
		expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
		database.close();
		const traces = sqliteTraces(path, { readOnly: true });
		expect((await traces.read("a")).length).toBeGreaterThan(1_000);
		await traces.close();
	});

	test("importing it loads no SQLite", () => {
		const code = `await import(${JSON.stringify(new URL("./sqlite.ts", import.meta.url).href)});
			console.log(process.moduleLoadList.includes("NativeModule sqlite"));`;
		const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
		expect(stdout).toBe("false\n");
	});
});
