import { memoryStore } from "../adapters/stores/memory.ts";
import type { Store } from "../spec/store.ts";

/** Before the intent of the next effect is written, somebody else does something in the same store, once. */
export function storeWithSomebodyElse() {
	const inner = memoryStore();
	const others: (() => unknown)[] = [];
	const store: Store = {
		...inner,
		commit: async (run, epoch, writes) => {
			if (writes.some((write) => write.kind === "entry" && write.body.includes("call.started"))) await others.pop()?.();
			return inner.commit(run, epoch, writes);
		},
	};
	return { inner, store, meanwhile: (does: () => unknown) => void others.push(does) };
}
