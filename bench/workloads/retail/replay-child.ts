import { readFileSync } from "node:fs";
import { sqliteStore } from "../../../packages/holdpoint/src/adapters/stores/sqlite.ts";
import { bestSandbox } from "../../../packages/holdpoint/src/best-sandbox.ts";
import { createHarness } from "../../../packages/holdpoint/src/holdpoint.ts";
import type { Store } from "../../../packages/holdpoint/src/spec/store.ts";
import type { PlayedTask, RetailDesk, Wiring, WriteRepeat } from "./agent.ts";
import { playToEnd, retailPlayer } from "./play.ts";
import { openRetailWorld } from "./world.ts";

/*
 * A process made to be killed: `node replay-child.ts <job file> <before|after|never> <append> <folder> …`, with as many
 * threes as there are deaths to die. In each folder lie a world and a store. It plays the job's task in all of them, as
 * anyone would; each play stands still at its append, and once all of them do, the process kills itself.
 */

/** What all deaths of one process have in common. */
export interface ChildJob {
	readonly task: PlayedTask;
	readonly wiring: Wiring;
	readonly desk: RetailDesk;
	readonly repeat: WriteRepeat;
	readonly sandbox: string;
}

interface Death {
	readonly when: string;
	readonly append: number;
	readonly folder: string;
}

const [jobFile = "", ...positions] = process.argv.slice(2);
const job = JSON.parse(readFileSync(jobFile, "utf8")) as ChildJob;
const deaths = Array.from({ length: positions.length / 3 }, (_, i): Death => {
	const [when = "", append, folder = ""] = positions.slice(i * 3, i * 3 + 3);
	return { when, append: Number(append), folder };
});
/** One for all plays, as a process has it. */
const opened = await bestSandbox({ isolation: "any", named: job.sandbox });
const sandbox = { ...opened, close: async () => {} };
const never = new Promise<never>(() => {});
let standing = 0;

/** From the chosen append on nothing is asked of the store any more, and no answer comes back. */
function standingStore(store: Store, { when, append }: Death): Store {
	let appends = 0;
	let stands = false;
	function stand(): Promise<never> {
		stands = true;
		if (++standing === deaths.length) process.kill(process.pid, "SIGKILL");
		return never;
	}
	const moving = <Args extends readonly unknown[], T>(ask: (...args: Args) => Promise<T>) => {
		return (...args: Args): Promise<T> => (stands ? never : ask(...args));
	};
	return {
		keyFile: store.keyFile,
		id: moving(() => store.id()),
		commit: moving(async (run, epoch, writes) => {
			const isHere = writes.some(({ kind }) => kind === "entry") && ++appends === append;
			if (isHere && when === "before") return stand();
			const receipt = await store.commit(run, epoch, writes);
			return isHere && when === "after" ? stand() : receipt;
		}),
		acquire: moving((run, request) => store.acquire(run, request)),
		load: moving((run, after) => store.load(run, after)),
		blob: moving((run, digest) => store.blob(run, digest)),
		runs: moving((query) => store.runs(query)),
		approvals: moving((query) => store.approvals(query)),
		audit: store.audit,
		memory: store.memory,
		document: moving((name, known) => store.document(name, known)),
		accounts: moving((query) => store.accounts(query)),
		close: () => store.close(),
	};
}

async function play(death: Death): Promise<void> {
	const world = openRetailWorld(`${death.folder}/world.db`);
	const store = standingStore(sqliteStore(`${death.folder}/store.db`), death);
	const harness = createHarness({ store, sandbox });
	await playToEnd({ harness, agent: retailPlayer({ ...job, world }), task: job.task, world });
	await harness.close();
	world.close();
	if (death.when !== "never") throw new Error(`It was to die ${death.when} append ${death.append} and came to its end`);
}

await Promise.all(deaths.map(play));
