import { HoldpointError } from "../../../spec/errors.ts";
import type { DetailedError } from "./engine.ts";

/** Something in a policy that keeps it from being used. */
export interface PolicyProblem {
	readonly file: string;
	/** From 1 on; undefined: the file as a whole. */
	readonly line?: number;
	readonly column?: number;
	/** The policy's id. */
	readonly policy?: string;
	readonly message: string;
}

/** One policy of a file, with where it begins in it. */
export interface Statement {
	readonly file: string;
	readonly text: string;
	/** From 1 on. */
	readonly line: number;
	readonly column: number;
}

export function problemIn(statement: Statement, message: string, policy?: string): PolicyProblem {
	const { file, line, column } = statement;
	return { file, line, column, ...(policy === undefined ? {} : { policy }), message };
}

/** Cedar counts in bytes from the beginning of the policy. */
export function problemAt(statement: Statement, error: DetailedError, policy?: string): PolicyProblem {
	const start = error.sourceLocations?.[0]?.start ?? 0;
	const before = Buffer.from(statement.text).subarray(0, start).toString();
	const lines = before.split("\n");
	const last = lines.at(-1) ?? "";
	const help = error.help ? ` (${error.help})` : "";
	return {
		file: statement.file,
		line: statement.line + lines.length - 1,
		column: lines.length === 1 ? statement.column + last.length : last.length + 1,
		...(policy === undefined ? {} : { policy }),
		message: `${error.message.replace(/^for policy `[^`]*`[,:] /, "")}${help}`,
	};
}

export function shownProblem({ file, line, column, policy, message }: PolicyProblem): string {
	const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
	return `${place}${policy === undefined ? "" : ` (${policy})`}: ${message}`;
}

const shownMax = 3;

export function invalidPolicy(problems: readonly PolicyProblem[]): HoldpointError {
	const more = problems.length > shownMax ? `; and ${problems.length - shownMax} more` : "";
	const message = `The policy cannot be used: ${problems.slice(0, shownMax).map(shownProblem).join("; ")}${more}`;
	return new HoldpointError("policy.invalid", message, { details: { problems: problems.slice(0, 100) } });
}
