import { isWhollyKnown, type MaybeJson } from "../kit/maybe-json.ts";
import { withinDeadline } from "../kit/within-deadline.ts";
import type { ProgramTool } from "./program-tool.ts";

const validatingMs = 250;

/**
 * Would the tool certainly refuse arguments that do not fit its JSON Schema?
 *
 * The schema says what a model should write; what decides is the tool's validator, and one that coerces, trims, fills in
 * or ignores case takes more than the schema can say. So it is asked, where it can be: about what is wholly known, and
 * for an answer at once. What is known in part is never reported of such a tool: the rest may decide what becomes of it.
 */
export function certainlyRefuses({ input }: ProgramTool, args: MaybeJson): boolean {
	if (judgesBySchemaAlone({ input })) return true;
	if (!input || !isWhollyKnown(args)) return false;
	try {
		// As it arrives when the program really sends it.
		const sent: unknown = JSON.parse(JSON.stringify(args));
		const judged = withinDeadline(() => input["~standard"].validate(sent), validatingMs);
		if (!judged.done) return false;
		if (!(judged.value instanceof Promise)) return judged.value.issues !== undefined;
		// Nobody waits for it, and nobody shall fall over it.
		judged.value.catch(() => {});
		return false;
	} catch {
		// It may be in order when it is asked again.
		return false;
	}
}

/** `jsonSchema({...})` validates by the schema and does nothing else. */
export function judgesBySchemaAlone({ input }: Pick<ProgramTool, "input">): boolean {
	return input === undefined || input["~standard"].vendor === "holdpoint";
}
