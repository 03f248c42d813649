import { runTool, strangeField } from "../run/own-tools.ts";
import type { Todo } from "../spec/events.ts";
import type { Tool } from "../spec/tool.ts";

const statuses: readonly Todo["status"][] = ["open", "doing", "done"];
const todosMax = 100;
const todoCharsMax = 500;

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
						properties: { text: { type: "string", maxLength: todoCharsMax }, status: { enum: statuses } },
						required: ["text", "status"],
						additionalProperties: false,
					},
				},
			},
			required: ["todos"],
			additionalProperties: false,
		},
		misfit: ({ todos, ...others }) => {
			if (!Array.isArray(todos) || todos.length > todosMax) return `todos must be a list of at most ${todosMax}`;
			for (const one of todos) {
				const problem = todoMisfit(one);
				if (problem !== undefined) return problem;
			}
			return strangeField({ todos, ...others }, ["todos"]);
		},
		inRun: (args, { inside, agent, isTeam }) => {
			const { todos } = args as unknown as { readonly todos: readonly Todo[] };
			const open = todos.filter(({ status }) => status !== "done").length;
			const who = { ...(inside === undefined ? {} : { in: inside }), ...(isTeam ? { agent } : {}) };
			return { value: `Kept. ${open} open.`, events: [{ type: "todos.set", ...who, todos }] };
		},
	});
}

function todoMisfit(one: unknown): string | undefined {
	if (typeof one !== "object" || one === null) return "each of todos must have a text and a status";
	const { text, status, ...others } = one as Record<string, unknown>;
	if (typeof text !== "string" || text.trim() === "" || text.length > todoCharsMax) {
		return `text must have 1 to ${todoCharsMax} characters`;
	}
	if (!statuses.includes(status as Todo["status"])) return `status must be one of ${statuses.join(", ")}`;
	return strangeField({ text, status, ...others }, ["text", "status"]);
}
