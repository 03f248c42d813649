import { describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Store } from "../spec/store.ts";
import { gate, stageKeys } from "../testing/stage.ts";
import { keyRing } from "./seal.ts";
import { SealedDocument } from "./sealed-document.ts";

const ring = keyRing(stageKeys);
const form = { name: "count", what: "The count", empty: 0 };

/** Each reading of it is answered when the test says so. */
function slowReads(inner: Store) {
	const answers: (() => void)[] = [];
	const store: Store = {
		...inner,
		document: async (name, known) => {
			const found = await inner.document(name, known);
			const { promise, resolve } = gate();
			answers.push(resolve);
			await promise;
			return found;
		},
	};
	return { store, answers };
}

async function twoProcesses() {
	const inner = memoryStore();
	const storeId = await inner.id();
	const theirs = new SealedDocument({ store: inner, storeId, ring }, form);
	await theirs.change(() => 1);
	const { store, answers } = slowReads(inner);
	return { theirs, mine: new SealedDocument({ store, storeId, ring }, form), answers };
}

const turn = () => new Promise(setImmediate);

describe("a document that is read by several at once", () => {
	test("is as new as the newest that was read, in whatever order the answers come", async () => {
		const { theirs, mine, answers } = await twoProcesses();
		const first = mine.refresh();
		await turn();
		await theirs.change((count) => count + 1);
		const second = mine.refresh();
		await turn();
		answers[1]?.();
		expect(await second).toBe(2);
		answers[0]?.();
		expect(await first).toBe(2);
		expect(mine.value).toBe(2);
	});

	test("keeps every change of those that change it at once", async () => {
		const inner = memoryStore();
		const document = new SealedDocument({ store: inner, storeId: await inner.id(), ring }, form);
		await Promise.all(Array.from({ length: 20 }, () => document.change((count) => count + 1)));
		expect(await document.refresh()).toBe(20);
	});

	test("says so where an older one lies in its place", async () => {
		const inner = memoryStore();
		const place = { storeId: await inner.id(), ring };
		const old = memoryStore();
		const before = new SealedDocument({ store: inner, ...place }, form);
		await before.change(() => 1);
		let from: Store = inner;
		const store: Store = { ...inner, document: (name, known) => from.document(name, known) };
		const mine = new SealedDocument({ store, ...place }, form);
		expect(await mine.refresh()).toBe(1);
		from = old;
		await expect(mine.refresh()).rejects.toMatchObject({ code: "journal.tampered" });
	});
});
