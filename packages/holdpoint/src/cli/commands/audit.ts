import { createWriteStream, renameSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { counted } from "../../kit/counted.ts";
import { reasonOf } from "../../kit/reason-of.ts";
import type { AuditedEvent } from "../../run/audit-doors.ts";
import { HoldpointError } from "../../spec/errors.ts";
import { type Command, exitCodes, type Invocation } from "../command.ts";
import { shownPath } from "../command-line.ts";
import { findRun } from "../find-run.ts";
import { openToErase, openWithConfig, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { inlineText } from "../render/safe-text.ts";

const actions: { readonly [name: string]: Command } = { key, checkpoint, export: exportLog, prove, erase };

/** The audit log: `holdpoint audit <what>`. */
export async function audit(invocation: Invocation): Promise<number> {
	const [what = ""] = invocation.positionals;
	// Somebody who verifies has neither a store nor a config: nothing of the harness is loaded for them.
	if (what === "verify") return (await import("./audit-verify.ts")).auditVerify(invocation);
	const action = Object.hasOwn(actions, what) ? actions[what] : undefined;
	if (action) return action(invocation);
	const names = [...Object.keys(actions), "verify"].join(", ");
	throw usageInvalid(`audit does not know "${inlineText(what, 40)}"`, `It takes one of: ${names}.`);
}

function onlyOne(invocation: Invocation, name: string, about: string): string {
	const [what, given] = invocation.positionals;
	if (given !== undefined) return given;
	throw usageInvalid(`audit ${what} needs <${name}>: ${about}`, "Run `holdpoint audit --help`.");
}

async function key(invocation: Invocation): Promise<number> {
	return using(await openWithConfig(invocation), async ({ harness }) => {
		const text = await harness.audit.key();
		invocation.terminal.answer({ key: text }, () => [text]);
		return exitCodes.done;
	});
}

async function checkpoint(invocation: Invocation): Promise<number> {
	const { host, terminal, positionals } = invocation;
	const [, file] = positionals;
	return using(await openWithConfig(invocation), async ({ harness }) => {
		const note = await harness.audit.checkpoint();
		if (file !== undefined) writing(file, () => writeFileSync(resolve(host.cwd, file), note));
		terminal.answer({ checkpoint: note, ...(file === undefined ? {} : { file }) }, () => note.trimEnd().split("\n"));
		return exitCodes.done;
	});
}

/** The file appears whole or not at all. */
async function exportLog(invocation: Invocation): Promise<number> {
	const { host, terminal, options } = invocation;
	const path = resolve(host.cwd, onlyOne(invocation, "file", "where the export goes"));
	const payloads = options["payloads"] !== undefined;
	const partial = `${path}.${process.pid}.partial`;
	return using(await openWithConfig(invocation), async ({ harness }) => {
		let lines = 0;
		async function* text(): AsyncGenerator<string> {
			for await (const line of harness.audit.export({ payloads })) {
				lines++;
				yield `${line}\n`;
			}
		}
		try {
			// A person's data is in it, where payloads are.
			await pipeline(text(), createWriteStream(partial, { mode: 0o600 }));
			writing(path, () => renameSync(partial, path));
		} finally {
			rmSync(partial, { force: true });
		}
		const own = await harness.audit.key();
		terminal.answer({ file: path, lines, payloads, key: own }, () => [
			`${terminal.style.green("✓")} ${shownPath(path, host.cwd)}: ${counted(lines, "line")}, ${payloads ? "with payloads" : "facts alone"}`,
			`  Verify with: holdpoint audit verify ${shownPath(path, host.cwd)} --key '${own}'`,
		]);
		return exitCodes.done;
	});
}

function writing(path: string, write: () => void): void {
	try {
		write();
	} catch (cause) {
		throw new HoldpointError("usage.invalid", `${path} cannot be written: ${reasonOf(cause)}`, {
			cause,
			hint: "Name a file in a folder that is there and that you may write to.",
		});
	}
}

async function prove(invocation: Invocation): Promise<number> {
	const given = onlyOne(invocation, "event", "index of a leaf, or <run>/<number of its event>");
	const payloads = invocation.options["payloads"] !== undefined;
	return using(await openWithConfig(invocation), async ({ harness, store }) => {
		const [, run, number = given] = /^(.+)\/(\d+)$/.exec(given) ?? [];
		if (!/^\d{1,15}$/.test(number)) throw usageInvalid(`"${inlineText(given, 60)}" is no event: 17, or <run>/3`);
		const event: AuditedEvent =
			run === undefined ? Number(number) : { run: await findRun(store, run), event: Number(number) };
		const proof = await harness.audit.prove(event, { payloads });
		const text = JSON.stringify(proof);
		invocation.terminal.answer(proof, () => [text]);
		return exitCodes.done;
	});
}

async function erase(invocation: Invocation): Promise<number> {
	const { terminal, options } = invocation;
	const given = onlyOne(invocation, "run", "a run that is over");
	const by = osApprover(invocation);
	return using(await openToErase(invocation), async ({ harness, store }) => {
		const run = await findRun(store, given);
		if (options["yes"] === undefined) {
			throw usageInvalid(`Erasing run ${run} cannot be undone`, "Say so with --yes.");
		}
		await harness.audit.erase({ run, by: by.id });
		terminal.answer({ run, erased: true, by }, () => [
			`${terminal.style.green("✓")} Erased: what run ${run} said and did. Its leaves still prove that it was permitted.`,
		]);
		return exitCodes.done;
	});
}
