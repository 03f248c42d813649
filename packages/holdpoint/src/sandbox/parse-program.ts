/**
 * Reads a model-written program: JavaScript or TypeScript, the body of an async function.
 *
 * Owns: the syntax tree and the plain JavaScript that belongs to it, both with the positions of what the model wrote.
 * Does not own: whether the program makes sense.
 */
import { type ExpressionStatement, type Options, parseExpressionAt, type Statement } from "acorn";
import type { ProgramProblem } from "./program-problems.ts";
import { ReadingTime, readingMsMax } from "./reading-time.ts";
import { sourceLines } from "./source-lines.ts";
import { type Stripped, stripTypes } from "./strip-types.ts";
import { withoutTypeArguments } from "./type-arguments.ts";
import { endOf, inProgram, opening, placeOf, unwrap, wrap } from "./wrapped-program.ts";

export interface ParsedProgram {
	/** Plain JavaScript, wrapped; every character of it stands where it stood in the source. */
	readonly text: string;
	readonly statements: readonly Statement[];
	/** The last statement is a block, and an object as well: `{ total }`. */
	readonly endsWithObject: boolean;
}

export type Parsed =
	| { readonly ok: true; readonly program: ParsedProgram }
	| { readonly ok: false; readonly problem: ProgramProblem };

const acornOptions: Options = {
	ecmaVersion: "latest",
	sourceType: "script",
	// For the expressions that are read alone; the body of an async function knows `await` anyway.
	allowAwaitOutsideFunction: true,
	// So that they get a better message than "unexpected token".
	allowImportExportEverywhere: true,
};

const tooDeep = "It is nested too deeply";
const tooSlow = `It takes more than ${readingMsMax} ms to read: it is too large, declares too many names, or has a regular expression with too many named groups`;
const messageCharsMax = 300;
export const noModules = "Modules cannot be loaded: a program has plain JavaScript and its tools, nothing else";

export async function parseProgram(source: string): Promise<Parsed> {
	const text = wrap(source);
	const time = new ReadingTime();
	const script = parseWrapped(text, time);
	if (script.ok) return asTypeScriptReads(script, text, time);
	if (script.problem.message === tooDeep || script.problem.code === "too-long") return script;
	const statements = await parseEndingExpression(source, time);
	if (statements) return { ok: true, program: { text, statements, endsWithObject: false } };
	const stripped = await stripTypes(text);
	if (!stripped.ok) return { ok: false, problem: strippingProblem(text, stripped, script.problem) };
	return stripped.text === text ? script : parseWrapped(stripped.text, time);
}

/** What JavaScript takes for comparisons may be calls with type arguments. */
async function asTypeScriptReads(script: Parsed, text: string, time: ReadingTime): Promise<Parsed> {
	const plain = await withoutTypeArguments(text);
	if (plain === undefined) return script;
	const called = parseWrapped(plain, time);
	return called.ok || called.problem.code === "too-long" ? called : script;
}

function parseWrapped(text: string, time: ReadingTime): Parsed {
	try {
		const read = time.read(text, () => {
			const statements = statementsOf(text);
			if (typeof statements === "number") return statements;
			return { text, statements, endsWithObject: endsWithObject(text, statements) };
		});
		if (!read.done) return { ok: false, problem: { line: 1, column: 1, code: "too-long", message: tooSlow } };
		if (typeof read.value !== "number") return { ok: true, program: read.value };
		return { ok: false, problem: { ...placeOf(text, read.value), code: "syntax", message: "Unexpected token" } };
	} catch (error) {
		return { ok: false, problem: syntaxProblem(text, error) };
	}
}

/** The statements of the wrapped program, or the offset at which its text closes the wrapping. */
function statementsOf(text: string): readonly Statement[] | number {
	const wrapping = parseExpressionAt(text, 0, acornOptions);
	const body = wrapping.type === "ArrowFunctionExpression" ? wrapping.body : undefined;
	if (body?.type !== "BlockStatement" || wrapping.end < text.length) return wrapping.end - 1;
	return body.body;
}

/**
 * Two programs that are none by the grammar, but leave no doubt about what is meant: one that ends with a line
 * `{ total, count: 2 }`, which is read as a block, and one that is a single `async function () {...}` without a name.
 */
