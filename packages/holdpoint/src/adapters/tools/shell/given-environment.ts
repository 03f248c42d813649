/**
 * What stands right before a command: it says on descriptor 3 that the command begins, and sets its environment, past the launchers before it. Theirs holds the values alone, under names that mean nothing to
 * anybody: a loader's variable (`LD_LIBRARY_PATH`) would have root load what the agent wrote. The names ride in the words, the
 * values do not: everybody on a machine can read the words of a process.
 */
export interface GivenEnvironment {
	/** What the launchers find in theirs. */
	readonly carried: Readonly<Record<string, string>>;
	/** Stand before a command, behind everything that has rights. Shape: `sh` is an absolute path. */
	words(sh: string): string[];
}

const script = `
count=$1; at=0; shift
while [ "$at" -lt "$count" ]; do
	eval "export \\"\\$1=\\$given_$at\\"; unset given_$at"
	shift; at=$((at + 1))
done
unset count at
printf . >&3 || exit 125
exec "$@" 3>&-
`;

/** Errors: one that names a variable that is none. */
export function givenEnvironment(env: Readonly<Record<string, string>>): GivenEnvironment {
	const entries = Object.entries(env);
	for (const [name, value] of entries) {
		// A shell exports no other names; its own are those that it could not take.
		if (!/^[A-Za-z_]\w*$/.test(name) || /^(given_|count$|at$)/.test(name))
			throw new Error(`env: ${JSON.stringify(name)} is no name of a variable (letters, digits, _)`);
		if (typeof value !== "string" || value.includes("\0")) throw new Error(`env: ${name} is no text without a NUL`);
	}
	return {
		carried: Object.fromEntries(entries.map(([, value], at) => [`given_${at}`, value])),
		words: (sh) => [sh, "-c", script, "sh", String(entries.length), ...entries.map(([name]) => name)],
	};
}
