import type { Harness } from "../run/harness.ts";
import type { RunView } from "../run/show-run.ts";

/** A run as the command line shows it: whoever looks on need not see what its tools mark as sensitive. Errors: as `show`. */
export async function shownRun(harness: Pick<Harness, "show">, run: string): Promise<RunView> {
	const view = await harness.show(run);
	return { ...view, events: view.events.map((one) => ({ ...one, event: view.redactor.event(one.event) })) };
}
