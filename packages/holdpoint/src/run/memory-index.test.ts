import { createHash } from "node:crypto";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import { keyRing } from "../kit/seal.ts";
import { memoryRoom } from "../memory/memory-space.ts";
import type { MemoryEntry } from "../spec/memory.ts";
import { noRun } from "../spec/store.ts";
import { stageKeys } from "../testing/stage.ts";
import { spacesOf } from "./call-memory.ts";
import { memoryIndex } from "./memory-index.ts";

const who = { run: "r", tenant: undefined, principal: "ann", session: "s" };

const tokensMax = 400;

type Kept = Partial<MemoryEntry> & { readonly in?: "session" | "principal" };

async function scene(entries: readonly Kept[]) {
	const store = memoryStore();
	const ports = { store, storeId: await store.id(), ring: keyRing(stageKeys) };
	const spaces = spacesOf(ports, who);
	const writes = entries.map(({ in: where = "principal", ...over }, n) => {
		const entry = {
			name: `e${n}`,
			text: `text ${n}`,
			at: n,
			by: { person: "p" },
			principal: "ann",
			label: undefined,
			...over,
		};
		return spaces[where].write(entry, memoryRoom);
	});
	await store.commit(noRun, 0, writes);
	return ports;
}

describe("the index of memory", () => {
	test("has names and first lines of both spaces, the newest first", async () => {
		const ports = await scene([
			{ name: "old", text: "first line\nsecond", at: 1 },
			{ name: "todo", text: "\n  answer", at: 5, in: "session" },
			{ name: "new", text: `${"x".repeat(200)}`, at: 9 },
			{ name: "trick", text: "a\u202eb\u0007\u2028- forged: line", at: 3 },
		]);
		expect(await memoryIndex(ports, who, { tokensMax })).toEqual({
			text: `In memory, newest first:\n- new: ${"x".repeat(99)}…\n- todo (session): answer\n- trick: a\\u{202e}b\\u{7}\n- old: first line`,
			label: undefined,
		});
		expect((await memoryIndex(ports, who, { tokensMax, of: "session" }))?.text).toBe(
			"In memory, newest first:\n- todo (session): answer",
		);
		expect(await memoryIndex(ports, { ...who, principal: "bob", session: "t" }, { tokensMax })).toBeUndefined();
		expect(await memoryIndex(ports, { ...who, tenant: "t" }, { tokensMax })).toBeUndefined();
	});

	test("stays within its budget, says how many are left out, and is the same every time", async () => {
		const ports = await scene(Array.from({ length: 2_500 }, (_, n) => ({ name: `name ${n}` })));
		for (const max of [1, 10, 20, 40, 100, 400, 5_000]) {
			const index = await memoryIndex(ports, who, { tokensMax: max });
			expect(index?.text.length ?? 0).toBeLessThanOrEqual(4 * max);
			const lines = index?.text.split("\n") ?? [];
			const left = Number(/^- and (\d+) more$/.exec(lines.at(-1) ?? "")?.[1] ?? 0);
			if (index) expect(lines.length - 2 + left).toBe(2_500);
			expect(await memoryIndex(ports, who, { tokensMax: max })).toEqual(index);
		}
		expect(await memoryIndex(ports, who, { tokensMax: 1 })).toBeUndefined();
		expect((await memoryIndex(ports, who, { tokensMax: 30 }))?.text).toContain("name 2499");
	});

	const hex = (n: number) => createHash("sha256").update(String(n)).digest("hex");
	const uuid = (n: number) => hex(n).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, "$1-$2-$3-$4-$5");
	test.each([
		["hex ids", (n: number) => ({ name: hex(n).slice(0, 24), text: hex(n + 1_000) })],
		["UUIDs", (n: number) => ({ name: uuid(n), text: `${uuid(n + 1_000)} ${uuid(n + 2_000).toUpperCase()}` })],
		["digits", (n: number) => ({ name: `${n}`, text: `${n}.25, 7 8 9, 2026-11-24T10:15:30Z, ${n * 7_919}` })],
		["base64", (n: number) => ({ name: `k${n}`, text: Buffer.from(hex(n), "hex").toString("base64url") })],
		[
			"prose",
			(n: number) => ({ name: `customers/ann-${n}`, text: "Likes green tea, never coffee; was refunded twice." }),
		],
		[
			"Chinese",
			(n: number) => ({ name: `客户/${n}`, text: "喜欢绿茶从不喝咖啡希望星期二早上送货并且问过两次退款的事情" }),
		],
	])("of %s takes as many tokens as it may, and not many more or fewer", async (_what, entry) => {
		const ports = await scene(Array.from({ length: 200 }, (_, n) => entry(n)));
		const text = (await memoryIndex(ports, who, { tokensMax }))?.text ?? "";
		const share = encode(text).length / tokensMax;
		expect(share).toBeGreaterThan(0.6);
		expect(share).toBeLessThan(1.25);
	});

	test("carries the labels of what is in it, and of nothing else", async () => {
		const poisoned = { name: "bad", at: 1, label: { untrusted: "c9", readers: ["principal"] } };
		const ports = await scene([poisoned, { at: 2 }, { at: 3, label: { readers: ["hr", "principal"] } }]);
		expect((await memoryIndex(ports, who, { tokensMax }))?.label).toEqual({
			untrusted: "memory",
			readers: ["principal"],
		});
		const short = await memoryIndex(ports, who, { tokensMax: 23 });
		expect([short?.text.includes("bad"), short?.label]).toEqual([false, { readers: ["hr", "principal"] }]);
		// In a session of several people `principal` is the one for whom it was written.
		const shared = await scene([{ in: "session", label: { readers: ["principal", "hr"] } }]);
		expect((await memoryIndex(shared, { ...who, principal: "bob" }, { tokensMax }))?.label).toEqual({
			readers: ["hr"],
		});
	});
});
