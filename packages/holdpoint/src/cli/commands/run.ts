import { newId } from "../../kit/id.ts";
import { runAfter } from "../../run/next-run.ts";
import { HoldpointError } from "../../spec/errors.ts";
import type { Participant } from "../../spec/team.ts";
import { advance, type Place } from "../advance.ts";
import { isOpen } from "../chat/find-conversation.ts";
import { type Invocation, textOption } from "../command.ts";
import { isRunId } from "../find-run.ts";
import { type Opened, openAgents, using } from "../open-harness.ts";
import { osUser } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { messageOf } from "../read-message.ts";
import { inlineText } from "../render/safe-text.ts";
import { shownRun } from "../shown-run.ts";
import { checkModel } from "../with-model.ts";

/** Gives an agent a message and watches it. */
export async function run(invocation: Invocation): Promise<number> {
	const [given = ""] = invocation.positionals;
	const session = textOption(invocation, "session");
	const named = textOption(invocation, "run-id");
	if (session !== undefined && named !== undefined) {
		throw usageInvalid("--session and --run-id do not go together", "A session names its runs itself.");
	}
	if (named !== undefined && !isRunId(named)) {
		const hint = "Letters, digits and _ . : - (a letter or digit first), at most 128: --run-id refund-4711.";
		throw usageInvalid(`--run-id ${JSON.stringify(inlineText(named, 80))} is no run id`, hint);
	}
	const message = await messageOf(invocation.host.stdin, given);
	const opened = await openAgents(invocation, { isStoreThere: false });
	return using(opened, async ({ harness, store, agents }) => {
		const agent = chooseAgent(agents, textOption(invocation, "agent"));
		checkModel(agent);
		const options = { principal: osUser() };
		if (session === undefined) {
			const place = await placeOf(opened, named ?? newId("run", Date.now()));
			return advance(invocation, place, (watched) =>
				harness.run(agent, message, { ...options, runId: place.run, ...watched }),
			);
		}
		// A message to a session whose last run waits goes on with that run.
		const [latest] = await store.runs({ session, limit: 1 });
		const place = await placeOf(opened, latest && isOpen(latest) ? latest.run : runAfter(session, latest?.run));
		return advance(invocation, place, (watched) =>
			harness.session(session, agent).send(message, { ...options, ...watched }),
		);
	});
}

/** The run, and what it did before where it is there already. */
async function placeOf({ harness, store }: Opened, run: string): Promise<Place> {
	const isThere = (await store.load(run, Number.MAX_SAFE_INTEGER)) !== undefined;
	return { harness, store, run, ...(isThere ? { past: (await shownRun(harness, run)).events } : {}) };
}

export function chooseAgent(agents: readonly Participant[], name: string | undefined): Participant {
	const names = agents.map((agent) => agent.name).join(", ");
	const [first, second] = agents;
	if (name !== undefined) {
		const found = agents.find((agent) => agent.name === name);
		if (found) return found;
		throw new HoldpointError("agent.unknown", `The config has no agent named "${name.slice(0, 80)}"`, {
			hint: `It has: ${names}.`,
		});
	}
	if (first && !second) return first;
	throw usageInvalid("The config has several agents: say which", `--agent <name>: ${names}.`);
}
