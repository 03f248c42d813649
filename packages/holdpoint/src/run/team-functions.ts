/** Functions that users give to a team: each is asked in time, with copies, and what it says is looked at. */
import { inTime } from "../kit/in-time.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { participantOf } from "../routing/topology.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Json } from "../spec/json.ts";
import { defaultTeamLimits } from "../spec/limits.ts";
import type { Flow, Participant, Team, Utterance } from "../spec/team.ts";
import type { Conversation } from "./conversation.ts";
import type { Segment } from "./segment.ts";

type FlowOf<Kind extends Flow["kind"]> = Extract<Flow, { readonly kind: Kind }>;

/** Whether a team's conversation is over. Errors: `team.function_failed`. */
export async function isTerminated(segment: Segment, team: Team, of: Conversation): Promise<boolean> {
	const { terminateWhen } = team;
	if (!terminateWhen) return false;
	const given: Given = { team, what: "terminateWhen" };
	const is: unknown = await asked(segment, given, () => terminateWhen(utterances(of)));
	if (typeof is === "boolean") return is;
	throw functionFailed(given, `it said ${shown(is)}, which is neither true nor false`);
}

/** Whom a function chose to speak next; undefined: nobody. Errors: `team.function_failed`. */
export async function chosenBy(
	segment: Segment,
	{ team, of }: { readonly team: Team; readonly of: Conversation },
	choose: NonNullable<FlowOf<"group-chat">["choose"]>,
): Promise<Participant | undefined> {
	const given: Given = { team, what: "chooser" };
	const next: unknown = await asked(segment, given, () => choose(utterances(of)));
	if (next === undefined || next === null) return undefined;
	const found = typeof next === "string" ? participantOf(team, next) : undefined;
	if (found) return found;
	throw functionFailed(given, `it chose ${shown(next)}, who is no participant`);
}

/** What several answers come to. Errors: `team.function_failed`. */
export async function joinedBy(
	segment: Segment,
	team: Team,
	answers: { readonly [name: string]: string },
): Promise<Json> {
	if (team.flow.kind !== "parallel" || !team.flow.join) return answers;
	const { join } = team.flow;
	const given: Given = { team, what: "join" };
	const output: unknown = await asked(segment, given, () => join({ ...answers }));
	try {
		return JSON.parse(JSON.stringify(output) ?? "null") as Json;
	} catch (error) {
		throw functionFailed(given, `what it returned is no JSON: ${reasonOf(error)}`, error);
	}
}

/** What an agent that goes on by itself is told. Errors: `team.function_failed`. */
export async function promptFor(segment: Segment, team: Team, agent: string): Promise<string> {
	const { flow } = team;
	const { prompt } = flow.kind === "autonomous" ? flow : { prompt: "" };
	if (typeof prompt === "string") return prompt;
	const given: Given = { team, what: "prompt" };
	const text: unknown = await asked(segment, given, () => prompt(agent));
	if (typeof text === "string" && text !== "") return text;
	throw functionFailed(given, `it said ${shown(text)}, which is no text`);
}

/** Copies: nobody changes what was said. */
function utterances({ team }: Conversation): readonly Utterance[] {
	return (team?.said ?? []).map(({ by, text }) => ({ by, text }));
}

function shown(value: unknown): string {
	try {
		return (JSON.stringify(value) ?? String(value)).slice(0, 100);
	} catch {
		return typeof value;
	}
}

interface Given {
	readonly team: Team;
	readonly what: string;
}

/** Errors: `team.function_failed`. */
async function asked<Said>(segment: Segment, given: Given, ask: () => Said | Promise<Said>): Promise<Said> {
	const patience = { timeoutMs: defaultTeamLimits.conditionTimeoutMs, signal: segment.abort.signal };
	try {
		return await inTime(Promise.resolve(ask()), `${given.what} of the team ${given.team.name}`, patience);
	} catch (error) {
		segment.check();
		throw functionFailed(given, reasonOf(error), error);
	}
}

function functionFailed({ team: { name }, what }: Given, why: string, cause?: unknown): HoldpointError {
	return new HoldpointError("team.function_failed", `${what} of the team ${name} failed: ${why}`, {
		...(cause === undefined ? {} : { cause }),
		details: { team: name, function: what },
	});
}
