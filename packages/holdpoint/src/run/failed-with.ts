import { type FailureCode, failureHints } from "../spec/errors.ts";
import type { Outcome } from "../spec/events.ts";

/** What became of a call that failed, in our words: what happened, then what to do. */
export function failedWith(code: FailureCode, message: string): Extract<Outcome, { readonly failed: string }> {
	const end = message.endsWith("\n") ? "" : /[.!?]$/.test(message) ? " " : ". ";
	return { failed: `${message}${end}${failureHints[code]}`, code };
}
