/** Numbers that a measurement gave, by name. */
export type Numbers = { readonly [name: string]: number };

export function median(values: readonly number[]): number {
	return quantile(values, 0.5);
}

/** The mean of factors. */
export function geometricMean(values: readonly number[]): number {
	return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Linear between the two nearest values. */
export function quantile(values: readonly number[], part: number): number {
	if (values.length === 0) throw new RangeError("There is no quantile of no values");
	const sorted = [...values].sort((a, b) => a - b);
	const at = (sorted.length - 1) * part;
	const low = sorted[Math.floor(at)] as number;
	const high = sorted[Math.ceil(at)] as number;
	return low + (high - low) * (at - Math.floor(at));
}
