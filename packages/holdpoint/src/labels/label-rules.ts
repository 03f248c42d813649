import { HoldpointError } from "../spec/errors.ts";
import type { LabelRules } from "../spec/label.ts";

/** Rules as somebody set them; undefined: labels are not kept. Errors: `config.invalid`, because a misspelt rule protects nothing. */
export function labelRules(set: unknown): LabelRules | undefined {
	if (set === undefined || set === false) return undefined;
	if (set === true) return {};
	if (!areRules(set)) {
		throw new HoldpointError("config.invalid", "createHarness({ labels }) sets what are no rules for labels", {
			hint: 'It takes true, false, or { untrusted?: "ask" | "deny", confidential?: "ask" | "deny", input?: [reader] }.',
		});
	}
	return set;
}

function areRules(set: unknown): set is LabelRules {
	if (typeof set !== "object" || set === null || Array.isArray(set)) return false;
	const { untrusted, confidential, input, ...others } = set as Record<string, unknown>;
	return isVerdict(untrusted) && isVerdict(confidential) && areReaders(input) && Object.keys(others).length === 0;
}

function isVerdict(verdict: unknown): boolean {
	return verdict === undefined || verdict === "ask" || verdict === "deny";
}

function areReaders(readers: unknown): boolean {
	return readers === undefined || (Array.isArray(readers) && readers.every((reader) => typeof reader === "string"));
}
