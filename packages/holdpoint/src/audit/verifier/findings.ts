/** What a verifier says: the names of what can be wrong, and the report. */

export type FindingKind =
	/** A leaf, a payload or a checkpoint is not what it was. */
	| "altered"
	/** A leaf is missing; or a payload, of a run that was not erased, in an export that shows payloads. */
	| "dropped"
	/** A leaf is there that the log never had, or is there twice. */
	| "inserted"
	/** A leaf is not at its place. */
	| "reordered"
	/** The export ends before its end, or no checkpoint covers its end. */
	| "truncated"
	/** A checkpoint was signed with another key, or for another log. */
	| "wrong_key"
	/** The trusted checkpoint knows more than the export, or something else. */
	| "rolled_back"
	/** A call was started without what its decision asked for. */
	| "unapproved_execution"
	/** Not of the form of an export. */
	| "malformed";

export interface Finding {
	readonly kind: FindingKind;
	/** Of the leaf, from 0; with `until`, somewhere from here to before there. */
	readonly index?: number;
	readonly until?: number;
	/** Of the export, from 1. */
	readonly line?: number;
	readonly run?: string;
	/** Which of the run's events, from 1. */
	readonly event?: number;
	readonly call?: string;
	/** A sentence for people. */
	readonly message: string;
}

export interface AuditReport {
	/** Nothing was found. */
	readonly ok: boolean;
	/** The log's name, as the key says it. */
	readonly origin: string;
	readonly leaves: number;
	readonly checkpoints: number;
	/** Calls that were started, each with its permission. */
	readonly executions: number;
	/**
	 * Runs that have no end in it. Whether they went on in a process that keeps no log, nobody can tell from an export: the
	 * events that are missing are the last ones.
	 */
	readonly openRuns: number;
	/**
	 * Payloads whose digests were compared; those that are shown without what is sensitive, which nothing proves; and those
	 * that are not in the export: of erased runs, and all of them where it has facts alone.
	 */
	readonly payloads: { readonly checked: number; readonly shown: number; readonly absent: number };
	/** The last checkpoint that holds. Keep it: it is what a later export is compared with. */
	readonly checkpoint: string | undefined;
	/** In the order in which they were found, at most 100. */
	readonly findings: readonly Finding[];
	/** Findings beyond these. */
	readonly more: number;
}

const findingsMax = 100;

/** Collects findings, and stops holding them when they are too many. */
export class Findings {
	readonly list: Finding[] = [];
	more = 0;

	add(finding: Finding): void {
		if (this.list.length < findingsMax) this.list.push(finding);
		else this.more++;
	}
}
