import type { Rule } from "../kit/redact-json.ts";
import type { Mark, Marks } from "../spec/marks.ts";

/** `all`: for those who look on. `secret`: for those who decide, and must see whom it is about. */
export type Hiding = "all" | "secret";

/** What of these places is hidden. */
export function rulesFor(marks: Marks | undefined, hiding: Hiding): Rule[] {
	const hidden = Object.entries(marks ?? {}).filter(([, mark]) => hiding === "all" || mark === "secret");
	return hidden.map(([place, mark]) => ({ steps: stepsOf(place), instead: insteadOf(mark) }));
}

function insteadOf(mark: Mark): string {
	return `[${mark}]`;
}

function stepsOf(place: string): string[] {
	const [, ...steps] = place.split("/");
	return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}
