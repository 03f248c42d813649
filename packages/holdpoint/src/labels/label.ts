/**
 * How labels join, and what they forbid.
 *
 * 1. What was made of two things is as bad as the worse of them: untrusted where one is, read by those who may read both.
 * 2. A missing label is the worst label: untrusted, for the principal alone; a missing audience is everyone.
 */
import type { Label, LabelRules } from "../spec/label.ts";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import type { Labels } from "../spec/tool.ts";

/** Of data of which nothing is known. */
export function worstLabel(untrusted: string): Label {
	return { untrusted, readers: ["principal"], assumed: true };
}

/** Of what a tool returned in this call. Undefined: nothing is wrong with it. */
export function labelOf(labels: Labels | undefined, call: string): Label | undefined {
	const { integrity = "untrusted", readers } = labels ?? {};
	const isOpen = readers?.includes("everyone") ?? false;
	if (integrity === "trusted" && isOpen) return undefined;
	const known = readers ? { readers: sorted(readers) } : { readers: ["principal"], assumed: true as const };
	return { ...(integrity === "trusted" ? {} : { untrusted: call }), ...(isOpen ? {} : known) };
}

/** Of what users say. They are trusted: on whose behalf the run works says what it is to do. */
export function labelOfInput({ input }: LabelRules): Label | undefined {
	return input && labelOf({ integrity: "trusted", readers: input }, "input");
}

export function joinLabels(a: Label | undefined, b: Label | undefined): Label | undefined {
	if (!a || !b) return a ?? b;
	const untrusted = a.untrusted ?? b.untrusted;
	const readers = commonReaders(a.readers, b.readers);
	return {
		...(untrusted === undefined ? {} : { untrusted }),
		...(readers ? { readers } : {}),
		...((a.assumed ?? b.assumed) ? { assumed: true } : {}),
	};
}

function commonReaders(a: Label["readers"], b: Label["readers"]): Label["readers"] {
	if (!a || !b) return a ?? b;
	return sorted(a.filter((reader) => b.includes(reader)));
}

function sorted(readers: readonly string[]): readonly string[] {
	return [...new Set(readers)].sort();
}

type Labelled = Pick<PolicyRequest, "tool" | "label">;

/** What labels say of a call; undefined: nothing. */
export function labelDecision({ tool, label }: Labelled, rules: LabelRules): Decision | undefined {
	if (!label || tool.labels?.declassifies) return undefined;
	return denied(leak(tool, label, rules)) ?? forged(tool, label, rules) ?? leak(tool, label, rules);
}

function denied(decision: Decision | undefined): Decision | undefined {
	return decision?.verdict === "deny" ? decision : undefined;
}

/** What is no call. */
const sources: { readonly [source: string]: string } = {
	edit: "in arguments that a person had changed",
	memory: "of its memory",
};

/** Consequences of somebody else's words. */
function forged(
	{ name, effect }: PolicyRequest["tool"],
	{ untrusted }: Label,
	rules: LabelRules,
): Decision | undefined {
	if (untrusted === undefined || effect === "read" || effect === "internal") return undefined;
	const source = sources[untrusted] ?? `that ${untrusted} had read`;
	return { verdict: rules.untrusted ?? "ask", reason: `${name} was called after untrusted data ${source}` };
}

/** Data that leaves the circle of its readers. */
function leak(
	{ name, effect, labels }: PolicyRequest["tool"],
	{ readers, assumed }: Label,
	rules: LabelRules,
): Decision | undefined {
	if (!readers || effect === "internal") return undefined;
	const audience = labels?.audience ?? ["everyone"];
	const others = audience.filter((one) => one === "everyone" || !readers.includes(one));
	if (others.length === 0) return undefined;
	const whose = readers.length === 0 ? "that nobody may read" : `for ${readers.join(", ")} alone`;
	const verdict = rules.confidential ?? (labels?.audience && !assumed ? "deny" : "ask");
	return { verdict, reason: `${name} would show data ${whose} to ${others.join(", ")}` };
}
