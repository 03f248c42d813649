/** Thousands of programs with a call each, two at a time, and what is left of them. */
import { setTimeout } from "node:timers/promises";
import { childProcesses, openFiles, residentBytes } from "../child-processes.ts";
import { finish, looping, sandbox } from "../guests.ts";
import { type Numbers, quantile } from "../statistics.ts";
import { serveRows, settledBytes } from "../subject.ts";

const lanes = ["ann", "ben"] as const;

/** Times of all programs, in the order of their ends. Milliseconds. */
async function runPrograms(count: number, args: Numbers): Promise<readonly number[]> {
	const times: number[] = [];
	let started = 0;
	const run = async (principal: string) => {
		while (started < count) {
			started++;
			const began = performance.now();
			await finish(await sandbox(args).start({ ...looping(1), principal }), 1);
			times.push(performance.now() - began);
		}
	};
	await Promise.all(lanes.map(run));
	return times;
}

/** When whatever was under way has come to its end. */
async function standing() {
	await settledBytes();
	await setTimeout(300);
	return { bytes: residentBytes(), processes: childProcesses().length, files: openFiles() };
}

await serveRows({
	async sustained({ args }) {
		const { programs = 2, window = 1 } = args;
		// Machines are replaced after a thousand programs each: the first of them, too, before anything is counted.
		await runPrograms(window * 3, args);
		const before = await standing();
		const began = performance.now();
		const times = await runPrograms(programs, args);
		const seconds = (performance.now() - began) / 1_000;
		const after = await standing();
		return {
			perSecond: programs / seconds,
			// The tenth that the least came between: what a leak slows down, it slows down too.
			drift: quantile(times.slice(-window), 0.1) / quantile(times.slice(0, window), 0.1),
			grown: after.bytes - before.bytes,
			processes: after.processes - before.processes,
			files: after.files - before.files,
		};
	},
});
