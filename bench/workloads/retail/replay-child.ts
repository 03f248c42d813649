import { readFileSync } from "node:fs";
import { sqliteStore } from "../../../packages/holdpoint/src/adapters/stores/sqlite.ts";
import { createHarness } from "../../../packages/holdpoint/src/holdpoint.ts";
import { crashingStore } from "../../../packages/holdpoint/src/testing/crashing-store.ts";
import { type PlayedTask, type RetailDesk, retailAgent, type Wiring, type WriteRepeat } from "./agent.ts";
import { playToEnd } from "./play.ts";
import { openRetailWorld } from "./world.ts";

/*
 * A process made to die at one journal append of one task: `node replay-child.ts <job file> <folder> before|after <n>`.
 * In the folder lie its world and its store, each in a file of its own. It starts the run as anyone would, approves what
 * is held, and kills itself there; a position that the run never comes to lets it finish.
 */

/** What all deaths of one task have in common. */
export interface ChildJob {
	readonly task: PlayedTask;
	readonly wiring: Wiring;
	readonly desk: RetailDesk;
	readonly repeat: WriteRepeat;
}

const [jobFile = "", folder = "", when = "", at = ""] = process.argv.slice(2);
const job = JSON.parse(readFileSync(jobFile, "utf8")) as ChildJob;
const world = openRetailWorld(`${folder}/world.db`);
const store = crashingStore(sqliteStore(`${folder}/store.db`), {
	at: Number(at),
	when: when === "before" ? "before" : "after",
	crash: () => process.kill(process.pid, "SIGKILL"),
});
const agent = retailAgent({ ...job, world });
const harness = createHarness({ store, agents: [agent] });
await playToEnd({ harness, agent, task: job.task, world });
await harness.close();
