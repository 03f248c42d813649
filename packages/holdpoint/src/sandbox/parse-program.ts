/**
 * Reads a model-written program: JavaScript or TypeScript, the body of an async function.
 *
 * Owns: the syntax tree and the plain JavaScript that belongs to it, both with the positions of what the model wrote.
 * Does not own: whether the program makes sense.
 */
import {
	type BlockStatement,
	type ExpressionStatement,
	type Options,
	type Program,
	parse,
	parseExpressionAt,
} from "acorn";
import { withinDeadline } from "../kit/within-deadline.ts";
import { type ProgramProblem, placeOf } from "./program-problems.ts";
import { type Stripped, stripTypes } from "./strip-types.ts";

export interface ParsedProgram {
	/** Plain JavaScript; every character of it stands where it stood in the source. */
	readonly code: string;
	readonly tree: Program;
}

export type Parsed =
	| { readonly ok: true; readonly program: ParsedProgram }
	| { readonly ok: false; readonly problem: ProgramProblem };

const acornOptions: Options = {
	ecmaVersion: "latest",
	// The guest evaluates it as sloppy code inside an async arrow function.
	sourceType: "script",
	allowAwaitOutsideFunction: true,
	allowReturnOutsideFunction: true,
	// So that they get a better message than "unexpected token".
	allowImportExportEverywhere: true,
	allowHashBang: false,
};

/** The parser takes quadratic time for names declared in one scope, which only a large program can make felt. */
const largeChars = 32_768;
const largeMs = 1_000;

export async function parseProgram(source: string): Promise<Parsed> {
	const script = parseScript(source);
	if (script.ok) return script;
	if (script.problem.message === tooDeep || script.problem.code === "too-long") return script;
	const tree = parseEndingExpression(source);
	if (tree) return { ok: true, program: { code: source, tree } };
	const stripped = await stripTypes(source);
	if (!stripped.ok) return { ok: false, problem: strippingProblem(source, stripped, script.problem) };
	return stripped.text === source ? script : parseScript(stripped.text);
}

function parseScript(code: string): Parsed {
	try {
		const job = () => parse(code, acornOptions);
		const parsed = code.length > largeChars ? withinDeadline(job, largeMs) : { done: true as const, value: job() };
		if (parsed.done) return { ok: true, program: { code, tree: parsed.value } };
		return { ok: false, problem: { line: 1, column: 1, code: "too-long", message: tooLong } };
	} catch (error) {
		return { ok: false, problem: syntaxProblem(code, error) };
	}
}

/**
 * Two programs that are no scripts, but leave no doubt about what is meant: one that ends with a line `{ total, count: 2 }`,
 * which a script takes for a block, and one that is a single `async function () {...}` without a name.
 */
function parseEndingExpression(source: string): Program | undefined {
	const start = /^\s*(?:async\s+)?function\s*\(/.test(source) ? source.search(/\S/) : lastLineWithBrace(source);
	if (start < 0 || source.length > largeChars) return undefined;
	try {
		const before = parse(source.slice(0, start), acornOptions);
		const expression = parseExpressionAt(source, start, acornOptions);
		const after = parse(source.slice(expression.end), acornOptions);
		if (after.body.some((statement) => statement.type !== "EmptyStatement")) return undefined;
		const last: ExpressionStatement = { type: "ExpressionStatement", start, end: expression.end, expression };
		return { ...before, end: source.length, body: [...before.body, last] };
	} catch {
		return undefined;
	}
}

/**
 * Is the block `{ total }` or `{ total: sum(rows) }`, and so an object as well? Both readings evaluate the same
 * expressions, which is why a method, which would not be called, makes it a block.
 */
export function readsAsObject(code: string, block: BlockStatement): boolean {
	if (code.length > largeChars) return false;
	try {
		const object = parseExpressionAt(code, block.start, acornOptions);
		if (object.type !== "ObjectExpression" || object.end !== block.end || object.properties.length === 0) return false;
		return object.properties.every((property) => property.type === "Property" && !property.method);
	} catch {
		return false;
	}
}

function lastLineWithBrace(source: string): number {
	return source.startsWith("{") && !source.includes("\n{") ? 0 : source.lastIndexOf("\n{") + 1 || -1;
}

function syntaxProblem(code: string, error: unknown): ProgramProblem {
	if (error instanceof RangeError) return { line: 1, column: 1, code: "syntax", message: tooDeep };
	if (!(error instanceof SyntaxError) || !("pos" in error) || typeof error.pos !== "number") throw error;
	const text = error.message.replace(/ \(\d+:\d+\)$/, "");
	const message = text.startsWith("Not enough stack space") ? tooDeep : text;
	return { ...placeOf(code, error.pos), code: "syntax", message };
}

const tooDeep = "It is nested too deeply";
const tooLong = `It takes more than ${largeMs} ms to read: it is too large, or declares too many names`;

export const noModules = "Modules cannot be loaded: a program has plain JavaScript and its tools, nothing else";

function strippingProblem(
	source: string,
	stripped: Extract<Stripped, { ok: false }>,
	asScript: ProgramProblem,
): ProgramProblem {
	const { kind, line, column } = stripped;
	const place = line === undefined || column === undefined ? undefined : { line, column };
	if (kind === "fault") {
		const message = `${asScript.message} (read as JavaScript; as TypeScript it cannot be read: ${stripped.message})`;
		return { ...asScript, message };
	}
	if (kind === "unsupported") {
		const what = stripped.message.replace(/ in (?:strip-only|type strip) mode/, " here").replace(/\.$/, "");
		const message = `${what}. Only types that can simply be left out are accepted: write it in plain JavaScript`;
		return { ...(place ?? asScript), code: "syntax", message };
	}
	if (/'import'.*'export'/.test(stripped.message))
		return { ...(place ?? asScript), code: "forbidden", message: noModules };
	if (place) return { ...place, code: "syntax", message: stripped.message };
	// Without a place it stumbled over the end, and what the wrapped text lacks there says nothing of the program's own.
	const stumbledAt = source.split("\n")[asScript.line - 1]?.[asScript.column - 1];
	if (asScript.message.startsWith("Unterminated") || stumbledAt === "}") return asScript;
	return { ...placeOf(source, source.trimEnd().length), code: "syntax", message: "Unexpected end of the program" };
}
