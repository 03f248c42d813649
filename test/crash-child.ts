/**
 * A process that is killed: `node crash-child.ts <folder> <at> <before | after> …`, as many threes as there are deaths to
 * die. It plays the story in each folder; each play stands still at its own commit, and once all do, the kill comes.
 */
import { join } from "node:path";
import { sqliteStore } from "holdpoint";
import { crashingStore } from "holdpoint/testing";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";
import { World, work } from "./crash-scene.ts";

const words = process.argv.slice(2);
const deaths = words.length / 3;
const sandbox = sandboxUnderTest();
const never = new Promise<never>(() => undefined);
let standing = 0;

function standStill(): Promise<never> {
	if (++standing === deaths) process.kill(process.pid, "SIGKILL");
	return never;
}

async function play(folder: string, at: number, when: "before" | "after"): Promise<void> {
	const store = crashingStore(sqliteStore(join(folder, "runs.db")), { at, when, crash: standStill });
	await work({ store, world: new World(folder), sandbox });
	throw new Error(`It was to die ${when} commit ${at} and came to its end`);
}

await Promise.all(
	Array.from({ length: deaths }, (_, i) => {
		const [folder = "", at = "", when = ""] = words.slice(i * 3, i * 3 + 3);
		return play(folder, Number(at), when === "after" ? "after" : "before");
	}),
);
