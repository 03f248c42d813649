/**
 * Every operational failure of Holdpoint is one `HoldpointError` with a code of this registry.
 *
 * `retry` says what a caller may do: `never` (the same call fails again), `safe` (nothing happened, try again),
 * `unknown` (something may have happened: look before you try again). Expected outcomes (a denied call, a waiting
 * run) are values, not errors. `docs/reference/errors.md` is checked against this table both ways.
 */
export type RetryAdvice = "never" | "safe" | "unknown";

export const errorCodes = {
	"run.unknown": { retry: "never", hint: "List the runs with `holdpoint runs`; a run lives in one store only." },
	"run.exists": {
		retry: "never",
		hint: "A run id names one piece of work. Use another id, or start it with the same input to join it.",
	},
	"run.busy": {
		retry: "safe",
		hint: "Another process advances this run. Wait for it, or for its lease to end, and try again.",
	},
	"run.lease_lost": {
		retry: "safe",
		hint: "Another process took the run over; what was not yet written here was dropped. Look at the run again.",
	},
	"run.over": { retry: "never", hint: "Start another run with the message, or talk in a session: it goes on." },
	"run.open": { retry: "never", hint: "Bring the run to its end first, or cancel it." },
	"run.no_such_turn": { retry: "never", hint: "`holdpoint show <run>` lists its answers." },
	"run.erased": {
		retry: "never",
		hint: "Its events and results are gone for good; the audit log still proves what it did.",
	},
	"run.incompatible": {
		retry: "never",
		hint: "The agent or its tools changed in a way this run cannot go on with. Restore the old ones, or cancel the run.",
	},
	"run.input_invalid": { retry: "never", hint: "Give the run a non-empty text within the limits." },
	"agent.unknown": {
		retry: "never",
		hint: "Put it among the `agents` of holdpoint.config.ts, or of `createHarness`.",
	},
	"team.invalid": { retry: "never", hint: "Mend the team; the message names what cannot work." },
	"team.function_failed": {
		retry: "safe",
		hint: "A function of the team threw, or took too long. The run is kept: mend the function, then resume the run.",
	},
	"agent.invalid": { retry: "never", hint: "Mend the definition; the message names the field." },
	"tool.invalid": { retry: "never", hint: "Mend the definition; the message names the field." },
	"journal.tampered": {
		retry: "never",
		hint: "The stored state does not match its authentication code. Nothing was executed. Restore a backup and find out who wrote to the store.",
	},
	"journal.damaged": { retry: "never", hint: "The stored bytes cannot be read. Restore a backup." },
	"journal.newer": { retry: "never", hint: "A newer version of Holdpoint wrote this run. Upgrade this one." },
	"journal.key_missing": {
		retry: "never",
		hint: "The key that sealed this state is not in the key ring. Add it to HOLDPOINT_KEYS or to the key file.",
	},
	"key.invalid": {
		retry: "never",
		hint: "A key is `<id>:<base64url of at least 32 bytes>`; a key file has mode 0600.",
	},
	"audit.off": { retry: "never", hint: "Turn it on with `audit: true` in holdpoint.config.ts or in `createHarness`." },
	"audit.unknown": { retry: "never", hint: "Name a leaf by its index, or an event as <run>/<number>." },
	"audit.rolled_back": {
		retry: "never",
		hint: "The store has less than a checkpoint of it says: an older copy was put back. Find out who did, and keep the checkpoint.",
	},
	"store.locked": {
		retry: "safe",
		hint: "Another process holds the database. Try again; a program can also raise `busyTimeoutMs`.",
	},
	"store.read_only": { retry: "never", hint: "Make the folder and the database writable for this user." },
	"store.full": { retry: "safe", hint: "Free disk space, then resume the run: everything committed is kept." },
	"store.damaged": { retry: "never", hint: "Run `holdpoint doctor`; restore the database from a backup." },
	"store.newer": { retry: "never", hint: "A newer version of Holdpoint made this database. Upgrade this one." },
	"store.closed": { retry: "never", hint: "The store was closed; create the harness again." },
	"store.conflict": { retry: "safe", hint: "Somebody else changed it first. Read it again and try once more." },
	"store.failed": {
		retry: "unknown",
		hint: "The message says what the store reported. Look at the run again before you try anything.",
	},
	"model.unavailable": {
		retry: "safe",
		hint: "The provider failed after all retries. The run is kept: resume it later.",
	},
	"model.refused": {
		retry: "never",
		hint: "The message says why the provider did not take it: mend the key, the name of the model, or what it was asked.",
	},
	"model.answer_invalid": { retry: "safe", hint: "The model answered something unusable. Resume to ask it again." },
	"model.missing": {
		retry: "never",
		hint: "Give the agent a `model`; or holdpoint.config.ts, `createHarness`, or --model provider/name for all.",
	},
	"model.unknown": { retry: "never", hint: "Use --model provider/name with one of the providers listed." },
	"story.mismatch": {
		retry: "never",
		hint: "The scripted model was asked something that its story does not foresee. Mend the story.",
	},
	"approval.unknown": { retry: "never", hint: "List what is open with `holdpoint approvals`." },
	"approval.closed": { retry: "never", hint: "It was answered, expired, or its run ended. Nothing was executed." },
	"approval.invalid": { retry: "never", hint: "Look at the call again and answer what is shown now." },
	"approval.forbidden": { retry: "never", hint: "Another person must answer this one." },
	"budget.exhausted": {
		retry: "never",
		hint: "The message names the budget and what is left of it. Raise it, or wait for its next window.",
	},
	"grant.invalid": { retry: "never", hint: "The message says which of its terms cannot be granted." },
	"grant.unknown": { retry: "never", hint: "List them with `holdpoint grants`." },
	"memory.invalid": { retry: "never", hint: "The message says what a name or a text must be. Nothing was written." },
	"memory.full": {
		retry: "safe",
		hint: "Delete entries or shorten them, then try again: nothing was written.",
	},
	"memory.tampered": {
		retry: "never",
		hint: "Somebody changed the database. Look who did; `holdpoint memory delete` drops the entry that the details name.",
	},
	"settle.invalid": { retry: "never", hint: "Only a call whose outcome is unknown can be settled." },
	"sandbox.unavailable": { retry: "safe", hint: "Run `holdpoint doctor` to see which sandboxes this machine has." },
	"sandbox.isolation": {
		retry: "never",
		hint: "This machine cannot give the isolation that was required. Use another machine, or require less.",
	},
	"sandbox.fault": { retry: "safe", hint: "The guest broke and was thrown away. The program is replayed on resume." },
	"snapshot.refused": {
		retry: "safe",
		hint: "Made by another provider or guest build: the program is replayed instead.",
	},
	"snapshot.tampered": { retry: "never", hint: "The snapshot does not match its seal. It was not restored." },
	"program.diverged": {
		retry: "never",
		hint: "The replayed program asked for something else than the journal says. The run is kept; cancel it or restore the old guest.",
	},
	"policy.invalid": {
		retry: "never",
		hint: "Mend the policy; the message says where. `holdpoint policy check` lists all of it.",
	},
	"policy.unavailable": { retry: "never", hint: "Install it beside Holdpoint: npm i @cedar-policy/cedar-wasm" },
	"agent.loop_failed": {
		retry: "never",
		hint: "Mend the function that says when the agent is done, then resume the run: it is kept as it is.",
	},
	"config.invalid": { retry: "never", hint: "See the guide for the shape of holdpoint.config.ts." },
	"usage.invalid": { retry: "never", hint: "Run `holdpoint --help`." },
	"harness.closed": { retry: "never", hint: "Create a new harness." },
	"stream.aborted": { retry: "safe", hint: "Whoever watched it stopped it. The run is kept; resume it." },
} as const satisfies Record<string, { retry: RetryAdvice; hint: string }>;

