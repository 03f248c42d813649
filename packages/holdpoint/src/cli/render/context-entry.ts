import { counted, numberText } from "../../kit/counted.ts";
import { type ContextEvent, todoLine } from "../../run/context-events.ts";
import type { Entry } from "./entry.ts";
import { inlineText } from "./safe-text.ts";
import type { Style } from "./style.ts";

/** What an agent's model is shown, and what it keeps in mind, as a line of the timeline. */
export function contextEntry(
	event: ContextEvent,
	style: Style,
	wrapped: (text: string) => string[],
): Entry | undefined {
	switch (event.type) {
		case "context.provided": {
			if (!event.parts && !event.failed) return undefined;
			const given = event.parts?.map(({ name }) => name) ?? [];
			const failed = event.failed?.map(({ name, why }) => `${name} failed: ${why}`) ?? [];
			const names = [...given, ...failed].join(", ") || "nothing any more";
			return { mark: style.dim("·"), text: style.dim(`reads beside its instructions: ${inlineText(names, 80)}`) };
		}
		case "context.compacted": {
			const what = event.how === "clear" ? "old results are cleared" : "what is older is folded into a summary";
			const size = `${numberText(event.tokens)} of ${counted(event.budget, "token")}`;
			return { mark: style.dim("⇣"), text: style.dim(`${what}, at ${size}`) };
		}
		case "todos.set": {
			const done = event.todos.filter(({ status }) => status === "done").length;
			return {
				mark: style.cyan("☰"),
				text: `has ${counted(event.todos.length, "thing")} to do, ${done} done`,
				below: event.todos.flatMap((todo) => wrapped(todoLine(todo))),
			};
		}
		case "agent.stopped":
			return { mark: style.red("■"), text: `what works in ${event.in} is to end, says ${inlineText(event.by, 40)}` };
		case "mode.changed":
			return {
				mark: style.cyan("⇄"),
				text: `may ${event.mode === "plan" ? "only look and plan" : "act"} from here on`,
			};
	}
}
