/** Runs in SQLite with full synchronisation, beside the bare loop that shows what this disk can do. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createHarness, defineAgent, defineTool, type Store, sqliteStore } from "holdpoint";
import { z } from "zod";
import { promptModel } from "../script-model.ts";
import type { Numbers } from "../statistics.ts";
import { type Ask, serveRows } from "../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../work.ts";

const folder = process.argv[2] ?? ".";
const input = z.object({ id: z.number() });
let files = 0;

function newPath(): string {
	return join(folder, `durable-${files++}.db`);
}

function agentOf(calls: number, effect: "read" | "write") {
	const tool = defineTool({ name: "lookup", description: toolDescription, input, effect, execute: lookup });
	const limits = { turnsMax: calls + 2 };
	return defineAgent({ name: "bench", instructions, model: promptModel(calls), tools: [tool], limits });
}

/** Counts what is written; each is a commit where nobody shares it. */
function counted(store: Store) {
	let commits = 0;
	const counting: Store = {
		...store,
		commit(run, epoch, writes) {
			commits++;
			return store.commit(run, epoch, writes);
		},
	};
	return { store: counting, commits: () => commits };
}

async function commits({ calls = 20, writes = 0 }: Numbers): Promise<Numbers> {
	const { store, commits: soFar } = counted(sqliteStore(newPath()));
	const harness = createHarness({ store, policy: () => ({ verdict: "allow" }) });
	const result = await harness.run(agentOf(calls, writes ? "write" : "read"), prompt);
	check(result.status === "completed", result.status);
	await harness.close();
	return { commits: soFar() };
}

const callsPerRun = 20;
const reader = agentOf(callsPerRun, "read");

/** So many runs at a time, one after another each, for the span of the ask. */
async function calls({ args, warmup, slice }: Ask): Promise<Numbers> {
	const harness = createHarness({ store: sqliteStore(newPath()) });
	const runFor = async (span: Ask["slice"]) => {
		const began = performance.now();
		let runs = 0;
		const lane = async (): Promise<void> => {
			do {
				const result = await harness.run(reader, prompt);
				check(result.status === "completed", result.status);
				runs++;
			} while (performance.now() - began < span.ms);
		};
		await Promise.all(Array.from({ length: args["runs"] ?? 1 }, lane));
		return { runs, ms: performance.now() - began };
	};
	if (warmup.ms > 0) await runFor(warmup);
	const { runs, ms } = await runFor(slice);
	await harness.close();
	return { perSecond: (runs * callsPerRun) / (ms / 1_000) };
}

const row = "x".repeat(400);
let bare: DatabaseSync | undefined;

/** One row a commit and nothing else, for the span of the ask. */
async function rows({ slice }: Ask): Promise<Numbers> {
	if (!bare) {
		bare = new DatabaseSync(newPath());
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

await serveRows({
	commits: ({ args }) => commits(args),
	calls,
	rows,
});