export type ErrorCode = keyof typeof errorCodes;

/**
 * Codes of calls that failed, and what whoever made the call can do. A failed call is no error: it is an outcome that the
 * model reads. Where Holdpoint words it, the hint stands behind the message; what a tool threw stays the tool's own text.
 */
export const failureHints = {
	"tool.unknown": "Use one of the tools that are there.",
	"tool.args_invalid": "Mend the arguments after the tool's schema, and call it again.",
	"tool.threw": "It ran and failed, and it is not run again by itself: read what it says before you decide.",
	"tool.timed_out": "It changes nothing, so it may be called again; ask for less at a time where that is possible.",
	"tool.result_invalid": "It ran, and what it did stands: do not repeat it to get a better result.",
	"tool.result_too_large": "It ran, and what it did stands: ask for less at a time.",
	"tool.args_too_large": "Send less at a time.",
	"program.invalid": "Nothing of the program ran. Mend it and send it again.",
	"program.refused":
		"Nothing of the program ran. Write one without these tools; whoever operates this may name a sandbox for such programs (whenHeld).",
	"program.threw": "Calls that it made before stand: write the next program so that it does not repeat them.",
	"program.stopped": "Calls that it made before stand: write a program that does less, or less at a time.",
	"handoff.second": "One handoff is taken for each answer: call it again when it is your turn.",
	"agent.failed": "Calls that it made before stand: do not have them repeated.",
	"limit.depth": "Do it yourself, or with the tools that you have.",
	"limit.background": "Wait for one of them to answer, or stop one.",
	"limit.calls": "No further call is made in this run: answer with what you have.",
	"settled.did_not_happen": "Somebody found out that it did not happen: it may be done anew.",
} as const satisfies Record<string, string>;

export type FailureCode = keyof typeof failureHints;

const brand = Symbol.for("holdpoint.error");

/** The one error class. `code` is stable, `hint` says what to do, `cause` is kept. */
export class HoldpointError extends Error {
	readonly code: ErrorCode;
	readonly retry: RetryAdvice;
	readonly hint: string;
	/** Facts for machines: the run, the call, the offending value. JSON only. */
	readonly details: Readonly<Record<string, unknown>>;
	readonly [brand] = true;

	constructor(
		code: ErrorCode,
		message: string,
		options: { cause?: unknown; details?: Record<string, unknown>; hint?: string } = {},
	) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.name = "HoldpointError";
		this.code = code;
		this.retry = errorCodes[code].retry;
		this.hint = options.hint ?? errorCodes[code].hint;
		this.details = options.details ?? {};
	}

	toJSON(): Record<string, unknown> {
		return {
			code: this.code,
			message: this.message,
			hint: this.hint,
			retry: this.retry,
			...(Object.keys(this.details).length ? { details: this.details } : {}),
		};
	}
}

/** Is it ours? Works across two installed copies of the package. */
export function isHoldpointError(error: unknown): error is HoldpointError {
	return typeof error === "object" && error !== null && (error as Record<symbol, unknown>)[brand] === true;
}
