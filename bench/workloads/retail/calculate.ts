import { fail, type ToolOutcome } from "../outcome.ts";
import { round2 } from "../round2.ts";
import {
	ArithmeticError,
	type BinaryOperator,
	binary,
	type PythonNumber,
	printDouble,
	toDouble,
} from "./python-number.ts";
import { retailTool } from "./retail-tool.ts";

/*
 * Arithmetic in Python's grammar. The whole text is parsed before anything is evaluated, because a syntax error wins
 * over a division by zero that stands before it.
 *   sum     = product { ("+" | "-") product }
 *   product = unary { ("*" | "/" | "//") unary }
 *   unary   = ("+" | "-") unary | power
 *   power   = atom [ "**" unary ]
 *   atom    = (number | "(" [sum] ")") { "(" [sum] ")" }
 * Empty parentheses and a call (the braces of atom) are well formed, but nothing that can be evaluated.
 */

export const calculate = retailTool({
	name: "calculate",
	effect: "internal",
	params: { expression: "text" },
	run: (_db, { expression }) => evaluate(expression),
});

const expressionLengthMax = 4096;
const depthMax = 200;

function evaluate(expression: string): ToolOutcome {
	if (/[^0-9+\-*/(). ]/.test(expression)) return fail("invalid_argument", "Invalid characters in expression");
	if (expression.length > expressionLengthMax) return fail("invalid_argument", "Expression is too long");
	try {
		const value = new Parser(tokensOf(expression)).expression();
		return { result: printDouble(round2(toDouble(value()))) };
	} catch (error) {
		if (error instanceof SyntaxError) return fail("invalid_argument", error.message);
		if (error instanceof ArithmeticError) return fail("arithmetic", error.message);
		throw error;
	}
}

type Value = () => PythonNumber;

function tokensOf(expression: string): readonly string[] {
	return expression.match(/\*\*|\/\/|[-+*/()]|\d+\.?\d*|\.\d+|\./g) ?? [];
}

class Parser {
	readonly #tokens: readonly string[];
	#at = 0;
	#depth = 0;

	constructor(tokens: readonly string[]) {
		this.#tokens = tokens;
	}

	expression(): Value {
		const value = this.#sum();
		if (this.#at < this.#tokens.length) throw new SyntaxError("invalid syntax");
		return value;
	}

	#sum(): Value {
		return this.#chain(["+", "-"], () => this.#chain(["*", "/", "//"], () => this.#unary()));
	}

	#chain(operators: readonly BinaryOperator[], operand: () => Value): Value {
		const first = operand();
		const rest: [BinaryOperator, Value][] = [];
		for (let operator = this.#take(operators); operator; operator = this.#take(operators)) {
			rest.push([operator, operand()]);
		}
		return () => rest.reduce((left, [operator, right]) => binary(operator, left, right()), first());
	}

	#unary(): Value {
		return this.#nested(() => {
			const sign = this.#take(["+", "-"]);
			if (!sign) return this.#power();
			const operand = this.#unary();
			return sign === "-" ? () => -operand() : operand;
		});
	}

	#power(): Value {
		const base = this.#atom();
		if (!this.#take(["**"])) return base;
		const exponent = this.#unary();
		return () => binary("**", base(), exponent());
	}

	#atom(): Value {
		let value = this.#take(["("]) ? this.#parenthesized() : this.#number();
		while (this.#take(["("])) {
			this.#parenthesized();
			value = unevaluable("a number is not callable");
		}
		return value;
	}

	/** What follows an opening parenthesis. */
	#parenthesized(): Value {
		if (this.#take([")"])) return unevaluable("() is not a number");
		const value = this.#sum();
		if (!this.#take([")"])) throw new SyntaxError("'(' was never closed");
		return value;
	}

	#number(): Value {
		const text = this.#tokens[this.#at++] ?? "";
		if (!/\d/.test(text)) throw new SyntaxError("invalid syntax");
		if (text.includes(".")) return constant(Number(text));
		if (/^0+[1-9]/.test(text)) throw new SyntaxError("leading zeros in decimal integer literals are not permitted");
		return constant(BigInt(text));
	}

	#take<T extends string>(wanted: readonly T[]): T | undefined {
		const found = wanted.find((text) => text === this.#tokens[this.#at]);
		if (found !== undefined) this.#at++;
		return found;
	}

	#nested(parse: () => Value): Value {
		if (++this.#depth > depthMax) throw new SyntaxError("too many nested parentheses");
		const value = parse();
		this.#depth--;
		return value;
	}
}

function unevaluable(message: string): Value {
	return () => {
		throw new ArithmeticError(message);
	};
}

function constant(value: PythonNumber): Value {
	return () => value;
}
