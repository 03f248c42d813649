import type { Outcome } from "../spec/events.ts";

/** How a call stands, in a word. `ok`: it ran, be its result usable or not. */
export type CallEnd = "ok" | "failed" | "denied" | "cancelled" | "unknown" | "open";

export function endOf({ outcome }: { readonly outcome: Outcome | undefined }): CallEnd {
	if (!outcome) return "open";
	if ("ok" in outcome || "blob" in outcome) return "ok";
	if ("denied" in outcome) return "denied";
	if ("cancelled" in outcome) return "cancelled";
	if ("unknown" in outcome) return "unknown";
	// A result that cannot be used belongs to a call that ran.
	return outcome.code === "tool.result_invalid" || outcome.code === "tool.result_too_large" ? "ok" : "failed";
}
