import { runTool } from "../run/own-tools.ts";
import type { Todo } from "../spec/events.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Tool } from "../spec/tool.ts";

const statuses: readonly Todo["status"][] = ["open", "doing", "done"];
const { todosMax, todoCharsMax } = fixedLimits;

/** The agent's list of what it has to do: whole at each call, kept whatever else is left out of what its model is shown. */
export function todoTool(): Tool {
	return runTool({
		name: "todo",
		description: "Replaces your list of steps. Keep one for work of more than two steps, and current.",
		inputSchema: {
			type: "object",
			properties: {
				todos: {
					type: "array",
					maxItems: todosMax,
					items: {
						type: "object",
						properties: { text: { type: "string", minLength: 1, maxLength: todoCharsMax }, status: { enum: statuses } },
						required: ["text", "status"],
						additionalProperties: false,
					},
				},
			},
			required: ["todos"],
			additionalProperties: false,
		},
		inRun: (args, { inside, agent, isTeam }) => {
			const { todos } = args as unknown as { readonly todos: readonly Todo[] };
			const open = todos.filter(({ status }) => status !== "done").length;
			const who = { ...(inside === undefined ? {} : { in: inside }), ...(isTeam ? { agent } : {}) };
			return { value: `Kept. ${open} open.`, events: [{ type: "todos.set", ...who, todos }] };
		},
	});
}
