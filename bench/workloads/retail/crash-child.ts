import { writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { crashWrites } from "./crash-writes.ts";
import { loadRetail } from "./tasks.ts";
import { openRetailWorld } from "./world.ts";

/*
 * A process made to be killed: `node crash-child.ts <data folder> <database> [before|after <commit>]`. It writes
 * and writes, and prints a line for each write that was answered. With a position it kills itself there; commit 0 is
 * the one that loads the database. Should nobody kill it, it ends by itself.
 */
const writesMax = 20_000;
const [dataDir = "", path = "", side, commit] = process.argv.slice(2);
const workload = loadRetail(dataDir);

if (side !== undefined) {
	const exec = DatabaseSync.prototype.exec;
	let commits = 0;
	DatabaseSync.prototype.exec = function (sql) {
		const here = sql === "COMMIT" && commits++ === Number(commit);
		if (here && side === "before") process.kill(process.pid, "SIGKILL");
		exec.call(this, sql);
		if (here) process.kill(process.pid, "SIGKILL");
	};
}

const world = openRetailWorld(path, { seed: workload.db });
const writes = crashWrites(workload);
for (let i = 0; i < writesMax; i++) {
	const { name, arguments: args, key } = writes.next().value;
	world.call(name, args, key);
	writeSync(1, `${key}\n`);
}
