import { relative } from "node:path";
import type { Invocation } from "./command.ts";

/** Those who only look or answer need no agents. */
const withoutConfig: ReadonlySet<string> = new Set(["approvals", "approve", "deny", "settle", "show", "runs"]);

/** A command as a person types it, with the --store and --config that this one was given. */
export function commandLine(
	{ host, options }: Pick<Invocation, "host" | "options">,
	...words: readonly string[]
): string {
	const names = withoutConfig.has(words[0] ?? "") ? ["store"] : ["store", "config"];
	const carried = names.flatMap((name) => {
		const value = options[name];
		return typeof value === "string" ? [`--${name}`, value] : [];
	});
	return [host.command, ...[...words, ...carried].map(quoted)].join(" ");
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
