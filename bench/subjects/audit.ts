/** The audit log: leaves made and appended, beside the bare loop that shows what this disk can do, and an export verified. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createHarness, defineAgent, defineTool, memoryStore, type Store, sqliteStore } from "holdpoint";
import { verifyExport } from "holdpoint/verify";
import { z } from "zod";
import { runLeaves } from "../../packages/holdpoint/src/audit/leaf.ts";
import { promptModel } from "../script-model.ts";
import type { Numbers } from "../statistics.ts";
import { type Ask, serveRows } from "../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../work.ts";

const folder = process.argv[2] ?? ".";
const perCommit = 1_000;

interface Log {
	readonly store: Store;
	/** Writes so many leaves in one commit. */
	append(leaves: number): Promise<void>;
}

async function openLog(name: string): Promise<Log> {
	const store = sqliteStore(join(folder, `${name}.db`));
	const head = { seq: 0, status: "running", agent: "bench", session: undefined, dueAt: undefined } as const;
	await store.commit("r", 0, [{ kind: "head", head: { ...head, updatedAt: 1, mac: "m" } }]);
	const leaves = runLeaves("r", () => "");
	const event = {
		type: "call.decided",
		call: "c1",
		verdict: "allow",
		policy: "p1",
		digest: "2wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs",
		args: { id: 7, note: "x".repeat(200) },
	} as const;
	const madeBy = () => ({ tool: "lookup" });
	return {
		store,
		async append(count) {
			const events = Array.from({ length: count }, () => ({ at: 1_893_456_000_000, event }));
			await store.commit("r", 1, leaves.leaves(1, events, madeBy));
		},
	};
}

const logs = new Map<string, Promise<Log>>();

function append(name: string, leaves: number) {
	return async ({ slice }: Ask): Promise<Numbers> => {
		const opened = logs.get(name) ?? openLog(name);
		logs.set(name, opened);
		const log = await opened;
		const began = performance.now();
		let done = 0;
		do {
			await log.append(leaves);
			done += leaves;
		} while (performance.now() - began < slice.ms);
		return { perSecond: done / ((performance.now() - began) / 1_000) };
	};
}

const row = "x".repeat(400);
let bare: DatabaseSync | undefined;

/** One row a commit and nothing else, for the span of the ask. */
async function rows({ slice }: Ask): Promise<Numbers> {
	if (!bare) {
		bare = new DatabaseSync(join(folder, "bare.db"));
		bare.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (body TEXT NOT NULL)");
	}
	const insert = bare.prepare("INSERT INTO t VALUES (?)");
	const began = performance.now();
	let commits = 0;
	do {
		insert.run(row);
		commits++;
	} while (performance.now() - began < slice.ms);
	return { perSecond: commits / ((performance.now() - began) / 1_000) };
}

interface Export {
	readonly key: string;
	readonly chunks: readonly string[];
}

const callsPerRun = 20;
const chunkChars = 65_536;
const exports = new Map<boolean, Promise<Export>>();

/** Of real runs, in pieces as a file would give them. */
async function madeExport(leaves: number, payloads: boolean): Promise<Export> {
	const tool = defineTool({
		name: "lookup",
		description: toolDescription,
		input: z.object({ id: z.number() }),
		effect: "read",
		execute: lookup,
	});
	const limits = { turnsMax: callsPerRun + 2 };
	const model = promptModel(callsPerRun);
	const agent = defineAgent({ name: "bench", instructions, model, tools: [tool], limits });
	const store = memoryStore();
	const harness = createHarness({ store, audit: { name: "bench" } });
	while ((await store.audit.head()).size < leaves) {
		const result = await harness.run(agent, prompt);
		check(result.status === "completed", result.status);
	}
	let text = "";
	for await (const line of harness.audit.export({ payloads })) text += `${line}\n`;
	const chunks = Array.from({ length: Math.ceil(text.length / chunkChars) }, (_, at) =>
		text.slice(at * chunkChars, (at + 1) * chunkChars),
	);
	const key = await harness.audit.key();
	await harness.close();
	return { key, chunks };
}

function verify(payloads: boolean) {
	return async ({ args: { leaves = 20_000 }, slice }: Ask): Promise<Numbers> => {
		const made = exports.get(payloads) ?? madeExport(leaves, payloads);
		exports.set(payloads, made);
		const { key, chunks } = await made;
		const began = performance.now();
		let done = 0;
		do {
			const report = await verifyExport(chunks, { key });
			check(report.ok, JSON.stringify(report.findings[0]));
			done += report.leaves;
		} while (performance.now() - began < slice.ms);
		return { perSecond: done / ((performance.now() - began) / 1_000) };
	};
}

await serveRows({
	rows,
	append: append("single", 1),
	batch: append("batch", perCommit),
	verify: verify(false),
	payloads: verify(true),
});