async function parseEndingExpression(source: string, time: ReadingTime): Promise<readonly Statement[] | undefined> {
	const at = /^\s*(?:async\s+)?function\s*\(/.test(source) ? source.search(/\S/) : lastLineWithBrace(source);
	if (at < 0) return undefined;
	try {
		const read = time.read(source, () => endingExpression(source, at));
		if (!read.done || !read.value) return undefined;
		// Written as it is meant: is all of it JavaScript to TypeScript too? If not, there is doubt about what is meant.
		const meant = wrap(`${source.slice(0, at)}return ${source.slice(at)}`);
		return (await withoutTypeArguments(meant)) === undefined ? read.value : undefined;
	} catch {
		return undefined;
	}
}

/** The statements before `at`, and the expression that is there and ends the program. */
function endingExpression(source: string, at: number): readonly Statement[] | undefined {
	// Without the end of the wrapping, which an open brace would take for its own.
	const text = opening + source;
	const start = opening.length + at;
	const before = statementsOf(wrap(source.slice(0, at)));
	const expression = parseExpressionAt(text, start, acornOptions);
	const after = statementsOf(wrap(text.slice(expression.end)));
	if (typeof before === "number" || typeof after === "number") return undefined;
	if (after.some((statement) => statement.type !== "EmptyStatement")) return undefined;
	const last: ExpressionStatement = { type: "ExpressionStatement", start, end: expression.end, expression };
	return [...before, last];
}

/** What a program ends with; declared functions are there before anything runs, wherever they stand. */
export function lastOf(statements: readonly Statement[]): Statement | undefined {
	return statements.findLast(({ type }) => type !== "FunctionDeclaration" && type !== "EmptyStatement");
}

/**
 * Is the last statement a block `{ total }` or `{ total: sum(rows) }`, and so an object as well? Both readings evaluate
 * the same expressions, which is why a method, which would not be called, makes it a block.
 */
function endsWithObject(text: string, statements: readonly Statement[]): boolean {
	const block = lastOf(statements);
	if (block?.type !== "BlockStatement") return false;
	try {
		const object = parseExpressionAt(text, block.start, acornOptions);
		if (object.type !== "ObjectExpression" || object.end !== block.end || object.properties.length === 0) return false;
		return object.properties.every((property) => property.type === "Property" && !property.method);
	} catch {
		return false;
	}
}

function lastLineWithBrace(source: string): number {
	return source.startsWith("{") && !source.includes("\n{") ? 0 : source.lastIndexOf("\n{") + 1 || -1;
}

function syntaxProblem(text: string, error: unknown): ProgramProblem {
	if (error instanceof RangeError) return { line: 1, column: 1, code: "syntax", message: tooDeep };
	if (!(error instanceof SyntaxError) || !("pos" in error) || typeof error.pos !== "number") throw error;
	// It may quote a regular expression from end to end.
	const reason = cut(error.message.replace(/ \(\d+:\d+\)$/, ""));
	if (reason.startsWith("Not enough stack space")) return { line: 1, column: 1, code: "syntax", message: tooDeep };
	// It stumbled over the end of the wrapping.
	if (error.pos >= opening.length + unwrap(text).length) return unexpectedEnd(text);
	return { ...placeOf(text, error.pos), code: "syntax", message: reason };
}

function cut(message: string): string {
	return message.length > messageCharsMax ? `${message.slice(0, messageCharsMax - 1)}…` : message;
}

function unexpectedEnd(text: string): ProgramProblem {
	return { ...endOf(text), code: "syntax", message: "Unexpected end of the program" };
}

function strippingProblem(
	text: string,
	stripped: Extract<Stripped, { ok: false }>,
	asScript: ProgramProblem,
): ProgramProblem {
	const place = stripped.place && inProgram(stripped.place);
	if (stripped.kind === "fault") {
		const message = `${asScript.message} (read as JavaScript; as TypeScript it cannot be read: ${stripped.message})`;
		return { ...asScript, message };
	}
	if (stripped.kind === "unsupported") {
		const what = stripped.message.replace(/ in (?:strip-only|type strip) mode/, " here").replace(/\.$/, "");
		const message = `${what}. Only types that can simply be left out are accepted: write it in plain JavaScript`;
		return { ...(place ?? asScript), code: "syntax", message };
	}
	if (/'import'.*'export'/.test(stripped.message))
		return { ...(place ?? asScript), code: "forbidden", message: noModules };
	const isInside = place && place.line <= endOf(text).line && place.column >= 1;
	if (isInside) return { ...place, code: "syntax", message: stripped.message };
	// It stumbled over the end; the parser knows why where it got that far, and where it fell over a type it does not.
	const stumbledAt = sourceLines(unwrap(text))[asScript.line - 1]?.[asScript.column - 1];
	return asScript.message.startsWith("Unterminated") || stumbledAt === "}" ? asScript : unexpectedEnd(text);
}
