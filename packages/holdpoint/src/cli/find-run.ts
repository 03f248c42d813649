import { HoldpointError } from "../spec/errors.ts";
import type { RunRow, Store } from "../spec/store.ts";

const pageRows = 1_000;

/** The run whose id this is or begins like this, where that is unambiguous. Errors: `run.unknown`. */
export async function findRun(store: Store, given: string): Promise<string> {
	const prefix = given.trim();
	if (prefix !== "" && (await isRun(store, prefix))) return prefix;
	const found: string[] = [];
	for await (const row of allRows(store)) {
		if (prefix !== "" && (row.run.startsWith(prefix) || row.run.startsWith(`run_${prefix}`))) found.push(row.run);
		if (found.length > 1) break;
	}
	const [run, other] = found;
	if (run !== undefined && other === undefined) return run;
	const what = run === undefined ? "No run of this store is named or begins with" : "More than one run begins with";
	throw new HoldpointError("run.unknown", `${what} ${JSON.stringify(prefix.slice(0, 128))}`, { details: { run: prefix.slice(0, 128) } });
}

/** The newest run. Errors: `run.unknown` where there is none. */
export async function newestRun(store: Store): Promise<string> {
	const [row] = await store.runs({ limit: 1 });
	if (row) return row.run;
	throw new HoldpointError("run.unknown", "This store holds no runs yet", { hint: "Start one with `holdpoint run`." });
}

/** Loading a run costs as much as its journal, but it is the only exact way to ask. */
async function isRun(store: Store, run: string): Promise<boolean> {
	try {
		return (await store.load(run, Number.MAX_SAFE_INTEGER)) !== undefined;
	} catch {
		// What cannot be an id is no run.
		return false;
	}
}

async function* allRows(store: Store): AsyncGenerator<RunRow> {
	let before: { updatedAt: number; run: string } | undefined;
	for (;;) {
		const rows = await store.runs({ limit: pageRows, ...(before ? { before } : {}) });
		yield* rows;
		const last = rows.at(-1);
		if (rows.length < pageRows || !last) return;
		before = { updatedAt: last.updatedAt, run: last.run };
	}
}
