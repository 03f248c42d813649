import { existsSync } from "node:fs";
import { advance } from "../advance.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { shownPath } from "../command-line.ts";
import { findRun } from "../find-run.ts";
import { openAgents, storePath, using } from "../open-harness.ts";
import { readyRuns } from "../ready-runs.ts";
import { shownRun } from "../shown-run.ts";
import { checkModel } from "../with-model.ts";

/** Goes on with one run, or with every run that is ready. */
export async function resume(invocation: Invocation): Promise<number> {
	const { host, terminal, positionals } = invocation;
	const path = storePath(invocation);
	if (positionals.length === 0 && !existsSync(path)) {
		const nothing = `No run is ready: there is no store at ${shownPath(path, host.cwd)}.`;
		terminal.answer({ type: "resume.nothing" }, () => [nothing]);
		return exitCodes.done;
	}
	const opened = await openAgents(invocation, { isStoreThere: true });
	return using(opened, async ({ harness, store, agents }) => {
		const [given] = positionals;
		const runs = given === undefined ? await readyRuns(store) : [await findRun(store, given)];
		if (runs.length === 0) {
			terminal.answer({ type: "resume.nothing" }, () => [
				"No run is ready: none was answered, is due, or lost its process.",
			]);
		}
		const codes: number[] = [];
		for (const run of runs) {
			if (runs.length > 1) terminal.print(...(codes.length > 0 ? [""] : []), terminal.style.bold(run));
			const { events: past, state } = await shownRun(harness, run);
			if (state.status === "running") checkModel(agents.find(({ name }) => name === state.started?.agent.name));
			codes.push(await advance(invocation, { harness, store, run, past }, (watched) => harness.resume(run, watched)));
			if (codes.at(-1) === exitCodes.interrupted) break;
		}
		return worst(codes);
	});
}

function worst(codes: readonly number[]): number {
	const order = [exitCodes.interrupted, exitCodes.failed, exitCodes.waiting];
	return order.find((code) => codes.includes(code)) ?? exitCodes.done;
}
