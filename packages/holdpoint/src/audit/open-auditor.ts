import { digest } from "../kit/digest.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Store } from "../spec/store.ts";
import { loadAuditKey, parseAuditKey } from "./audit-key.ts";
import { Auditor } from "./auditor.ts";
import type { SignerKey } from "./verifier/note.ts";

export interface AuditOptions {
	/** The log's name, such as `audit.example.com/shop`, for a key that is made. Default: made of the store's id. */
	readonly name?: string;
	/** The secret key. Default: HOLDPOINT_AUDIT_KEY, else a file beside the store. */
	readonly key?: string;
	/** A checkpoint is signed after so many leaves. Default 1,000. */
	readonly everyLeaves?: number;
	/** A checkpoint is signed so long after a leaf at the latest, while the process lives. Default 60,000. Milliseconds. */
	readonly everyMs?: number;
	/** Told of each checkpoint: keep it where nobody who can write to the store can write. */
	readonly onCheckpoint?: (note: string) => void | Promise<void>;
}

const everyLeavesDefault = 1_000;
const everyMsDefault = 60_000;

/** Errors: `config.invalid`, `key.invalid`. */
export async function openAuditor(store: Store, options: AuditOptions): Promise<Auditor> {
	const { everyLeaves = everyLeavesDefault, everyMs = everyMsDefault, onCheckpoint, key } = options;
	checkCount("everyLeaves", everyLeaves);
	checkCount("everyMs", everyMs);
	const given = key === undefined ? undefined : parseAuditKey(key, "createHarness({ audit: { key } })");
	const [storeId, { size, checkpoint }] = await Promise.all([store.id(), store.audit.head()]);
	const name = options.name ?? `holdpoint.local/${digest(`audit log\n${storeId}`).slice(0, 12)}`;
	const file = store.keyFile === undefined ? undefined : auditKeyFile(store.keyFile);
	const signer = (): SignerKey =>
		given ?? loadAuditKey({ env: process.env, file, name, isMade: checkpoint === undefined });
	const auditor = new Auditor({ log: store.audit, signer, everyLeaves, everyMs, onCheckpoint });
	// Left by a process that died before it signed them.
	auditor.wrote(size - (checkpoint?.size ?? 0));
	return auditor;
}

/** `holdpoint.db.keys` → `holdpoint.db.audit-key`. */
function auditKeyFile(keyFile: string): string {
	return `${keyFile.replace(/\.keys$/, "")}.audit-key`;
}

function checkCount(name: string, value: number): void {
	if (Number.isSafeInteger(value) && value >= 1 && value < 2 ** 31) return;
	throw new HoldpointError("config.invalid", `audit.${name} is ${String(value)}, which is no whole number from 1 on`);
}
