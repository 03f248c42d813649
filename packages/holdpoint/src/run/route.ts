/**
 * What follows when an agent of a team has answered, or handed on: who works next, the user, or the end.
 *
 * 1. Only what is written down here moves work: a handoff that was decided and executed like any call, or the order
 *    that the team itself has. Text that looks like a handoff is text.
 * 2. A team inside a team has its own order; where that is at its end, its answer is that of one participant.
 * 3. Whatever functions of the user's say is asked in time; one that fails keeps the run as it is.
 */
import { inTime } from "../kit/in-time.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { tokenEstimate } from "../model/usage.ts";
import { agentsOf, entryOf, participantOf, targetOf, teamsAround } from "../routing/topology.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { RunFailureCode, RunHanded } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import { defaultTeamLimits } from "../spec/limits.ts";
import { type Carry, type Edge, isTeam, type Team } from "../spec/team.ts";
import type { CallState } from "./call-state.ts";
import { type Conversation, type Thread, whoOf } from "./conversation.ts";
import { failedWith } from "./failed-with.ts";
import { keepBeside } from "./keep-beside.ts";
import { resultLine } from "./routing-events.ts";
import { callOf, valueOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/** An answer on its way outwards through the teams around whoever gave it. */
interface Answer {
	readonly of: Conversation;
	/** Whoever gave it last. */
	readonly thread: Thread;
	/** The participant whose answer it is by now: the agent, or a team that it is in. */
	readonly name: string;
	readonly output: Json;
	/** Of several that worked beside each other. */
	readonly joined?: true;
}

/** An agent answered without a call. */
export function follow(segment: Segment, thread: Thread, output: Json): void | Promise<void> {
	const around = teamsOf(segment, thread);
	if (around.length === 0) return endWith(segment, thread.of, { output });
	return outwards(segment, { of: thread.of, thread, name: thread.agent, output }, around);
}

/** The teams around an agent, the innermost first. */
function teamsOf(segment: Segment, { of, agent }: Thread): readonly Team[] {
	const { team } = segment.readyFor(of);
	return team ? teamsAround(team, agent).toReversed() : [];
}

async function outwards(segment: Segment, answer: Answer, around: readonly Team[]): Promise<void> {
	let { name } = answer;
	for (const team of around) {
		if (await isTaken(segment, team, { ...answer, name })) return;
		name = team.name;
	}
	endWith(segment, answer.of, { output: answer.output });
}

/** Whether somebody goes on in this team; otherwise the answer is that of the team. */
async function isTaken(segment: Segment, team: Team, answer: Answer): Promise<boolean> {
	const { flow } = team;
	if (flow.kind !== "parallel" && (await isTerminated(segment, team, answer.of))) return false;
	switch (flow.kind) {
		case "user":
			return asksUser(segment, answer, flow.returnTo === "same" ? undefined : firstOf(team));
		case "autonomous":
			return goesOn(segment, flow, answer);
		case "pipeline":
			return isHanded(segment, answer, team.participants[indexIn(team, answer.name) + 1]?.name, team);
		case "parallel":
			if (answer.joined) return false;
			segment.emit({ type: "agent.done", ...whoOf(answer.thread) });
			return true;
		case "group-chat":
			return isHanded(segment, answer, await chosen(segment, team, answer), team);
	}
}

function indexIn({ participants }: Team, name: string): number {
	return participants.findIndex((one) => one.name === name);
}

function firstOf({ start: [first = ""] }: Team): string {
	return first;
}

/** Who is asked inside of a call has the caller for a user: the answer is the call's. */
function asksUser(segment: Segment, { of, thread, name }: Answer, replyTo: string | undefined): boolean {
	if (of.call !== undefined) return false;
	const team = teamsOf(segment, thread).find((one) => participantOf(one, name));
	const participant = replyTo === undefined || !team ? undefined : participantOf(team, replyTo);
	const [reader] = participant ? entryOf(participant) : [];
	const { agent } = thread;
	segment.emit({ type: "user.asked", agent, ...(reader === undefined || reader === agent ? {} : { replyTo: reader }) });
	return true;
}

function goesOn(segment: Segment, flow: Extract<Team["flow"], { kind: "autonomous" }>, answer: Answer): boolean {
	const { thread, name } = answer;
	const turnsMax = Object.hasOwn(flow.turnsMaxOf, name) ? (flow.turnsMaxOf[name] as number) : flow.turnsMax;
	if (thread.continued >= turnsMax) return asksUser(segment, answer, undefined);
	const prompt =
		typeof flow.prompt === "string"
			? flow.prompt
			: said(() => String((flow.prompt as (agent: string) => string)(thread.agent)), "prompt");
	segment.emit({ type: "agent.continued", ...whoOf(thread), prompt });
	return true;
}

async function chosen(segment: Segment, team: Team, { of, name }: Answer): Promise<string | undefined> {
	const { flow } = team;
	if (flow.kind !== "group-chat" || (of.team?.rounds ?? 0) >= flow.roundsMax) return undefined;
	const { choose } = flow;
	// An agent that chooses hands on; what it answers itself is the end.
	if (!choose) return name === firstOf(team) ? undefined : firstOf(team);
	const next = await asked(segment, team, "chooser", () => choose(utterances(of)));
	if (next === undefined || next === null) return undefined;
	if (typeof next === "string" && participantOf(team, next)) return next;
	throw functionFailed(team, "chooser", `it chose ${JSON.stringify(next)?.slice(0, 100)}, who is no participant`);
}

/** The team's own order says who is next. */
function isHanded(
	segment: Segment,
	{ of, thread, name, output, joined }: Answer,
	to: string | undefined,
	team: Team,
): boolean {
	const participant = to === undefined ? undefined : participantOf(team, to);
	if (!participant) return false;
	const [first = "", ...beside] = entryOf(participant);
	const results = carriedTo(segment, threadIn(of, first), {
		from: of,
		carry: "results",
		tokensMax: defaultTeamLimits.carryTokensMax,
	});
	segment.emit({
		type: "run.handed",
		...(of.call === undefined ? {} : { in: of.call }),
		from: joined ? name : thread.agent,
		to: first,
		...(beside.length > 0 ? { beside } : {}),
		...(joined ? { summary: typeof output === "string" ? output : JSON.stringify(output), joined } : {}),
		...(results.length > 0 ? { results } : {}),
	});
	return true;
}

function threadIn({ threads }: Conversation, agent: string): Thread | undefined {
	return threads.get(agent);
}

/** All who worked beside each other are done: their answers become one. */
export async function joinAnswers(segment: Segment, of: Conversation): Promise<void> {
	const [thread] = of.active;
	if (!thread) throw new Error("Holdpoint bug: it should hold that whoever is joined was at work");
	const around = teamsOf(segment, thread);
	const at = around.findIndex(({ flow }) => flow.kind === "parallel");
	const team = around[at];
	if (team?.flow.kind !== "parallel")
		throw incompatible(segment, `the agents of ${of.name} no longer work beside each other`);
	const answers = answersOf(team, of);
	const { join } = team.flow;
	const output = join ? await asked(segment, team, "join", () => join(answers)) : answers;
	const kept = said(() => JSON.parse(JSON.stringify(output) ?? "null") as Json, "join");
	await outwards(segment, { of, thread, name: team.name, output: kept, joined: true }, around.slice(at + 1));
}

function answersOf({ participants }: Team, { team }: Conversation): { readonly [name: string]: string } {
	const answers: Record<string, string> = {};
	for (const one of participants) {
		const agents = isTeam(one) ? agentsOf(one).map(({ name }) => name) : [one.name];
		const agent = agents.findLast((name) => team?.done.has(name));
		if (agent !== undefined) answers[one.name] = team?.done.get(agent) ?? "";
	}
	return answers;
}

/** An agent made a handoff, and nothing of it is open any more. Errors: `run.incompatible` where the way is gone. */
export function handOn(segment: Segment, thread: Thread): void {
	const { of, agent, handing } = thread;
	const { team } = segment.readyFor(of);
	if (!handing || !of.team || !team) throw incompatible(segment, `${agent} handed on outside of a team`);
	const call = callOf(segment.state, handing.call);
	const edge = segment.readyOf(thread).handoffs.get(call.tool);
	const target = targetOf(team, agent, handing.to);
	if (!edge || !target) throw incompatible(segment, `there is no way from ${agent} to ${handing.to} any more`);
	const [to = "", ...beside] = entryOf(target);
	const bound = boundOf(segment, thread, to);
	if (bound !== undefined) return endWith(segment, of, { error: { code: "limit.handoffs", message: bound } });
	segment.emit(handedEvent(segment, { thread, call, edge, to, beside }));
}

interface Handed {
	readonly thread: Thread;
	readonly call: CallState;
	readonly edge: Edge;
	readonly to: string;
	readonly beside: readonly string[];
}

function handedEvent(segment: Segment, { thread, call, edge, to, beside }: Handed): RunHanded {
	const { of, agent } = thread;
	const { reason = "", summary, carry } = call.args as { reason?: string; summary?: string; carry?: Carry };
	const kept = lesser(edge.carry, carry ?? edge.carry);
	const tokensMax = edge.carryTokensMax;
	const results = carriedTo(segment, threadIn(of, to), { from: of, carry: kept, tokensMax });
	return {
		type: "run.handed",
		...(of.call === undefined ? {} : { in: of.call }),
		from: agent,
		to,
		...(beside.length > 0 ? { beside } : {}),
		call: call.id,
		reason,
		...(summary && kept !== "none" ? { summary } : {}),
		...(results.length > 0 ? { results } : {}),
		...(edge.only ? { only: edge.only } : {}),
	};
}

const order: readonly Carry[] = ["none", "summary", "results"];

function lesser(a: Carry, b: Carry): Carry {
	return order.indexOf(a) <= order.indexOf(b) ? a : b;
}

interface Carrying {
	readonly from: Conversation;
	readonly carry: Carry;
	readonly tokensMax: number;
}

/** The newest results of others that fit, oldest first; what it was told before is not told again. */
function carriedTo({ state }: Segment, to: Thread | undefined, { from, carry, tokensMax }: Carrying): string[] {
	if (carry !== "results") return [];
	const carried: string[] = [];
	let left = tokensMax;
	const results = from.team?.results ?? [];
	for (let at = results.length - 1; at >= (to?.carried ?? 0); at--) {
		const call = callOf(state, results[at] as string);
		if (call.thread === to) continue;
		left -= tokenEstimate(resultLine(call, valueOf(state, call)));
		if (left < 0) break;
		carried.push(call.id);
	}
	return carried.reverse();
}

/** Why no further handoff is taken. */
function boundOf(segment: Segment, thread: Thread, to: string): string | undefined {
	const talk = thread.of.team;
	if (!talk) return undefined;
	const { handoffs, pingPong, lastHandoff } = talk;
	const isBack = lastHandoff?.from === to && lastHandoff.to === thread.agent;
	for (const team of teamsOf(segment, thread)) {
		if (handoffs >= team.handoffsMax) {
			return `The agents of ${team.name} handed on ${handoffs} times without coming to an end (handoffsMax)`;
		}
		if (isBack && pingPong >= team.pingPongMax) {
			return `${thread.agent} and ${to} handed on to each other ${pingPong} times with nothing done in between (pingPongMax)`;
		}
	}
	return undefined;
}

/** Before an agent works that was spoken to: whether that is needed any more. */
export async function isEnded(segment: Segment, thread: Thread): Promise<boolean> {
	const { of } = thread;
	if (!of.team) return false;
	const around = teamsOf(segment, thread);
	for (const [at, team] of around.entries()) {
		if (!(await isTerminated(segment, team, of))) continue;
		const output = of.team.said.findLast(({ by }) => by !== "user")?.text ?? "";
		await outwards(segment, { of, thread, name: team.name, output }, around.slice(at + 1));
		return true;
	}
	return false;
}

async function isTerminated(segment: Segment, team: Team, of: Conversation): Promise<boolean> {
	const { terminateWhen } = team;
	if (!terminateWhen) return false;
	const is = await asked(segment, team, "terminateWhen", () => terminateWhen(utterances(of)));
	if (typeof is === "boolean") return is;
	throw functionFailed(
		team,
		"terminateWhen",
		`it said ${JSON.stringify(is)?.slice(0, 100)}, which is neither true nor false`,
	);
}

/** Copies: nobody changes what was said. */
function utterances({ team }: Conversation): { readonly by: string; readonly text: string }[] {
	return (team?.said ?? []).map(({ by, text }) => ({ by, text }));
}

/** Errors: `team.function_failed`. */
async function asked<Said>(segment: Segment, team: Team, what: string, ask: () => Said | Promise<Said>): Promise<Said> {
	const patience = { timeoutMs: defaultTeamLimits.conditionTimeoutMs, signal: segment.abort.signal };
	try {
		return await inTime(Promise.resolve(ask()), `${what} of the team ${team.name}`, patience);
	} catch (error) {
		segment.check();
		throw functionFailed(team, what, reasonOf(error), error);
	}
}

function said<Said>(make: () => Said, what: string): Said {
	try {
		return make();
	} catch (error) {
		throw new HoldpointError("team.function_failed", `The ${what} of a team failed: ${reasonOf(error)}`, {
			cause: error,
		});
	}
}

function functionFailed({ name }: Team, what: string, why: string, cause?: unknown): HoldpointError {
	return new HoldpointError("team.function_failed", `${what} of the team ${name} failed: ${why}`, {
		...(cause === undefined ? {} : { cause }),
		details: { team: name, function: what },
	});
}

function incompatible({ state }: Segment, why: string): HoldpointError {
	return new HoldpointError("run.incompatible", `Run ${state.run} cannot go on: ${why}`, {
		details: { run: state.run },
	});
}

type End = { readonly output: Json } | { readonly error: { readonly code: RunFailureCode; readonly message: string } };

/** The end of a run, or of the call that was put to these agents. */
export function endWith(segment: Segment, { call, name }: Conversation, end: End): void {
	if (call === undefined) {
		segment.emit(
			"output" in end
				? { type: "run.finished", status: "completed", output: end.output }
				: { type: "run.finished", status: "failed", error: end.error },
		);
		return;
	}
	const outcome =
		"output" in end ? valueOutcome(segment, end.output) : failedWith("agent.failed", `${name}: ${end.error.message}`);
	segment.emit({ type: "call.finished", call, outcome });
}

function valueOutcome(segment: Segment, value: Json) {
	const text = JSON.stringify(value);
	return Buffer.byteLength(text) < segment.ready.limits.inlineBytesMax
		? { ok: value }
		: keepBeside(segment, text, value);
}
