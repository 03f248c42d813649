import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { isWritable } from "../../adapters/stores/sqlite/connection.ts";
import { applicationId, migrations } from "../../adapters/stores/sqlite/schema.ts";
import { nodeSqlite, type SqlDriver } from "../../adapters/stores/sqlite/sql-engine.ts";
import { counted } from "../../kit/counted.ts";
import { byteSize } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Finding } from "./finding.ts";

const name = "store";
const busyMs = 1_000;

/** Looks at the database without changing it. */
export function checkStore(path: string): Finding {
	const facts = { path, provider: "sqlite" };
	if (!existsSync(path)) return missing(path, facts);
	if (!isWritable(path)) {
		return {
			name,
			state: "bad",
			says: `${path} cannot be written`,
			mend: `Make the file and its folder writable for this user.`,
			facts,
		};
	}
	let database: SqlDriver | undefined;
	try {
		database = nodeSqlite.open(path, { readOnly: true, timeoutMs: busyMs });
		return examine(database, path);
	} catch (error) {
		const why = inlineText(error instanceof Error ? error.message : String(error), 300);
		return {
			name,
			state: "bad",
			says: `${path} cannot be read: ${why}`,
			mend: "Restore it from a backup, or name another one with --store.",
			facts,
		};
	} finally {
		database?.close();
	}
}

function missing(path: string, facts: Finding["facts"] & object): Finding {
	let folder = dirname(path);
	while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
	if (isWritable(`${folder}/x`))
		return {
			name,
			state: "ok",
			says: `${path} is not there yet; the first run makes it`,
			facts: { ...facts, exists: false },
		};
	return {
		name,
		state: "bad",
		says: `${path} is not there and cannot be made`,
		mend: `Make ${folder} writable, or name another place with --store.`,
		facts,
	};
}

function examine(database: SqlDriver, path: string): Finding {
	const pragma = (key: string): unknown => Object.values(database.prepare(`PRAGMA ${key}`).get() ?? {})[0];
	const version = Number(pragma("user_version"));
	const facts = {
		path,
		provider: "sqlite",
		schema: version,
		journalMode: pragma("journal_mode"),
		bytes: statSync(path).size,
	};
	const bad = (says: string, mend: string): Finding => ({ name, state: "bad", says: `${path} ${says}`, mend, facts });
	if (Number(pragma("application_id")) !== applicationId)
		return bad("is no database of Holdpoint", "Name another path with --store.");
	if (version > migrations.length)
		return bad(`has version ${version}; this one knows ${migrations.length}`, "Upgrade Holdpoint.");
	const check = String(pragma("quick_check(1)"));
	if (check !== "ok") return bad(`is damaged: ${inlineText(check, 200)}`, "Restore it from a backup.");
	const runs = Number(Object.values(database.prepare("SELECT count(*) FROM runs").get() ?? {})[0]);
	const holds = `${counted(runs, "run")}, ${byteSize(facts.bytes)}`;
	const says = `${path}: opens, ${facts.journalMode} journal, schema ${version}, ${holds}`;
	return { name, state: "ok", says, facts: { ...facts, runs } };
}
