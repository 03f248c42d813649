import type { Harness } from "../../run/harness.ts";
import { HoldpointError, isHoldpointError } from "../../spec/errors.ts";
import type { RunRow, Store } from "../../spec/store.ts";
import { inlineText } from "../render/safe-text.ts";

export interface Conversation {
	readonly session: string;
	/** Its last run. Undefined: nothing was said yet. */
	readonly latest: RunRow | undefined;
}

const rowsMax = 1_000;
/** Of each of them the whole journal is read. */
const looksMax = 50;

/** The newest one of this user with this agent that is open. Others talk in the same store: theirs is not taken up. */
export async function newestConversation(
	{ harness, store }: { readonly harness: Pick<Harness, "show">; readonly store: Store },
	{ agent, principal }: { readonly agent: string; readonly principal: string },
): Promise<Conversation | undefined> {
	const open = await store.runs({ status: ["running", "waiting"], limit: rowsMax });
	const candidates = open.filter((row) => row.agent === agent && row.session !== undefined);
	for (const row of candidates.slice(0, looksMax)) {
		const view = await harness.show(row.run).catch(unreadable);
		const started = view?.state.started;
		// Of a tenant's nobody here says which one it is.
		if (started?.principal !== principal || started.tenant !== undefined || !started.session) continue;
		return { session: started.session.id, latest: row };
	}
	return undefined;
}

export async function conversationNamed(store: Store, session: string): Promise<Conversation> {
	const [latest] = await store.runs({ session, limit: 1 });
	return { session, latest };
}

/** A run that cannot be read is nobody's conversation. */
function unreadable(error: unknown): undefined {
	if (!isHoldpointError(error) || !error.code.startsWith("journal.")) throw error;
}

export function isOpen({ status }: Pick<RunRow, "status">): boolean {
	return status === "running" || status === "waiting";
}

/** What is open there belongs to another agent, and goes on with that one. */
export function conversationTaken(session: string, other: string, wanted: string): HoldpointError {
	return new HoldpointError(
		"usage.invalid",
		`The conversation ${inlineText(session, 80)} is with ${other}, and it is open`,
		{
			hint: `Leave ${wanted} out, or end that run first.`,
		},
	);
}
