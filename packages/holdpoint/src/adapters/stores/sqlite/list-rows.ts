/** The statements that find runs and approvals. Values are bound; a text varies only by the clauses below. */

import { checkApprovalQuery, checkRunQuery, runStatuses } from "../../../kit/check-commit.ts";
import { newestFirst } from "../../../kit/newest-first.ts";
import type { ApprovalQuery, ApprovalRow, RunQuery, RunRow } from "../../../spec/store.ts";
import { numberOf, optionalNumber, optionalText, statusCode, statusOf, textOf } from "./columns.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow, SqlValue } from "./sql-engine.ts";

interface Clauses {
	readonly where: string;
	readonly values: readonly SqlValue[];
}

const runColumns = `
	SELECT runs.run, epoch, seq, status, agent, session, due_at, updated_at, owner, until,
		(SELECT count(*) FROM signals WHERE signals.run = runs.id) AS signals
	FROM runs LEFT JOIN leases ON leases.run = runs.id`;

/** Found by three small indexes: runs that only wait cost nothing, however many there are. */
const readyClause = `(until IS NULL OR until <= ?) AND runs.id IN (
	SELECT run FROM signals
	UNION ALL SELECT id FROM runs WHERE due_at <= ?
	UNION ALL SELECT id FROM runs WHERE status = 0)`;

export function listRuns(connection: Connection, query: RunQuery): RunRow[] {
	const limit = checkRunQuery(query);
	const { where, values } = runClauses(query);
	const statuses = [...new Set(query.status ?? runStatuses)].map(statusCode);
	const narrow = query.session !== undefined || query.readyAt !== undefined;
	// The index of a status has its runs newest first, and the newest of all are among those of each. Where a smaller
	// index leads to few runs, one query takes all statuses, and the `+` keeps SQLite from the large index.
	const choices = narrow ? [`+status IN (${statuses.join(", ")})`] : statuses.map(oneStatus);
	const found = choices.flatMap((choice) =>
		connection
			.sql(`${runColumns} WHERE ${choice} ${where} ORDER BY updated_at DESC, runs.run DESC LIMIT ?`)
			.all(...values, limit),
	);
	return found.map(toRunRow).sort(newestFirst).slice(0, limit);
}

/** Numbers of ours, and not bound: only so SQLite sees that the part of an index has them all. */
function oneStatus(status: number): string {
	return status === statusCode("running") ? "status = 0" : `status = ${status} AND status <> 0`;
}

function runClauses({ session, readyAt, before }: RunQuery): Clauses {
	let where = "";
	const values: SqlValue[] = [];
	if (session !== undefined) {
		where += " AND session = ?";
		values.push(session);
	}
	if (readyAt !== undefined) {
		where += ` AND ${readyClause}`;
		values.push(readyAt, readyAt);
	}
	if (before) {
		where += " AND updated_at <= ? AND (updated_at < ? OR runs.run < ?)";
		values.push(before.updatedAt, before.updatedAt, before.run);
	}
	return { where, values };
}

function toRunRow(row: SqlRow): RunRow {
	return {
		run: textOf(row.run),
		epoch: numberOf(row.epoch),
		seq: numberOf(row.seq),
		status: statusOf(row.status),
		agent: textOf(row.agent),
		session: optionalText(row.session),
		dueAt: optionalNumber(row.due_at),
		updatedAt: numberOf(row.updated_at),
		signals: numberOf(row.signals),
		lease: row.owner === null ? undefined : { owner: textOf(row.owner), until: numberOf(row.until) },
	};
}

export function listApprovals(connection: Connection, query: ApprovalQuery): ApprovalRow[] {
	const limit = checkApprovalQuery(query);
	const { where, values } = approvalClauses(query);
	return connection
		.sql(
			`SELECT approval, runs.run, call, tool, requested_at, expires_at
			FROM approvals JOIN runs ON runs.id = approvals.run
			WHERE TRUE ${where}
			ORDER BY requested_at, runs.run, length(CAST(call AS BLOB)), call, approval LIMIT ?`,
		)
		.all(...values, limit)
		.map(toApprovalRow);
}

function approvalClauses({ run, prefix }: ApprovalQuery): Clauses {
	let where = "";
	const values: SqlValue[] = [];
	if (run !== undefined) {
		where += " AND approvals.run = (SELECT id FROM runs WHERE run = ?)";
		values.push(run);
	}
	if (prefix) {
		where += " AND substr(approval, 1, length(?)) = ?";
		values.push(prefix, prefix);
	}
	return { where, values };
}

function toApprovalRow(row: SqlRow): ApprovalRow {
	return {
		approval: textOf(row.approval),
		run: textOf(row.run),
		call: textOf(row.call),
		tool: textOf(row.tool),
		requestedAt: numberOf(row.requested_at),
		expiresAt: numberOf(row.expires_at),
	};
}
