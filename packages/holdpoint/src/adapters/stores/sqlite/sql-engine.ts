import { withoutWarning } from "../../../kit/without-warning.ts";

/** What the store needs of a SQLite binding: `node:sqlite` has this shape, and so has better-sqlite3. */
export interface SqlEngine {
	open(path: string, options: { readonly readOnly: boolean; readonly timeoutMs: number }): SqlDriver;
	/** SQLite's extended result code, or undefined for an error of another origin. */
	codeOf(error: unknown): number | undefined;
}

export interface SqlDriver {
	exec(sql: string): void;
	prepare(sql: string): SqlStatement;
	close(): void;
}

export interface SqlStatement {
	run(...values: SqlValue[]): unknown;
	get(...values: SqlValue[]): SqlRow | undefined;
	all(...values: SqlValue[]): SqlRow[];
}

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Readonly<Record<string, SqlValue | bigint>>;

/** The binding that comes with Node. It is loaded on first use. */
export const nodeSqlite: SqlEngine = {
	open(path, { readOnly, timeoutMs }) {
		const { DatabaseSync } = withoutWarning(/^SQLite is an experimental feature/, () =>
			process.getBuiltinModule("node:sqlite"),
		);
		return new DatabaseSync(path, { readOnly, timeout: timeoutMs });
	},
	codeOf(error) {
		const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
		return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" ? errcode : undefined;
	},
};
