/**
 * Follows a document as a reader would: writes the files that it names into one folder, types its commands there, in
 * their order, and compares what they print with what the document shows.
 *
 *   ```ts file=NAME     a whole file; a later block of the same name replaces it
 *   ```console          lines that begin with `$ ` are commands, the others what they print
 *
 * Ids, times, durations and sizes may differ; everything else may not. With `isWriting` the document's file is rewritten
 * with what was printed now.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { environment } from "./run-all.mjs";

const limitMs = 30_000;
const ids = /\bapr_[a-z0-9]+|\brun_[a-z0-9]+/g;

/** Faults; none when everything went as the document says. */
export function followGuide(blocks, { root, folder, file, isWriting }) {
	const faults = [];
	/** What the document calls an id → what it is this time. */
	const known = new Map();
	const lines = readFileSync(file, "utf8").split("\n");
	const edits = [];
	for (const block of blocks) {
		if (block.fileName !== undefined) {
			writeFileSync(join(folder, block.fileName), block.text);
			continue;
		}
		const shown = steps(block.lines).flatMap(({ command, expected }) => {
			const { output, fault } = type(replaceIds(command, known), { root, folder });
			const printed = named(output, expected, known);
			if (fault) faults.push(`${block.place} ${command}\n  ${fault}\n${output}`);
			else if (!isWriting && plain(printed) !== plain(expected.join("\n"))) {
				faults.push(
					`${block.place} ${command} prints something else (node scripts/check-docs.mjs --write):\n${printed}`,
				);
			}
			return [`$ ${command}`, ...(printed === "" ? [] : printed.split("\n"))];
		});
		edits.unshift({ at: block.line, count: block.lines.length, shown });
	}
	// From the end on, so that the places of the others stay true.
	if (isWriting) {
		for (const { at, count, shown } of edits) lines.splice(at, count, ...shown);
		writeFileSync(file, lines.join("\n"));
	}
	return faults;
}

function steps(lines) {
	const found = [];
	for (const line of lines) {
		if (line.startsWith("$ ")) found.push({ command: line.slice(2), expected: [] });
		else found.at(-1)?.expected.push(line);
	}
	return found;
}

/** Exit code 3 says that a run waits, which is what a guide to waiting shows. */
function type(command, { root, folder }) {
	// What `npx` would find, without its half a second for each command.
	const path = [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);
	const env = { ...environment, NO_COLOR: "1", PATH: path, npm_command: "exec" };
	const words = command.replace(/^npx /, "");
	const { status, stdout, stderr } = spawnSync("sh", ["-c", words], {
		cwd: folder,
		env,
		encoding: "utf8",
		timeout: limitMs,
	});
	const output = `${stdout}${stderr}`.trimEnd();
	return { output, fault: status === 0 || status === 3 ? undefined : `ends with exit code ${status}` };
}

function replaceIds(text, known) {
	return text.replaceAll(ids, (id) => known.get(id) ?? id);
}

/** The output with the ids and the person of the document. */
function named(output, expected, known) {
	const before = expected.join("\n").match(ids) ?? [];
	const now = output.match(ids) ?? [];
	if (before.length === now.length) for (const [at, id] of before.entries()) known.set(id, now[at]);
	const back = new Map([...known].map(([shown, real]) => [real, shown]));
	const user = userInfo().username;
	return output
		.replaceAll(ids, (id) => back.get(id) ?? id)
		.replaceAll(`${user} (os)`, "ann (os)")
		.replaceAll(`for ${user}`, "for ann")
		.replaceAll(new RegExp(`(for +)${user}, by`, "g"), "$1ann, by");
}

/** Without what differs each time. */
function plain(text) {
	return text
		.replaceAll(ids, "<id>")
		.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, "<date>")
		.replaceAll(/\d\d:\d\d:\d\d(\.\d+)?/g, "<time>")
		.replaceAll(/\d+(\.\d+)? (ms|s|min|h|d)\b( \d+ (s|min|h)\b)?|\bnow\b/g, "<duration>")
		.replaceAll(/\d+(\.\d+)? K?B\b/g, "<size>")
		.replaceAll(/[\d,]+ tokens( in, [\d,]+ out)?/g, "<tokens>")
		.replaceAll(/\bkey [\w-]{8}(?![\w-])/g, "<key>")
		.replaceAll(/\bcedar:[\w-]{12}(?![\w-])/g, "<version>")
		.replaceAll(/ +/g, " ")
		.trim();
}
