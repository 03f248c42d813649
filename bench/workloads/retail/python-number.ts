/*
 * Numbers as the expression language of `calculate` has them: whole numbers are exact (bigint) until a `/` or a
 * decimal number is met, then doubles. Whatever cannot be evaluated throws `ArithmeticError`.
 */

export type PythonNumber = bigint | number;
export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "**";

/** Whole numbers above this cannot become a double, and a tower of powers would never end. */
const wholeBitsMax = 1100;

export class ArithmeticError extends Error {}

export function binary(operator: BinaryOperator, a: PythonNumber, b: PythonNumber): PythonNumber {
	if (typeof a === "bigint" && typeof b === "bigint") return bounded(wholeOperations[operator](a, b));
	return doubleOperations[operator](toDouble(a), toDouble(b));
}

/** Errors: ArithmeticError when a whole number is out of range. */
export function toDouble(value: PythonNumber): number {
	const double = Number(value);
	if (typeof value === "bigint" && !Number.isFinite(double))
		throw new ArithmeticError("int too large to convert to float");
	return double;
}

const wholeOperations: Record<BinaryOperator, (a: bigint, b: bigint) => PythonNumber> = {
	"+": (a, b) => a + b,
	"-": (a, b) => a - b,
	"*": (a, b) => a * b,
	"/": divideWhole,
	"//": (a, b) => {
		const quotient = a / nonZero(b);
		return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
	},
	"**": (a, b) => {
		if (b < 0n) return power(toDouble(a), toDouble(b));
		if (b * BigInt(bitLength(a) - 1) > wholeBitsMax) throw new ArithmeticError("result too large");
		return a ** b;
	},
};

const doubleOperations: Record<BinaryOperator, (a: number, b: number) => number> = {
	"+": (a, b) => a + b,
	"-": (a, b) => a - b,
	"*": (a, b) => a * b,
	"/": (a, b) => a / nonZero(b),
	"//": floorDivide,
	"**": power,
};

function nonZero<T extends PythonNumber>(divisor: T): T {
	if (Number(divisor) === 0) throw new ArithmeticError("division by zero");
	return divisor;
}

function bounded(value: PythonNumber): PythonNumber {
	if (typeof value === "bigint" && bitLength(value) > wholeBitsMax) throw new ArithmeticError("result too large");
	return value;
}

function bitLength(value: bigint): number {
	return (value < 0n ? -value : value).toString(2).length;
}

/** The double nearest to a / b, which Number(a) / Number(b) is not once one of them exceeds 2^53. */
function divideWhole(a: bigint, b: bigint): number {
	nonZero(b);
	const shift = Math.max(0, 66 + bitLength(b) - bitLength(a));
	const dividend = (a < 0n ? -a : a) << BigInt(shift);
	const divisor = b < 0n ? -b : b;
	// A last bit that says "and a bit more" keeps the rounding of Number() right.
	const quotient = ((dividend / divisor) << 1n) | (dividend % divisor === 0n ? 0n : 1n);
	const half = Math.ceil((shift + 1) / 2);
	const size = Number(quotient) / 2 ** half / 2 ** (shift + 1 - half);
	if (!Number.isFinite(size)) throw new ArithmeticError("integer division result too large for a float");
	return a < 0n !== b < 0n ? -size : size;
}

function floorDivide(a: number, b: number): number {
	nonZero(b);
	let rest = a % b;
	let quotient = (a - rest) / b;
	if (rest !== 0 && b < 0 !== rest < 0) {
		rest += b;
		quotient -= 1;
	}
	if (quotient === 0) return a / b < 0 || Object.is(a / b, -0) ? -0 : 0;
	const floor = Math.floor(quotient);
	return quotient - floor > 0.5 ? floor + 1 : floor;
}

function power(base: number, exponent: number): number {
	if (base === 0 && exponent < 0) throw new ArithmeticError("0.0 cannot be raised to a negative power");
	if (base < 0 && Number.isFinite(exponent) && !Number.isInteger(exponent)) {
		throw new ArithmeticError("a negative number raised to a fraction is not real");
	}
	const result = base ** exponent;
	if (!Number.isFinite(result) && Number.isFinite(base) && Number.isFinite(exponent)) {
		throw new ArithmeticError("result too large");
	}
	return result;
}

/** As Python prints a float: shortest digits, a decimal point always, exponent form from 1e16 upwards. */
export function printDouble(value: number): string {
	if (Number.isNaN(value)) return "nan";
	if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
	if (Object.is(value, -0)) return "-0.0";
	if (Math.abs(value) >= 1e16) return value.toExponential();
	return Number.isInteger(value) ? `${value}.0` : `${value}`;
}
