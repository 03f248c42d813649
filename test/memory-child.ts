/**
 * A process that is killed: `node memory-child.ts die <folder> <at> <before | after> …` plays the story in each folder; each
 * play stands still at its own commit, and once all do, the kill comes. `… write <folder> <name>` keeps one entry after the
 * other, says so of each, and is killed from outside.
 */
import { crashingStore } from "holdpoint/testing";
import { memoryHarness, openStore } from "./memory-scene.ts";

const [what = "", ...words] = process.argv.slice(2);

async function write(folder: string, name: string): Promise<void> {
	const { harness } = memoryHarness(openStore(folder));
	for (let i = 0; ; i++) {
		await harness.memory.write(`${name}/${i}`, `word${name}${i} ${"text ".repeat(50)}`, { principal: "ann" });
		process.stdout.write(`${name}/${i}\n`);
	}
}

async function die(): Promise<void> {
	const deaths = words.length / 3;
	const never = new Promise<never>(() => undefined);
	let standing = 0;
	const crash = () => {
		if (++standing === deaths) process.kill(process.pid, "SIGKILL");
		return never;
	};
	await Promise.all(
		Array.from({ length: deaths }, async (_, i) => {
			const [folder = "", at = "", when = ""] = words.slice(i * 3, i * 3 + 3);
			const fault = { at: Number(at), when: when === "after" ? ("after" as const) : ("before" as const), crash };
			await memoryHarness(crashingStore(openStore(folder), fault)).work();
			throw new Error(`It was to die ${when} commit ${at} and came to its end`);
		}),
	);
}

await (what === "write" ? write(words[0] ?? "", words[1] ?? "") : die());
