import { relative } from "node:path";
import type { Invocation } from "./command.ts";

/**
 * What somebody chose for this command and needs again for the next one. Those who only look or answer take all of it
 * too: they print the command that goes on.
 */
const carriedNames = ["store", "config", "model", "base-url"] as const;

/** The options of this command that go into the next one, as words. */
export function carriedWords({ options }: Pick<Invocation, "options">): string[] {
	return carriedNames.flatMap((name) => {
		const value = options[name];
		return typeof value === "string" ? [`--${name}`, value] : [];
	});
}

/** A command as a person types it, with the store, config and model that this one was given. */
export function commandLine(invocation: Pick<Invocation, "host" | "options">, ...words: readonly string[]): string {
	return [invocation.host.command, ...[...words, ...carriedWords(invocation)].map(quoted)].join(" ");
}

/** For a POSIX shell. */
export function quoted(word: string): string {
	return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A path as short as it can be said from here. */
export function shownPath(path: string, cwd: string): string {
	const near = relative(cwd, path);
	return near === "" ? "." : near.startsWith("../../") || near.length > path.length ? path : near;
}
