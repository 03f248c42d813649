import type { Hold } from "../spec/events.ts";
import type { Write } from "../spec/store.ts";

/** An amount of a shared account that a call needs. */
export interface Wanted extends Hold {
	/** What the account may hold and have spent at most. */
	readonly max: number;
	/** When the account ends; undefined: never. Milliseconds since 1970. */
	readonly until: number | undefined;
}

/** An account that has not enough left. */
export interface Short {
	readonly account: string;
	/** By others, be it spent or held. */
	readonly used: number;
}

/** Whatever it holds: nothing came of it. */
export function givenBack(holder: string): Extract<Write, { kind: "settle.rest" }> {
	return { kind: "settle.rest", holder, unspent: true };
}

/** Under which the reads of a program's rehearsal hold what they take, one after the other. */
export function rehearsalHolder(program: string): string {
	return `${program}~`;
}
