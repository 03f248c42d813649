import { runTool } from "../run/own-tools.ts";
import { setModeName } from "../run/set-mode-name.ts";
import type { Mode } from "../spec/events.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Tool } from "../spec/tool.ts";

const modes: readonly Mode[] = ["plan", "execute"];
const { planCharsMax } = fixedLimits;

/** In `plan` the harness denies whatever changes something; leaving it asks a person, who is shown the plan. */
export function setModeTool(): Tool {
	return runTool({
		name: setModeName,
		description:
			"plan: only look, nothing is changed. execute, with a plan: act; out of plan mode a person approves the plan first. Plan first where much is changed.",
		inputSchema: {
			type: "object",
			properties: { mode: { enum: modes }, plan: { type: "string", maxLength: planCharsMax } },
			required: ["mode"],
			additionalProperties: false,
		},
		isDirectOnly: true,
		misfit: ({ mode, plan = "" }) =>
			mode === "execute" && String(plan).trim() === "" ? "execute needs a plan: a person is shown it" : undefined,
		inRun: (args, { inside }) => {
			const { mode } = args as { readonly mode: Mode };
			const where = inside === undefined ? {} : { in: inside };
			return { value: `The mode is ${mode}.`, events: [{ type: "mode.changed", ...where, mode }] };
		},
	});
}
