import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import { createHarness } from "../holdpoint.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { RunHead, Store } from "../spec/store.ts";
import { loadAuditKey } from "./audit-key.ts";
import { Auditor } from "./auditor.ts";
import { openAuditor } from "./open-auditor.ts";
import { parseCheckpoint, signerOf } from "./verifier/note.ts";
import { verifyExport } from "./verifier/verify.ts";

const signer = signerOf("log", new Uint8Array(32).fill(1));
const head: RunHead = {
	seq: 0,
	status: "running",
	agent: "a",
	session: undefined,
	dueAt: undefined,
	updatedAt: 1,
	mac: "m",
};

/** Leaves that say nothing, for what only counts them. */
async function filled(leaves: number, store: Store = memoryStore()): Promise<Store> {
	const body = (n: number) =>
		JSON.stringify({ v: 1, run: "r", n, at: 1, event: { type: n === 1 ? "run.started" : "timer.fired" } });
	await store.commit("r", 0, [{ kind: "head", head }]);
	await add(
		store,
		Array.from({ length: leaves }, (_, at) => body(at + 1)),
	);
	return store;
}

async function add(store: Store, bodies: readonly string[]): Promise<void> {
	await store.commit(
		"r",
		1,
		bodies.map((body) => ({ kind: "audit", body })),
	);
}

function auditorOf(store: Store, over: Partial<ConstructorParameters<typeof Auditor>[0]> = {}): Auditor {
	const parts = { log: store.audit, signer: () => signer, everyLeaves: 10, everyMs: 1_000, onCheckpoint: undefined };
	return new Auditor({ ...parts, ...over });
}

const sizeOf = (note: string): number => {
	const checkpoint = parseCheckpoint(note.slice(0, note.lastIndexOf("\n\n") + 1));
	return "size" in checkpoint ? checkpoint.size : -1;
};

async function linesOf(auditor: Auditor): Promise<string[]> {
	const lines: string[] = [];
	for await (const line of auditor.exportLines()) lines.push(`${line}\n`);
	return lines;
}

describe("checkpoints", () => {
	test("are signed though whoever is told of them never ends", async () => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
		const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		try {
			const store = await filled(1);
			const auditor = auditorOf(store, { everyLeaves: 1, onCheckpoint: () => new Promise(() => undefined) });
			auditor.wrote(1);
			const closed = auditor.close();
			while (vi.getTimerCount() === 0) await new Promise(setImmediate);
			await vi.advanceTimersByTimeAsync(fixedLimits.onCheckpointMs);
			await closed;
			expect((await store.audit.checkpoints({})).map(({ size }) => size)).toEqual([1]);
			expect(String(warn.mock.lastCall?.[0])).toContain("onCheckpoint failed");
		} finally {
			vi.useRealTimers();
			warn.mockRestore();
		}
	});

	test("are kept with their frontier; another process goes on from there, reading only what came since", async () => {
		const store = await filled(2_500);
		expect(sizeOf(await auditorOf(store).checkpoint())).toBe(2_500);
		await add(store, ["{}", "{}"]);
		const leaves = vi.fn(store.audit.leaves);
		const next = auditorOf({ ...store, audit: { ...store.audit, leaves } });
		expect(sizeOf(await next.checkpoint())).toBe(2_502);
		expect(leaves.mock.calls).toEqual([[{ from: 2_500, limit: 2 }]]);
		expect((await store.audit.checkpoints({})).map(({ size }) => size)).toEqual([2_500, 2_502]);
	});

	test("are made once where nothing came, and one after the other where many ask", async () => {
		const store = await filled(5);
		const auditor = auditorOf(store);
		const [one, two] = await Promise.all([auditor.checkpoint(), auditor.checkpoint()]);
		expect(one).toBe(two);
		expect(await store.audit.checkpoints({})).toHaveLength(1);
	});

	test("come by themselves after so many leaves, and after so long", async () => {
		vi.useFakeTimers();
		try {
			const store = await filled(12);
			const told = Promise.withResolvers<string>();
			const auditor = auditorOf(store, { onCheckpoint: told.resolve });
			auditor.wrote(9);
			expect((await store.audit.head()).checkpoint).toBeUndefined();
			auditor.wrote(3);
			expect(sizeOf(await told.promise)).toBe(12);
			const later = Promise.withResolvers<string>();
			const slow = auditorOf(store, { onCheckpoint: later.resolve });
			await add(store, ["{}"]);
			slow.wrote(1);
			await vi.advanceTimersByTimeAsync(999);
			expect((await store.audit.head()).checkpoint?.size).toBe(12);
			await vi.advanceTimersByTimeAsync(1);
			expect(sizeOf(await later.promise)).toBe(13);
		} finally {
			vi.useRealTimers();
		}
	});

	test("that cannot be made or told fail nobody, and are made when it is closed", async () => {
		const warned: string[] = [];
		const listen = (warning: Error) => void warned.push(warning.message);
		process.on("warning", listen);
		const store = await filled(20);
		let isDown = true;
		const keep: Store["audit"]["keep"] = async (checkpoint) => {
			if (isDown) throw new Error("disk full");
			return store.audit.keep(checkpoint);
		};
		const auditor = auditorOf(
			{ ...store, audit: { ...store.audit, keep } },
			{
				onCheckpoint: () => {
					throw new Error("nobody there");
				},
			},
		);
		auditor.wrote(10);
		await vi.waitFor(() => expect(warned).toEqual([expect.stringContaining("disk full")]));
		isDown = false;
		auditor.wrote(1);
		await auditor.close();
		await vi.waitFor(() => expect(warned.at(-1)).toContain("nobody there"));
		process.off("warning", listen);
		expect((await store.audit.head()).checkpoint?.size).toBe(20);
	});

	test("are not signed over a log that has less than was signed", async () => {
		const store = await filled(20);
		const auditor = auditorOf(store);
		await auditor.checkpoint();
		const older = await filled(15);
		const rolled = auditorOf({
			...older,
			audit: { ...older.audit, head: async () => ({ ...(await store.audit.head()), size: 15 }) },
		});
		await expect(rolled.checkpoint()).rejects.toMatchObject({ code: "audit.rolled_back" });
	});

	test("are not signed over a log from which a row is gone", async () => {
		const store = await filled(20);
		const leaves: Store["audit"]["leaves"] = async (query) =>
			(await store.audit.leaves(query)).filter(({ index }) => index !== 7);
		const auditor = auditorOf({ ...store, audit: { ...store.audit, leaves } });
		await expect(auditor.checkpoint()).rejects.toMatchObject({ code: "audit.rolled_back" });
		expect((await store.audit.head()).checkpoint).toBeUndefined();
	});

	test("do not go on from a frontier that somebody changed: the tree is made anew", async () => {
		const store = await filled(20);
		await auditorOf(store).checkpoint();
		const checkpoint = (await store.audit.head()).checkpoint;
		const head: Store["audit"]["head"] = async () => ({
			size: 20,
			checkpoint: checkpoint && { ...checkpoint, frontier: JSON.stringify([randomBytes(32).toString("base64")]) },
		});
		const auditor = auditorOf({ ...store, audit: { ...store.audit, head } });
		expect(await auditor.checkpoint()).toBe(checkpoint?.note);
	});

	test("of a key that was changed on purpose are over the whole log, and its exports hold no other", async () => {
		const store = await filled(20);
		await auditorOf(store).checkpoint();
		await add(store, [JSON.stringify({ v: 1, run: "r", n: 21, at: 1, event: { type: "timer.fired" } })]);
		const other = signerOf("log", new Uint8Array(32).fill(2));
		const lines = await linesOf(auditorOf(store, { signer: () => other }));
		expect(await verifyExport(lines, { key: other.text })).toMatchObject({ ok: true, leaves: 21, checkpoints: 1 });
		expect((await verifyExport(lines, { key: signer.text })).findings[0]).toMatchObject({ kind: "wrong_key" });
	});
});

