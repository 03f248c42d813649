import type { Host } from "./host.ts";
import type { Terminal } from "./terminal.ts";

/** What the arguments of a command look like; help and parsing are made of it. */
export interface CommandSpec {
	readonly name: string;
	readonly summary: string;
	readonly positionals?: readonly PositionalSpec[];
	readonly options?: readonly OptionSpec[];
	/** Options of every command that mean nothing here, and what to use instead. */
	readonly refuses?: { readonly [option: string]: string };
	/** Lines of help below the options. */
	readonly notes?: readonly string[];
	/** Imported when the command is run, so that the others need not wait for it. */
	load(): Promise<Command>;
}

export interface PositionalSpec {
	readonly name: string;
	readonly about: string;
	readonly optional?: true;
	/** The last one only: as many as there are. */
	readonly many?: true;
}

export interface OptionSpec {
	readonly name: string;
	/** What its value is called; an option without it is a flag. */
	readonly value?: string;
	readonly about: string;
	/** May be given more than once. */
	readonly many?: true;
	/** Not in the help: it is known for another reason. */
	readonly hidden?: true;
}

export interface Invocation {
	readonly host: Host;
	readonly terminal: Terminal;
	/** In the order in which the spec names them. */
	readonly positionals: readonly string[];
	readonly options: Options;
}

export interface Options {
	readonly [name: string]: string | true | readonly string[] | undefined;
}

/** Returns the exit code. */
export type Command = (invocation: Invocation) => Promise<number>;

/** 0 is everything that went well. */
export const exitCodes = { done: 0, failed: 1, usage: 2, waiting: 3, interrupted: 130 } as const;

/** The value of an option that takes one. */
export function textOption({ options }: Pick<Invocation, "options">, name: string): string | undefined {
	const value = options[name];
	return typeof value === "string" ? value : undefined;
}

/** The values of an option that may be given more than once. */
export function textOptions({ options }: Pick<Invocation, "options">, name: string): readonly string[] {
	const value = options[name];
	return Array.isArray(value) ? value : [];
}
