import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const source = pathToFileURL(join(import.meta.dirname, "memory-files.ts")).href;

/** In a process of its own: whoever opened such a file would not come back, and no test could end that. */
function readIn(folder: string): { readonly isOver: boolean; readonly said: string } {
	const code = `import { filesIn } from ${JSON.stringify(source)};
try { console.log(JSON.stringify(filesIn("/", ${JSON.stringify(folder)}))); } catch (error) { console.log(error.code + ": " + error.message); }`;
	const args = ["--conditions=@holdpoint/source", "--input-type=module", "-e", code];
	const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
	return { isOver: status === 0, said: `${stdout}${stderr}` };
}

const kinds: readonly (readonly [what: string, name: string, ...make: string[]])[] = [
	["a named pipe", "pipe.md", "mkfifo"],
	["a device that never ends", "zero.md", "mknod", "c", "1", "5"],
	["a terminal", "tty.md", "mknod", "c", "5", "0"],
];

test.for(kinds)("%s is no entry of memory, and nobody waits for its end", ([, name, make = "", ...of], context) => {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-memory-"));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const made = spawnSync(make, [join(folder, name), ...of], { encoding: "utf8" });
	if (made.status !== 0) return context.skip(`${make} makes none here: ${made.stderr}`);
	const { isOver, said } = readIn(folder);
	expect(said).toMatch(
		new RegExp(`^usage\\.invalid: ${name} (is no plain file of at most \\d+ bytes|cannot be used: .*)\n$`),
	);
	expect(isOver).toBe(true);
});
