/** How long and how often something is measured. */
export interface Pace {
	/** Fresh processes. */
	readonly rounds: number;
	/** Turns that each lane has in a process. */
	readonly slices: number;
	/** Before the first slice. */
	readonly warmup: Span;
	readonly slice: Span;
}

/** At least `min` repetitions, and as many more as begin within `ms`. */
export interface Span {
	readonly ms: number;
	readonly min: number;
}
