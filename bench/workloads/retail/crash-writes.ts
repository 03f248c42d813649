import type { WorkloadCall } from "../outcome.ts";
import type { RetailWorkload } from "./tasks.ts";
import { retailEffects } from "./tools.ts";

export type KeyedWrite = WorkloadCall & { readonly key: string };

/** Writes without end, the same ones every time: first those of the gold tasks, then one address moved on and on. */
export function* crashWrites({ tasks, db }: Pick<RetailWorkload, "tasks" | "db">): Generator<KeyedWrite, never> {
	let count = 0;
	const effects: Readonly<Record<string, { readonly effect: string }>> = retailEffects;
	for (const { name, arguments: args } of tasks.flatMap((task) => task.actions)) {
		if (effects[name]?.effect === "write") yield { name, arguments: args, key: `write-${count++}` };
	}
	const [user] = Object.values(db.users);
	if (!user) throw new Error("The database has no user");
	while (true) {
		const args = { user_id: user.user_id, ...user.address, address1: `${count} Main Street` };
		yield { name: "modify_user_address", arguments: args, key: `write-${count++}` };
	}
}
