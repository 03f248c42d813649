import { randomUUID } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { counted } from "../../kit/counted.ts";
import { HoldpointError } from "../../spec/errors.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { shownPath } from "../command-line.ts";
import { findRun, newestRun } from "../find-run.ts";
import { openInbox, using } from "../open-harness.ts";
import { dateTime, duration } from "../render/duration.ts";
import { tracePage } from "../render/trace-page.ts";
import { isCommit, waterfallLines, waterfallRows } from "../render/waterfall.ts";
import { shownRun } from "../shown-run.ts";
import { type ShownSegment, shownTrace } from "../shown-trace.ts";

/** Where the time of a run went. The journal is verified first, so that what is shown is of this run. */
export async function trace(invocation: Invocation): Promise<number> {
	const { host, terminal, positionals } = invocation;
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const [given] = positionals;
		const run = given === undefined ? await newestRun(store) : await findRun(store, given);
		const segments = await shownTrace(invocation, await shownRun(harness, run), await store.id());
		const file = textOption(invocation, "html");
		if (file !== undefined) {
			const path = resolve(host.cwd, file);
			writePage(path, tracePage(run, segments));
			terminal.answer({ run, html: path }, () => [`${terminal.style.green("✓")} Wrote ${shownPath(path, host.cwd)}`]);
		} else terminal.answer({ run, segments }, () => lines(invocation, run, segments));
		return exitCodes.done;
	});
}

/** For this user alone: what runs did is nobody else's business. */
function writePage(path: string, page: string): void {
	// Whatever lies there, or where it leads: it is replaced, and the page appears whole or not at all.
	const partial = `${path}.${randomUUID()}.partial`;
	try {
		writeFileSync(partial, page, { mode: 0o600, flag: "wx" });
		renameSync(partial, path);
	} catch (cause) {
		rmSync(partial, { force: true });
		throw new HoldpointError("usage.invalid", `${path} cannot be written`, { cause, hint: "Name another file." });
	}
}

function lines({ terminal, options }: Invocation, run: string, segments: readonly ShownSegment[]): string[] {
	const { style, width } = terminal;
	const withCommits = options["all"] !== undefined;
	return [
		style.bold(run),
		...segments.flatMap((segment) => {
			const spans = withCommits ? segment.spans : segment.spans.filter((span) => !isCommit(span));
			return ["", style.dim(headOf(segment)), ...waterfallLines(waterfallRows(spans), { style, width })];
		}),
	];
}

function headOf({ epoch, source, spans }: ShownSegment): string {
	const [root] = spans;
	if (!root) return `segment ${epoch}`;
	const status = root.attributes["holdpoint.run.status"];
	const commits = spans.filter(isCommit);
	const took = commits.reduce((sum, { start, end }) => sum + ((end ?? start) - start), 0);
	const facts = [
		`segment ${epoch}`,
		dateTime(root.start),
		duration((root.end ?? root.start) - root.start),
		...(typeof status === "string" ? [status] : []),
		source === "recorded" ? `recorded, ${counted(commits.length, "commit")} in ${duration(took)}` : "from the journal",
	];
	return facts.join(" · ");
}
