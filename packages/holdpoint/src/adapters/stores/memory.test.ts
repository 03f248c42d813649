import { describe, test } from "vitest";
import { storeContract } from "../../testing/store-contract.ts";
import { memoryStore } from "./memory.ts";

describe("memory store", () => {
	for (const { name, run } of storeContract) {
		test(name, () =>
			run(async () => {
				const store = memoryStore();
				return { store, close: () => store.close() };
			}),
		);
	}
});
