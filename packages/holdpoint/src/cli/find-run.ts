import { HoldpointError } from "../spec/errors.ts";
import type { RunRow, Store } from "../spec/store.ts";

const pageRows = 1_000;

export function isRunId(text: string): boolean {
	return /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/.test(text);
}

/** The run whose id this is or begins like this, where that is unambiguous. Errors: `run.unknown`. */
export async function findRun(store: Store, given: string): Promise<string> {
	const prefix = given.trim().slice(0, 129);
	const isId = isRunId(prefix);
	// Entries after the last: whether the run is there, without its journal.
	if (isId && (await store.load(prefix, Number.MAX_SAFE_INTEGER))) return prefix;
	const found: string[] = [];
	for await (const row of isId ? allRows(store) : []) {
		if (row.run.startsWith(prefix) || row.run.startsWith(`run_${prefix}`)) found.push(row.run);
		if (found.length > 1) break;
	}
	const [run, other] = found;
	if (run !== undefined && other === undefined) return run;
	const what = run === undefined ? "No run of this store is named or begins with" : "More than one run begins with";
	throw new HoldpointError("run.unknown", `${what} ${JSON.stringify(prefix)}`, { details: { run: prefix } });
}

/** The newest run. Errors: `run.unknown` where there is none. */
export async function newestRun(store: Store): Promise<string> {
	const [row] = await store.runs({ limit: 1 });
	if (row) return row.run;
	throw new HoldpointError("run.unknown", "This store holds no runs yet", { hint: "Start one with `holdpoint run`." });
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
