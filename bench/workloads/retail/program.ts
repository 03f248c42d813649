import type { JsonObject } from "../../../packages/holdpoint/src/spec/json.ts";
import type { WorkloadCall } from "../outcome.ts";
import type { GoldAction } from "./tasks.ts";

/* A task's gold actions as a model would ask for them: one program, or one call a turn. */

interface Playable {
	readonly actions: readonly Pick<GoldAction, "name" | "arguments">[];
}

/**
 * The task as one program. It returns the list of what each call came to, `{ result }` or `{ error }`, in gold order.
 * A failed tool is noted and the program goes on; a call that, as a person found out, did not happen is made again;
 * anything else (a denial) ends it.
 */
export function taskProgram(task: Playable): string {
	const calls = task.actions.map(({ name, arguments: args }) => `await note(() => tools.${name}(${literal(args)}));`);
	return [prologue, ...calls, "return results;", ""].join("\n");
}

const prologue = `const results = [];
async function note(call) {
	try {
		results.push({ result: await call() });
	} catch (error) {
		if (error.name !== "ToolFailed") throw error;
		if (error.code === "settled.did_not_happen") return note(call);
		results.push({ error: error.message });
	}
}`;

/** The arguments as a person writes an object in JavaScript: plain names unquoted. */
function literal(args: JsonObject): string {
	const members = Object.entries(args).map(([name, value]) => {
		const key = /^[a-z]\w*$/i.test(name) ? name : JSON.stringify(name);
		return `${key}: ${JSON.stringify(value)}`;
	});
	return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}

/** The task as single calls, one a turn. */
export function taskTurns(task: Playable): readonly WorkloadCall[] {
	return task.actions.map(({ name, arguments: args }) => ({ name, arguments: args }));
}
