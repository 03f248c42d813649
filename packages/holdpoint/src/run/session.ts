import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { RunResult } from "../spec/result.ts";
import type { RunHead } from "../spec/store.ts";
import { runAfter, unlessThere } from "./next-run.ts";
import type { RunOptions } from "./run-options.ts";
import { sessionKey } from "./session-key.ts";

/** What a session sees of one of its runs from outside. */
export interface SessionRun extends Pick<RunHead, "status"> {
	readonly run: string;
	readonly signals: number;
}

export interface SessionDoors {
	/** What the index takes for the last run of the tenant's session. */
	readonly newest: (tenant: string | undefined) => Promise<SessionRun | undefined>;
	/** Errors: `run.exists` where it is not of the tenant's session. */
	readonly find: (run: string, tenant: string | undefined) => Promise<SessionRun | undefined>;
	readonly start: (input: string, place: NextRun, options: RunOptions) => Promise<RunResult>;
	readonly resume: (run: string, options: RunOptions) => Promise<RunResult>;
	/** Returns the id under which the message lies there. */
	readonly tell: (run: string, text: string, mode: "turn" | "queue") => Promise<string>;
	/** How the run stands, and whether it read that message. */
	readonly look: (run: string, message: string) => Promise<{ readonly result: RunResult; readonly isRead: boolean }>;
	/** Undefined: another process advances the run, and has been told. */
	readonly cancel: (run: string) => Promise<RunResult | undefined>;
}

export interface NextRun {
	readonly run: string;
	readonly after: string | undefined;
}

export interface SendOptions extends Omit<RunOptions, "runId"> {
	/**
	 * When the session's run waits: `turn` answers now, with held calls read as pending; `queue` keeps the message until
	 * they are answered; `cancel` ends that run and starts a new one. Default: `turn`.
	 */
	readonly whenWaiting?: "turn" | "queue" | "cancel";
}

/** Each step means that somebody else was faster, or that the index lags. */
const stepsMax = fixedLimits.sendStepsMax;

/**
 * A conversation: a chain of runs, each of which goes on where the one before ended. It is one tenant's: what two tenants
 * say in a session of one name are two conversations.
 */
export class Session {
	readonly id: string;
	private readonly doors: SessionDoors;

	constructor(id: string, doors: SessionDoors) {
		this.id = id;
		this.doors = doors;
	}

	/**
	 * Says something; starts the session's next run, or reaches the one that is open. A message is delivered once: it is
	 * read by the run that is open, or by the next one. While another process advances that run, the result is how the run
	 * stands, `waiting`, perhaps for nothing but that process, which reads the message; do not send it again.
	 * Errors: as `run` and `resume`; `run.busy` only with `cancel`, and then nothing was said yet.
	 */
	async send(text: string, options: SendOptions = {}): Promise<RunResult> {
		const { whenWaiting = "turn", ...runOptions } = options;
		const { tenant } = options;
		let latest = await this.doors.newest(tenant);
		for (let step = 0; step < stepsMax; step++) {
			const isOpen = latest !== undefined && isRunning(latest);
			if (latest && isOpen && whenWaiting === "cancel") {
				await this.end(latest.run);
				latest = await this.doors.find(latest.run, tenant);
			} else if (latest && (isOpen || latest.signals > 0)) {
				// A run that is over with something unread: that was said before, and goes first.
				const mode = whenWaiting === "queue" ? "queue" : "turn";
				return await this.answered(latest.run, await this.doors.tell(latest.run, text, mode), runOptions);
			} else {
				const next = { run: runAfter(sessionKey(this.id, tenant), latest?.run), after: latest?.run };
				const result = await this.doors.start(text, next, runOptions).catch(unlessThere(next.run));
				if (result) return result;
				// Somebody else was faster.
				latest = await this.doors.find(next.run, tenant);
			}
		}
		throw this.lost();
	}

	private async end(run: string): Promise<void> {
		if (await this.doors.cancel(run)) return;
		throw new HoldpointError("run.busy", `Run ${run} of session ${this.id} is advanced by another process`, {
			details: { run },
			hint: "It was told to end, and the message was not sent. Send it again when that run is over.",
		});
	}

	/** Follows a message to the run that reads it. */
	private async answered(run: string, message: string, options: RunOptions): Promise<RunResult> {
		let at = run;
		for (let step = 0; step < stepsMax; step++) {
			const resumed = await this.doors.resume(at, options).catch(unlessBusy);
			if (resumed?.status === "waiting") return resumed;
			const { result, isRead } = await this.doors.look(resumed?.run ?? at, message);
			if (result.status === "waiting" || isRead) return result;
			// It ended just before: the message went on to the next one, or does so when this one is resumed again.
			const next = runAfter(sessionKey(this.id, options.tenant), result.run);
			at = (await this.doors.find(next, options.tenant)) ? next : result.run;
		}
		throw this.lost();
	}

	private lost(): HoldpointError {
		return new HoldpointError("run.busy", `Session ${this.id} went on ${stepsMax} times before it could be reached`);
	}
}

function isRunning({ status }: SessionRun): boolean {
	return status === "waiting" || status === "running";
}

function unlessBusy(error: unknown): undefined {
	if (!isHoldpointError(error) || error.code !== "run.busy") throw error;
}
