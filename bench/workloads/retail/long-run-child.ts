import { join } from "node:path";
import { sqliteStore } from "../../../packages/holdpoint/src/adapters/stores/sqlite.ts";
import { crashingStore } from "../../../packages/holdpoint/src/testing/crashing-store.ts";
import { openLongRun } from "./long-run-stage.ts";
import { loadRetail } from "./tasks.ts";
import { openRetailWorld } from "./world.ts";

/*
 * A process that is killed: `node long-run-child.ts <data folder> <folder> <wiring> <tasks> <before|after|never> <commit>`.
 * It goes on with the long run whose store and world lie in the folder, and kills itself at that commit of its own. If a
 * prompt is not what it must be, it says so and ends otherwise.
 */
const [dataDir = "", folder = "", wiring = "turns", taskCount = "", when = "never", commit = ""] =
	process.argv.slice(2);
const store = crashingStore(sqliteStore(join(folder, "store.db")), {
	...(when === "never" ? {} : { at: Number(commit), when: when === "after" ? "after" : "before" }),
	crash: () => {
		complain();
		process.kill(process.pid, "SIGKILL");
		return new Promise<never>(() => undefined);
	},
});
const stage = await openLongRun({
	workload: loadRetail(dataDir),
	wiring: wiring === "program" ? "program" : "turns",
	store,
	world: openRetailWorld(join(folder, "world.db")),
	taskCount: Number(taskCount),
});
await stage.play();
complain();
await stage.close();

function complain(): void {
	const { problems } = stage.watch;
	if (problems.length === 0) return;
	console.error(problems.slice(0, 5).join("\n"));
	process.exit(1);
}
