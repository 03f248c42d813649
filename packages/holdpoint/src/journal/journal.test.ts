import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyRing, type SealKey } from "../kit/seal.ts";
import { type HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { journalVersion, type RunEvent, type RunStarted } from "../spec/events.ts";
import type { Signal } from "../spec/signals.ts";
import type { StoredEntry, StoredRun } from "../spec/store.ts";
import { type Entry, firstMac, runSeal, timeOf, timesOf, writesFor } from "./journal.ts";

const oldKey: SealKey = { id: "old", secret: new Uint8Array(32).fill(1) };
const newKey: SealKey = { id: "new", secret: new Uint8Array(32).fill(2) };
const ring = keyRing([oldKey]);

const started: RunStarted = {
	type: "run.started",
	v: journalVersion,
	lib: "0.1.0",
	agent: { name: "tester", digest: "d" },
	tools: {},
	principal: "ann",
	input: "go",
};
const entries: readonly Entry[] = [
	{ seq: 1, at: 100, events: [started] },
	{ seq: 2, at: 200, events: [{ type: "call.started", call: "c1", attempt: 1 }] },
	{ seq: 3, at: 300, events: [{ type: "call.finished", call: "c1", outcome: { ok: "done" } }] },
	{ seq: 4, at: 400, events: [{ type: "run.finished", status: "completed", output: "done" }] },
];

interface Where {
	readonly keys?: readonly SealKey[];
	readonly store?: string;
	readonly run?: string;
	readonly entries?: readonly Entry[];
}

/** A run as a store would give it back. */
function stored(where: Where = {}): StoredRun {
	const { keys = [oldKey], store = "store-1", run = "run-1" } = where;
	const seal = runSeal(keyRing(keys), store, run);
	let mac = firstMac;
	const sealed = (where.entries ?? entries).map((entry): StoredEntry => {
		const written = seal.entry(mac, entry);
		mac = written.mac;
		return { seq: entry.seq, ...written };
	});
	const head = seal.head(mac, {
		seq: sealed.length,
		updatedAt: 400,
		status: "completed",
		agent: "tester",
		session: "s",
		dueAt: 7,
	});
	return { run, epoch: 1, head, entries: sealed, signals: [], lease: undefined };
}

function open(run: StoredRun, keys: readonly SealKey[] = [oldKey]) {
	return runSeal(keyRing(keys), "store-1", "run-1").open(run);
}

function failureOf(act: () => unknown): HoldpointError {
	try {
		act();
	} catch (error) {
		if (isHoldpointError(error)) return error;
		throw error;
	}
	throw new Error("It was accepted");
}

const whole = stored();
const at = (index: number): StoredEntry => whole.entries[index] as StoredEntry;
const without = (index: number): StoredEntry[] => whole.entries.filter((_, i) => i !== index);

describe("a journal", () => {
	test("is opened as it was written", () => {
		const opened = open(whole);
		expect(opened.entries).toEqual(entries);
		expect(opened.lastMac).toBe(at(3).mac);
	});

	const foreignRun = stored({ run: "run-2" });
	const foreignStore = stored({ store: "store-2" });
	const changed = { ...at(2), body: at(2).body.replace("done", "gone") };
	const swapped = { ...at(1), body: at(2).body, mac: at(2).mac };
	const renumbered = without(1).map((entry, i) => ({ ...entry, seq: i + 1 }));
	const shorter = stored({ entries: entries.slice(0, 2) });
	test.each<[string, StoredRun]>([
		["a changed entry", { ...whole, entries: [at(0), at(1), changed, at(3)] }],
		[
			"a changed time of an entry",
			{ ...whole, entries: [{ ...at(0), body: at(0).body.replace("100", "101") }, ...without(0)] },
		],
		["a dropped entry", { ...whole, entries: without(1) }],
		["a dropped entry, the others renumbered", { ...whole, entries: renumbered }],
		["a dropped first entry", { ...whole, entries: without(0) }],
		["reordered entries", { ...whole, entries: [at(0), at(2), at(1), at(3)] }],
		[
			"reordered entries, renumbered",
			{ ...whole, entries: [at(0), { ...at(2), seq: 2 }, { ...at(1), seq: 3 }, at(3)] },
		],
		["the body of one entry in the place of another", { ...whole, entries: [at(0), swapped, at(2), at(3)] }],
		["a doubled entry", { ...whole, entries: [...whole.entries, { ...at(3), seq: 5 }] }],
		["one entry of another run", { ...whole, entries: [at(0), foreignRun.entries[1] as StoredEntry, at(2), at(3)] }],
		["the whole of another run", { ...foreignRun, run: "run-1" }],
		["the same run of another store", foreignStore],
		["a truncated tail", { ...whole, entries: whole.entries.slice(0, 3) }],
		[
			"a truncated tail with a head that says so",
			{ ...whole, head: { ...whole.head, seq: 3 }, entries: whole.entries.slice(0, 3) },
		],
		[
			"a truncated tail with the head of another run's same place",
			{
				...whole,
				head: stored({ run: "run-2", entries: entries.slice(0, 3) }).head,
				entries: whole.entries.slice(0, 3),
			},
		],
		["no entries at all", { ...whole, entries: [] }],
		["no entries and a head that says so", { ...whole, head: { ...whole.head, seq: 0 }, entries: [] }],
		["a head of before", { ...whole, head: shorter.head }],
		["another status", { ...whole, head: { ...whole.head, status: "waiting" } }],
		["another time to look at it", { ...whole, head: { ...whole.head, dueAt: 8 } }],
		["another time of its last change", { ...whole, head: { ...whole.head, updatedAt: 401 } }],
		["another agent", { ...whole, head: { ...whole.head, agent: "other" } }],
		["another session", { ...whole, head: { ...whole.head, session: undefined } }],
		["a head without its code", { ...whole, head: { ...whole.head, mac: "" } }],
		["an entry without its code", { ...whole, entries: [{ ...at(0), mac: "" }, ...without(0)] }],
		["an entry without a key", { ...whole, entries: [{ ...at(0), body: at(0).body.slice(4) }, ...without(0)] }],
	])("%s is noticed", (_, run) => {
		expect(failureOf(() => open(run)).code).toBe("journal.tampered");
	});

	test("any single changed character is noticed", () => {
		fc.assert(
			fc.property(
				fc.nat(3),
				fc.constantFrom("body" as const, "mac" as const),
				fc.nat(),
				fc.string({ minLength: 1, maxLength: 1 }),
				(index, field, place, character) => {
					const entry = at(index);
					const text = entry[field];
					const changedText = text.slice(0, place % text.length) + character + text.slice((place % text.length) + 1);
					fc.pre(changedText !== text);
					const list = whole.entries.map((one, i) => (i === index ? { ...one, [field]: changedText } : one));
					expect(failureOf(() => open({ ...whole, entries: list })).code).toMatch(/^journal\.(tampered|key_missing)$/);
				},
			),
		);
	});

	test("a rollback of entries and head together is not noticed here: that takes a checkpoint kept elsewhere", () => {
		expect(open(shorter).entries).toHaveLength(2);
	});

	test("a key that is not here is named, and nothing is taken for tampering", () => {
		const error = failureOf(() => open(stored({ keys: [newKey] })));
		expect(error.code).toBe("journal.key_missing");
		expect(error.message).toContain('"new"');
	});

	test("the right key under another name does not verify", () => {
		const error = failureOf(() => open(whole, [{ id: "old", secret: newKey.secret }]));
		expect(error.code).toBe("journal.tampered");
	});

	test("keys are rotated in the middle of a run: old entries verify, new ones are sealed with the new key", () => {
		const half = stored({ entries: entries.slice(0, 2) });
		const rotated = runSeal(keyRing([newKey, oldKey]), "store-1", "run-1");
		const third = rotated.entry(half.entries[1]?.mac ?? "", entries[2] as Entry);
		const head = rotated.head(third.mac, {
			seq: 3,
			updatedAt: 300,
			status: "running",
			agent: "tester",
			session: undefined,
			dueAt: undefined,
		});
		const run = { ...half, head, entries: [...half.entries, { seq: 3, ...third }] };
		expect(third.body.startsWith("new ")).toBe(true);
		expect(open(run, [newKey, oldKey]).entries).toEqual(entries.slice(0, 3));
		expect(failureOf(() => open(run, [newKey])).code).toBe("journal.key_missing");
	});

	test("a journal of a newer version is refused by its version, not misread", () => {
		const newer = { ...started, v: journalVersion + 1 };
		const error = failureOf(() => open(stored({ entries: [{ seq: 1, at: 1, events: [newer] }] })));
		expect(error.code).toBe("journal.newer");
		expect(error.details).toMatchObject({ version: journalVersion + 1, known: journalVersion });
	});

	test("an event of a kind that a newer library wrote is refused by name, not folded", () => {
		const event = { type: "budget.reserved", amount: 1 } as never;
		const error = failureOf(() => open(stored({ entries: [{ seq: 1, at: 1, events: [started, event] }] })));
		expect(error).toMatchObject({ code: "journal.newer", details: { event: "budget.reserved" } });
	});

	test("sealed bytes that are no JSON are damaged, not tampered with", () => {
		const body = "old {";
		const mac = ring.code("old", `entry\nstore-1\nrun-1\n1\n\n${body}`) ?? "";
		const head = runSeal(ring, "store-1", "run-1").head(mac, {
			seq: 1,
			updatedAt: 1,
			status: "running",
			agent: "a",
			session: undefined,
			dueAt: undefined,
		});
		expect(failureOf(() => open({ ...whole, head, entries: [{ seq: 1, body, mac }] })).code).toBe("journal.damaged");
	});
});

describe("a signal", () => {
	const seal = runSeal(ring, "store-1", "run-1");
	const signal: Signal = { kind: "cancel", by: "ann", at: 5 };
	const sealed = seal.signal("sig-1", signal);

	test("is opened as it was left", () => {
		expect(seal.openSignal(sealed)).toEqual({ id: "sig-1", signal });
	});

	test.each([
		["changed", { ...sealed, body: sealed.body.replace("ann", "bob") }],
		["under another id", { ...sealed, id: "sig-2" }],
		["for another run", runSeal(ring, "store-1", "run-2").signal("sig-1", signal)],
		["for another store", runSeal(ring, "store-2", "run-1").signal("sig-1", signal)],
		["not sealed", { ...sealed, mac: "" }],
		["without a key", { id: "sig-1", body: "{}", mac: sealed.mac }],
		["with something that is no key", { id: "sig-1", body: '{"kind": "cancel"}', mac: sealed.mac }],
		["empty", { id: "sig-1", body: "", mac: "" }],
	])("%s is worth nothing", (_, stored) => {
		expect(seal.openSignal(stored)).toEqual({ id: stored.id, signal: undefined });
	});

	test("sealed with a key that is not here cannot be judged, and is not called worthless", () => {
		const foreign = runSeal(keyRing([newKey]), "store-1", "run-1").signal("sig-1", signal);
		expect(seal.openSignal(foreign)).toEqual({ id: "sig-1", signal: undefined, foreignKey: "new" });
	});

	test("cannot pass for an entry, nor an entry for a signal", () => {
		const entry = at(0);
		expect(seal.openSignal({ id: "1", body: entry.body, mac: entry.mac }).signal).toBeUndefined();
	});
});

describe("index rows", () => {
	const writes = (...events: RunEvent[]) =>
		writesFor(events, 50, { toolOf: (call) => `tool of ${call}`, holdsOf: () => holds });
	const holds = [
		{ account: "sum", amount: 7 },
		{ account: "calls", amount: 1, evenIfFailed: true },
	] as const;
	const by = { id: "ann", via: "test" };
	const answered = {
		type: "approval.resolved",
		approval: "a",
		call: "c1",
		answer: "approve",
		by,
		at: 1,
		signal: "s",
	} as const;

	test.each([
		["was done", { ok: 1 }, [7, 1]],
		["failed", { failed: "no", code: "tool.threw" }, [0, 1]],
		["was not made", { cancelled: "stop" }, [0, 1]],
		["nobody knows of", { unknown: "lost" }, []],
	] as const)("what a call holds that %s", (_, outcome, spent) => {
		const settled = writes({ type: "call.finished", call: "c1", outcome });
		expect(settled.map((write) => write.kind === "settle" && write.amount)).toEqual(spent);
	});

	test("a settled call gives back or spends what it held, and the end of a run spends the rest", () => {
		expect(writes({ type: "call.settled", call: "c1", outcome: { ok: 1 }, by, signal: "s" })).toContainEqual({
			kind: "settle",
			account: "sum",
			holder: "c1",
			amount: 7,
		});
		expect(writes({ type: "run.finished", status: "completed" })).toEqual([{ kind: "settle.rest" }]);
	});

	test("a request adds the row of its approval", () => {
		expect(writes({ type: "approval.requested", approval: "a", call: "c1", expiresAt: 9 })).toEqual([
			{ kind: "approval", approval: "a", call: "c1", tool: "tool of c1", requestedAt: 50, expiresAt: 9 },
		]);
	});

	test("the last answer drops it, with its signal; an answer that leaves it open drops the signal alone", () => {
		expect(writes(answered)).toEqual([
			{ kind: "signal.drop", id: "s" },
			{ kind: "approval.drop", approval: "a" },
		]);
		expect(writes({ ...answered, open: true })).toEqual([{ kind: "signal.drop", id: "s" }]);
	});

	test("closing drops it", () => {
		expect(writes({ type: "approval.closed", approval: "a", call: "c1", why: "expired" })).toEqual([
			{ kind: "approval.drop", approval: "a" },
		]);
	});

	test("every event that read a signal drops it, whatever it made of it", () => {
		const read: RunEvent[] = [
			{ type: "message.received", text: "hi", signal: "s", mode: "turn" },
			{ type: "approval.refused", approval: "a", why: "no", signal: "s" },
			{ type: "call.settled", call: "c1", outcome: { ok: 1 }, by, signal: "s" },
			{ type: "cancel.requested", by: "ann", signal: "s" },
			{ type: "signal.ignored", signal: "s", why: "no" },
		];
		for (const event of read) expect(writes(event)[0]).toEqual({ kind: "signal.drop", id: "s" });
	});
});

describe("the times of events", () => {
	const written = (times: readonly number[], now: number) =>
		stored({ entries: [{ seq: 1, ...timesOf(times, now), events: times.map(() => started) }] });

	test("come back as they were, whatever the clock did", () => {
		const times = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 8 });
		fc.assert(
			fc.property(times, (happened) => {
				const [entry] = open(written(happened, 20)).entries;
				expect(happened.map((_, index) => timeOf(entry as Entry, index))).toEqual(happened);
			}),
		);
	});

	test("take no more room than they must, and none where all is said by the entry's own", () => {
		expect(timesOf([], 9)).toEqual({ at: 9 });
		expect(timesOf([7, 7, 7], 9)).toEqual({ at: 7 });
		expect(timesOf([5, 8, 6, 6, 6], 9)).toEqual({ at: 5, t: [3, 1] });
		expect(timesOf([5, 8, 5, 5], 9)).toEqual({ at: 5, t: [3, 0] });
		expect(written([7, 7], 9).entries[0]?.body).toMatch(/^old \{"at":7,"events":/);
	});

	test("of a journal that does not have them are those of its entries", () => {
		const old = open(stored({ entries: [{ seq: 1, at: 7, events: [started, started] }] })).entries;
		expect(old.flatMap((entry) => [timeOf(entry, 0), timeOf(entry, 1)])).toEqual([7, 7]);
	});
});
