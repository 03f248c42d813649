import * as door from "../../../kit/check-commit.ts";
import type { AuditLog, KeptCheckpoint, StoredLeaf } from "../../../spec/audit.ts";
import type { Write } from "../../../spec/store.ts";

/** The one log of all runs. */
export interface MemoryLog {
	readonly leaves: (StoredLeaf & { readonly run: string })[];
	readonly checkpoints: KeptCheckpoint[];
}

export function emptyLog(): MemoryLog {
	return { leaves: [], checkpoints: [] };
}

export function auditOf(log: MemoryLog, assertOpen: () => void): AuditLog {
	return {
		async head() {
			assertOpen();
			return { size: log.leaves.length, checkpoint: log.checkpoints.at(-1) };
		},
		async leaves(query) {
			assertOpen();
			const { from, limit } = door.checkLeafQuery(query);
			const { run } = query;
			const all = run === undefined ? log.leaves.slice(from, from + limit) : log.leaves.slice(from);
			const found = run === undefined ? all : all.filter((leaf) => leaf.run === run).slice(0, limit);
			return found.map(({ index, body, salt }) => ({ index, body, salt }));
		},
		async keep({ size, note, frontier }) {
			assertOpen();
			door.checkCheckpoint({ size, note, frontier });
			if (log.checkpoints.some((one) => one.size === size)) return;
			log.checkpoints.push({ size, note, frontier });
			log.checkpoints.sort((a, b) => a.size - b.size);
		},
		async checkpoints(query) {
			assertOpen();
			const { from, limit } = door.checkLeafQuery(query);
			return log.checkpoints.filter(({ size }) => size >= from).slice(0, limit);
		},
	};
}

/** Other writes are none of its business. */
export function addLeaf(log: MemoryLog, run: string, write: Write): void {
	if (write.kind !== "audit") return;
	log.leaves.push({ index: log.leaves.length, run, body: write.body, salt: write.salt });
}

export function dropSalts({ leaves }: MemoryLog, run: string): void {
	leaves.forEach((leaf, at) => {
		if (leaf.run === run) leaves[at] = { ...leaf, salt: undefined };
	});
}
