/** What the provider runs, and nothing else: the digests of build.lock.json as a source file of holdpoint, formatted. */
export function digestsSource(lock) {
	const lists = Object.entries(lock).map(([name, entries]) => {
		const digests = entries.map(({ sha256 }) => `"${sha256}"`);
		const list = digests.length === 1 ? digests[0] : `\n${digests.map((each) => `\t\t${each},\n`).join("")}\t`;
		return `\t${/^\w+$/.test(name) ? name : JSON.stringify(name)}: [${list}],\n`;
	});
	return [
		"/** SHA-256 of the files that this version runs. Written by scripts/build-microvm.mjs --record. */\n",
		'export const binaryDigests: Readonly<Record<"guest.elf" | "microvmd", readonly string[]>> = {\n',
		...lists,
		"};\n",
	].join("");
}

/**
 * What a checkout trusts of its own build, where other tools than the recorded ones made it: per file its digest, and the
 * recorded digests in whose place it is. Undefined where the lock speaks of these tools.
 * Errors: an Error where it speaks of them and says something else.
 */
export function ownDigests(lock, built) {
	const own = {};
	for (const [name, { tools, sha256 }] of Object.entries(built)) {
		const entries = lock[name] ?? [];
		const entry = entries.find((each) => each.tools === tools);
		if (entry === undefined) own[name] = { sha256, insteadOf: entries.map((each) => each.sha256) };
		else if (entry.sha256 !== sha256) {
			throw new Error(
				`${name} has the SHA-256 ${sha256}, build.lock.json says ${entry.sha256}.\n` +
					"After a change of the sources: node scripts/build-microvm.mjs --record",
			);
		}
	}
	return Object.keys(own).length > 0 ? own : undefined;
}
