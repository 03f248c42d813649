/** Memory of 10,000 entries in SQLite: searched, listed and written through the harness, which verifies what it reads. */
import { join } from "node:path";
import { createHarness, type Harness, sqliteStore } from "holdpoint";
import type { Numbers } from "../statistics.ts";
import { serveRows, timed } from "../subject.ts";
import { check } from "../work.ts";

const folder = process.argv[2] ?? ".";
const principal = "ann";
const wordsPerEntry = 50;
/** Words that stand in one of so many entries. */
const needles = 97;

/** A few words are in most entries, and most words in a few: as in what people write. */
function vocabulary(random: () => number): () => string {
	const size = 5_000;
	return () => `word${Math.floor(size ** random()) - 1}`;
}

/** The same entries in every process. */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}

const word = vocabulary(seeded(7));
const text = () => Array.from({ length: wordsPerEntry }, word).join(" ");

let filled: Promise<Harness> | undefined;

/** With a second space of the same size, which nobody asks for. */
async function open({ entries = 10_000 }: Numbers): Promise<Harness> {
	const harness = createHarness({ store: sqliteStore(join(folder, "memory.db")) });
	for (const whose of ["bob", principal]) {
		const files = Array.from({ length: entries }, (_, n) => ({
			file: `${n}.md`,
			text: `---\nholdpoint-memory: 1\nname: "notes/${n}"\n---\n${text()} needle${n % needles}`,
		}));
		const done = await harness.memory.import(files, { principal: whose });
		check(done.entries === entries, `${done.entries} entries`);
	}
	return harness;
}

async function harnessOf(args: Numbers): Promise<Harness> {
	filled ??= open(args);
	return filled;
}

let asked = 0;

function search(query: () => string) {
	return timed({
		prepare: harnessOf,
		run: async (harness, { entries = 0 }) => {
			const found = await harness.memory.search(query(), { principal, limit: 10 });
			check(found.length > 0 || entries < needles, `${found.length} found`);
		},
	});
}

const list = timed({
	prepare: harnessOf,
	run: async (harness) => {
		const entries = await harness.memory.list({ principal, limit: 100 });
		check(entries.length > 0, `${entries.length} listed`);
	},
});

/** Each replaces one of a few, so that their number stays. */
const write = timed({
	prepare: harnessOf,
	run: (harness) => harness.memory.write(`notes/${asked++ % 100}`, text(), { principal }),
});

await serveRows({
	search: search(() => `needle${asked++ % needles} ${word()} ${word()}`),
	// It is in nearly every entry.
	common: search(() => "word0 word1"),
	list,
	write,
});
