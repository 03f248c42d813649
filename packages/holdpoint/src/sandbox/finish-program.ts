import type { ExpressionStatement } from "acorn";
import { lastOf, type ParsedProgram } from "./parse-program.ts";
import { unwrap } from "./wrapped-program.ts";

/**
 * The program as the body of an async function that returns the program's value. No line moves: a few characters are
 * put before the last expression, or behind everything.
 *
 * The value is what the program returns, or its last expression. Three forms are taken for what they mean:
 * a last line `{ total }` or `{ total: 1 }` is an object and no block; a last expression that is a function without
 * parameters is called (`async () => {...}` as the whole program); a program that is one function declaration without
 * parameters calls it.
 */
export function finishProgram({ text, statements: all, endsWithObject }: ParsedProgram): string {
	const statements = all.filter((statement) => statement.type !== "EmptyStatement");
	const [only] = statements;
	if (only?.type === "FunctionDeclaration" && statements.length === 1) {
		const called = only.params.length === 0 && !only.generator;
		return called ? `${unwrap(text)}\nreturn ${only.id.name}();` : unwrap(text);
	}
	const last = lastOf(statements);
	if (last?.type === "ExpressionStatement") return unwrap(returning(text, last));
	if (last?.type === "BlockStatement" && endsWithObject) return unwrap(insert(text, last.start, "return "));
	return unwrap(text);
}

function returning(text: string, statement: ExpressionStatement): string {
	const { type } = statement.expression;
	if (type !== "ArrowFunctionExpression" && type !== "FunctionExpression")
		return insert(text, statement.start, "return ");
	const { params, generator } = statement.expression;
	if (params.length > 0 || generator) return insert(text, statement.start, "return ");
	const end = text[statement.end - 1] === ";" ? statement.end - 1 : statement.end;
	return insert(insert(text, end, ")()"), statement.start, "return (");
}

function insert(text: string, at: number, added: string): string {
	return text.slice(0, at) + added + text.slice(at);
}
