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