describe("the key", () => {
	let folder: string;
	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "holdpoint-audit-key-"));
	});
	afterEach(() => rmSync(folder, { recursive: true, force: true }));

	test("is made once, mode 0600, and is the same from then on", () => {
		const source = { env: {}, file: join(folder, "sub", "audit-key"), name: "log", isMade: true };
		const made = loadAuditKey(source);
		expect(statSync(source.file).mode & 0o777).toBe(0o600);
		expect(loadAuditKey({ ...source, isMade: false }).text).toBe(made.text);
	});

	test.each([
		["others may read it", { mode: 0o644 }, "chmod 600"],
		["it is damaged", { text: "PRIVATE+KEY+log+00000000+AAAA" }, "backup"],
	])("is refused where %s", (_, { mode = 0o600, text = signer.secretText }: { mode?: number; text?: string }, hint) => {
		const file = join(folder, "audit-key");
		writeFileSync(file, text, { mode });
		const load = () => loadAuditKey({ env: {}, file, name: "log", isMade: true });
		expect(load).toThrow(expect.objectContaining({ code: "key.invalid", hint: expect.stringContaining(hint) }));
	});

	test("of the environment goes before the file, and a wrong one is never passed over nor shown", () => {
		const source = { file: join(folder, "audit-key"), name: "x", isMade: false };
		expect(loadAuditKey({ ...source, env: { HOLDPOINT_AUDIT_KEY: signer.secretText } }).text).toBe(signer.text);
		const wrong = signer.secretText.replace("log", "lag");
		try {
			loadAuditKey({ ...source, env: { HOLDPOINT_AUDIT_KEY: wrong } });
			expect.unreachable();
		} catch (error) {
			expect(error).toMatchObject({ code: "key.invalid" });
			expect(JSON.stringify(error)).not.toContain(wrong.slice(-20));
		}
	});

	test.each(["", "two words", "a+b", "x".repeat(201)])("with the name %j is none", async (name) => {
		const store = await filled(1);
		const auditor = await openAuditor(store, { name });
		expect(() => auditor.key).toThrow(expect.objectContaining({ code: "config.invalid" }));
	});
});

test.each([{ everyLeaves: 0 }, { everyLeaves: 1.5 }, { everyMs: -1 }, { everyMs: Number.NaN }])(
	"options that are none: %j",
	async (audit) => {
		const harness = createHarness({ audit });
		await expect(harness.audit.key()).rejects.toMatchObject({ code: "config.invalid" });
	},
);
