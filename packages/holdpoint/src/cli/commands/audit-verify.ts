import { createReadStream, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { AuditReport, Finding } from "../../audit/verifier/verify.ts";
import { keyProblem, verifyExport, verifyProof } from "../../audit/verifier/verify.ts";
import { counted } from "../../kit/counted.ts";
import { reasonOf } from "../../kit/reason-of.ts";
import { HoldpointError } from "../../spec/errors.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Terminal } from "../terminal.ts";

const smallFileBytes = 1_048_576;
const proofBytesMax = 32 * 1_048_576;

/** Verifies an export, or the proof of one event, with no store and no config. */
export async function auditVerify(invocation: Invocation): Promise<number> {
	const { host, terminal, positionals } = invocation;
	const [, file] = positionals;
	if (file === undefined) throw usageInvalid("audit verify needs <file>: an export, or a proof");
	const key = keyOf(invocation);
	const since = textOption(invocation, "since");
	const trusted = since === undefined ? undefined : smallFile(host.cwd, since);
	const path = resolve(host.cwd, file);
	if (isProof(path)) return proven(terminal, verifyProof(parsed(readFileSync(path, "utf8")), key));
	let report: AuditReport;
	try {
		report = await verifyExport(createReadStream(path), { key, since: trusted });
	} catch (cause) {
		throw unreadable(file, cause);
	}
	terminal.answer(report, () => reportLines(report, terminal, { isCompared: trusted !== undefined }));
	return report.ok ? exitCodes.done : exitCodes.failed;
}

/** The key itself, or a file that has it. */
function keyOf({ host, options }: Pick<Invocation, "host" | "options">): string {
	const given = textOption({ options }, "key");
	if (given === undefined) {
		throw usageInvalid(
			"audit verify needs --key <key>: the log's public key, or a file that has it",
			"Get it from whoever runs the log, on another way than the export: `holdpoint audit key`.",
		);
	}
	const key = (given.includes("+") ? given : smallFile(host.cwd, given)).trim();
	const problem = keyProblem(key);
	if (problem === undefined) return key;
	throw usageInvalid(`The public key cannot be used: ${problem}`, "It is what `holdpoint audit key` prints.");
}

function smallFile(cwd: string, file: string): string {
	try {
		const text = readFileSync(resolve(cwd, file), "utf8");
		if (text.length <= smallFileBytes) return text;
	} catch (cause) {
		throw unreadable(file, cause);
	}
	throw usageInvalid(`${file} is too large for a key or a checkpoint`);
}

function unreadable(file: string, cause: unknown): HoldpointError {
	return new HoldpointError("usage.invalid", `${file} cannot be read: ${reasonOf(cause)}`, {
		cause,
		hint: "Check the path.",
	});
}

/** A proof is one small object; an export begins with its head. */
function isProof(path: string): boolean {
	try {
		if (statSync(path).size > proofBytesMax) return false;
		return readFileSync(path, "utf8").trimStart().startsWith('{"format":"holdpoint-audit-proof"');
	} catch {
		// The export is read as a stream, and that says what is wrong.
		return false;
	}
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function proven(terminal: Terminal, finding: Finding | undefined): number {
	terminal.answer({ ok: finding === undefined, findings: finding ? [finding] : [] }, () => [
		finding
			? findingLine(finding, terminal)
			: `${terminal.style.green("✓")} The event is in the log as it is shown here.`,
	]);
	return finding ? exitCodes.failed : exitCodes.done;
}

function findingLine({ kind, message }: Finding, { style }: Terminal): string {
	return `${style.red("✗")} ${style.bold(kind)}: ${inlineText(message, 400)}`;
}

function reportLines(
	report: AuditReport,
	terminal: Terminal,
	{ isCompared }: { readonly isCompared: boolean },
): string[] {
	const { style } = terminal;
	const { leaves, checkpoints, executions, payloads, findings, more, origin, checkpoint } = report;
	const counts = [
		counted(leaves, "leaf", "leaves"),
		counted(checkpoints, "checkpoint"),
		counted(executions, "execution"),
	].join(", ");
	if (!report.ok) {
		return [
			...findings.map((finding) => findingLine(finding, terminal)),
			...(more > 0 ? [`  and ${more} more`] : []),
			`${origin}: ${counts}. Do not rely on this export.`,
		];
	}
	const hidden = payloads.shown > 0 ? `, ${payloads.shown} shown in part and proven by nothing` : "";
	const shown =
		payloads.checked > 0 ? `; ${payloads.checked} payloads compared${hidden}, ${payloads.absent} not shown` : "";
	const open =
		report.openRuns > 0
			? [`  Runs without an end here: ${report.openRuns}. What they did without this log, or since, it does not say.`]
			: [];
	return [
		`${style.green("✓")} ${inlineText(origin, 200)}: ${counts}, each permitted${shown}.`,
		isCompared
			? "  It goes on from the checkpoint that was trusted before."
			: "  Whether an older log was put back is seen only with --since: keep this checkpoint for the next time.",
		...open,
		...(checkpoint ?? "")
			.trimEnd()
			.split("\n")
			.map((line) => `    ${inlineText(line, 200)}`),
	];
}
