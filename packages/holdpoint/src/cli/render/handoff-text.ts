import type { RunHanded } from "../../spec/events.ts";

/** What goes over with a handoff, a sentence each: why, and what the next one is told and left. */
export function handoffText({ reason = "", summary = "", results = [], only }: RunHanded): string[] {
	const which = results.length === 1 ? "the result" : "the results";
	return [
		reason,
		summary === "" ? "" : `Summary: ${summary}`,
		results.length === 0 ? "" : `It is told ${which} of ${results.join(", ")}.`,
		only ? `Of its own tools it may use ${only.join(", ") || "none"}.` : "",
	].filter(Boolean);
}
