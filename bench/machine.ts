import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";

/** What the figures were measured on. */
export interface Machine {
	readonly cpus: number;
	readonly cpu: string;
	readonly memoryGb: number;
	readonly node: string;
	readonly platform: string;
	readonly disk: string;
	/** Processes that wanted to run, over the minute before. Above the number of processors, others were measured too. */
	readonly load: number;
}

export function machineFacts(): Machine {
	return {
		cpus: availableParallelism(),
		cpu: cpus()[0]?.model.trim() ?? "unknown",
		memoryGb: Math.round(totalmem() / 2 ** 30),
		node: process.version,
		platform: `${process.platform} ${process.arch}`,
		disk: fileSystem(),
		load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
	};
}

function fileSystem(): string {
	try {
		const [, kind] = execFileSync("df", ["--output=fstype", import.meta.dirname], { encoding: "utf8" }).split("\n");
		return kind?.trim() || "unknown";
	} catch {
		return "unknown";
	}
}
