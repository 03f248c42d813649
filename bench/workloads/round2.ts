/**
 * Rounds the exact binary value to two decimals, an exact tie to the even digit (as Python's `round(x, 2)` does).
 * `toFixed` takes the exact value too but sends ties away from zero. Ties are the odd eighths: .125 and .625 are the
 * two of them where that differs, and the only ones that end in 3.
 */
export function round2(x: number): number {
	if (x === 0) return x; // toFixed drops the sign of -0
	const text = x.toFixed(2);
	const tie = Math.abs(x * 8) % 2 === 1;
	return Number(tie && text.endsWith("3") ? `${text.slice(0, -1)}2` : text);
}
