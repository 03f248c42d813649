/** Which of its tools are left to whoever takes over. */
import type { RunHanded } from "../spec/events.ts";
import { isTeam, type Participant, type Team } from "../spec/team.ts";
import type { Thread } from "./conversation.ts";

interface Narrowing {
	/** Teams that whoever takes over is in. */
	readonly around: readonly Team[];
	readonly from: Pick<Thread, "onlyIn"> | undefined;
	readonly to: Participant;
	/** What the way itself leaves. */
	readonly only: readonly string[] | undefined;
}

/** What the way leaves, and no more than each way leaves on which the work came into a team that it stays in. */
export function leftTo({ around, from, to, only }: Narrowing): Pick<RunHanded, "only" | "onlyIn"> {
	const kept = Object.entries(from?.onlyIn ?? {}).filter(([team]) => around.some(({ name }) => name === team));
	const own = only && isTeam(to) ? [[to.name, only] as const] : [];
	const onlyIn = Object.fromEntries([...kept, ...own]);
	const lists = [...(only ? [only] : []), ...kept.map(([, list]) => list)];
	const [first, ...others] = lists;
	if (!first) return {};
	const left = first.filter((tool) => others.every((list) => list.includes(tool)));
	return { only: left, ...(Object.keys(onlyIn).length > 0 ? { onlyIn } : {}) };
}
