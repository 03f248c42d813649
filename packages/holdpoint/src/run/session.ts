import type { RunResult } from "../spec/result.ts";
import type { RunRow } from "../spec/store.ts";
import type { RunOptions } from "./run-options.ts";

export interface SessionDoors {
	readonly latest: () => Promise<RunRow | undefined>;
	readonly start: (input: string, after: string | undefined, options: RunOptions) => Promise<RunResult>;
	readonly resume: (run: string, options: RunOptions) => Promise<RunResult>;
	readonly tell: (run: string, text: string, mode: "turn" | "queue") => Promise<void>;
	readonly cancel: (run: string) => Promise<unknown>;
}

export interface SendOptions extends RunOptions {
	/** Names the run that this message starts, where it starts one. Default: a fresh one. */
	readonly runId?: string;
	/**
	 * When the session's run waits: `turn` answers now, with held calls read as pending; `queue` keeps the message until
	 * they are answered; `cancel` ends that run and starts a new one. Default: `turn`.
	 */
	readonly whenWaiting?: "turn" | "queue" | "cancel";
}

/** A conversation: a chain of runs, each of which goes on where the one before ended. */
export class Session {
	readonly id: string;
	private readonly doors: SessionDoors;

	constructor(id: string, doors: SessionDoors) {
		this.id = id;
		this.doors = doors;
	}

	/** Says something; starts the session's next run, or reaches the one that waits. Errors: as `run` and `resume`. */
	async send(text: string, options: SendOptions = {}): Promise<RunResult> {
		const { whenWaiting = "turn", ...runOptions } = options;
		const latest = await this.doors.latest();
		const open = latest && (latest.status === "waiting" || latest.status === "running");
		if (!open) return this.doors.start(text, latest?.run, runOptions);
		if (whenWaiting === "cancel") {
			await this.doors.cancel(latest.run);
			return this.doors.start(text, latest.run, runOptions);
		}
		await this.doors.tell(latest.run, text, whenWaiting);
		return this.doors.resume(latest.run, runOptions);
	}
}
