/**
 * What follows when an agent of a team has answered, or handed on: who works next, the user, or the end.
 *
 * 1. Only what is written down here moves work: a handoff that was decided and executed like any call, or the order
 *    that the team itself has. Text that looks like a handoff is text.
 * 2. A team inside a team has its own order; where that is at its end, its answer is that of one participant.
 * 3. Whatever functions of the user's say is asked in time; one that fails keeps the run as it is.
 */
import { counted } from "../kit/counted.ts";
import { tokenEstimate } from "../kit/token-estimate.ts";
import { agentsOf, entryOf, participantOf, teamsAround, teamToJoin, type Way } from "../routing/topology.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { RunEvent, RunHanded } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import { defaultTeamLimits } from "../spec/limits.ts";
import type { Carry, Participant, Team } from "../spec/team.ts";
import { modeOfTakers } from "./begin-mode.ts";
import type { CallState } from "./call-state.ts";
import { closeCall } from "./close-call.ts";
import { apartFrom, type Conversation, type Part, type Thread, threadFor, whoOf } from "./conversation.ts";
import { failedWith } from "./failed-with.ts";
import { keepBeside } from "./keep-beside.ts";
import { leftTo } from "./left-to.ts";
import { resultLine } from "./routing-events.ts";
import { callOf, valueOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import type { Ending } from "./segment-start.ts";
import { chosenBy, isTerminated, joinedBy, promptFor } from "./team-functions.ts";

/** An answer on its way outwards through the teams around whoever gave it. */
interface Answer {
	readonly of: Conversation;
	/** Who gave it; undefined: several who worked beside each other. */
	readonly by: Thread | undefined;
	/** The participant whose answer it is by now: the agent, or a team that it is in. */
	readonly name: string;
	readonly output: Json;
	/** Participants whose answers are joined in it. */
	readonly joined?: readonly string[];
}

/** An agent answered without a call. */
export function follow(segment: Segment, thread: Thread, output: Json): void | Promise<void> {
	const { of, agent } = thread;
	const around = teamsOf(segment, of, agent);
	if (around.length === 0) return endWith(segment, of, { output });
	return outwards(segment, { of, by: thread, name: agent, output }, around);
}

/** The teams around a participant, the innermost first. */
function teamsOf(segment: Segment, of: Conversation, participant: string): readonly Team[] {
	const { team } = segment.readyFor(of);
	return team ? teamsAround(team, participant).toReversed() : [];
}

async function outwards(segment: Segment, answer: Answer, around: readonly Team[]): Promise<void> {
	let { name } = answer;
	for (const team of around) {
		if (await isTaken(segment, team, { ...answer, name })) return;
		name = team.name;
	}
	endWith(segment, answer.of, { output: answer.output });
}

/** While a function was asked, whoever works beside may have brought all to its end. */
export function isOver(segment: Segment, of: Conversation): boolean {
	const { state, endings } = segment;
	const isClosed = of.call !== undefined && callOf(state, of.call).phase !== "started";
	return isClosed || endings.has(of) || state.status !== "running" || state.cancel !== undefined;
}

function tell(segment: Segment, of: Conversation, events: readonly RunEvent[]): true {
	if (!isOver(segment, of)) segment.emit(...events);
	return true;
}

/** Whether somebody goes on in this team; otherwise the answer is that of the team. */
async function isTaken(segment: Segment, team: Team, answer: Answer): Promise<boolean> {
	const { flow } = team;
	if (await isTerminated(segment, team, answer.of)) return false;
	switch (flow.kind) {
		case "user":
			return asksUser(segment, answer, flow.returnTo === "same" ? undefined : participantOf(team, firstOf(team)));
		case "autonomous":
			return goesOn(segment, team, answer);
		case "pipeline":
			return isHanded(segment, team, { answer, to: team.participants[indexIn(team, answer.name) + 1] });
		case "parallel":
			return isDone(segment, answer);
		case "group-chat":
			return isHanded(segment, team, { answer, to: await chosen(segment, team, answer) });
	}
}

function indexIn({ participants }: Team, name: string): number {
	return participants.findIndex((one) => one.name === name);
}

function firstOf({ start: [first = ""] }: Team): string {
	return first;
}

function joinedIn({ joined }: Answer): Pick<Answer, "joined"> {
	return joined ? { joined } : {};
}

function textOf(output: Json): string {
	return typeof output === "string" ? output : JSON.stringify(output);
}

/** The agents that an answer is of, and that go on where its user or its team wants that. */
function agentsBehind(segment: Segment, { of, by, name }: Answer): readonly string[] {
	if (by) return [by.agent];
	const team = segment.readyFor(of).team;
	const [around] = teamsOf(segment, of, name);
	const participant = around && participantOf(around, name);
	return participant && team ? entryOf(participant) : [];
}

/** Who is asked inside of a call has the caller for a user: the answer is the call's. */
function asksUser(segment: Segment, answer: Answer, replyTo: Participant | undefined): boolean {
	const { of, by, name, output } = answer;
	if (of.call !== undefined) return false;
	// One question at a time: this one is asked when the other one is answered.
	if (of.team?.asked) {
		if (by) segment.questions.set(by, of.team.asked);
		return true;
	}
	const agent = by?.agent ?? name;
	const [reader = agent, ...beside] = replyTo ? entryOf(replyTo) : agentsBehind(segment, answer);
	const event: RunEvent = {
		type: "user.asked",
		agent,
		...(reader === agent ? {} : { replyTo: reader }),
		...(beside.length > 0 ? { beside } : {}),
		...(by ? {} : { text: textOf(output) }),
		...joinedIn(answer),
	};
	return tell(segment, of, [event]);
}

async function goesOn(segment: Segment, team: Team, answer: Answer): Promise<boolean> {
	const { flow } = team;
	if (flow.kind !== "autonomous") return false;
	const { of, name } = answer;
	const threads = agentsBehind(segment, answer).map((agent) => threadFor(of, agent));
	const turnsMax = Object.hasOwn(flow.turnsMaxOf, name) ? (flow.turnsMaxOf[name] as number) : flow.turnsMax;
	const isSpent = threads.some(({ continued }) => continued >= turnsMax);
	if (isSpent || (await areAtEnd(segment, team, threads))) return asksUser(segment, answer, undefined);
	const prompts = await Promise.all(threads.map(({ agent }) => promptFor(segment, team, agent)));
	const events = threads.map((thread, at): RunEvent => {
		const prompt = prompts[at] ?? "";
		return { type: "agent.continued", ...whoOf(thread), prompt, ...(at === 0 ? joinedIn(answer) : {}) };
	});
	return tell(segment, of, events);
}

/** Whether a team inside of it is at its end with each of them: of that going on changes nothing, and no model would be asked. */
async function areAtEnd(segment: Segment, { name }: Team, threads: readonly Thread[]): Promise<boolean> {
	for (const { of, agent } of threads) {
		const around = teamsOf(segment, of, agent);
		const inner = around.slice(
			0,
			around.findIndex((team) => team.name === name),
		);
		if (!(await isAnyTerminated(segment, inner, of))) return false;
	}
	return true;
}

async function isAnyTerminated(segment: Segment, teams: readonly Team[], of: Conversation): Promise<boolean> {
	for (const team of teams) if (await isTerminated(segment, team, of)) return true;
	return false;
}

function isDone(segment: Segment, answer: Answer): boolean {
	const { of, by, name, output } = answer;
	const agent = by?.agent ?? name;
	const event: RunEvent = {
		type: "agent.done",
		...inCall(of),
		agent,
		...(name === agent ? {} : { as: name }),
		...(by && (name === agent || by.text === output) ? {} : { answer: textOf(output) }),
		...joinedIn(answer),
	};
	return tell(segment, of, [event]);
}

function inCall({ call }: Conversation): { readonly in?: string } {
	return call === undefined ? {} : { in: call };
}

async function chosen(segment: Segment, team: Team, { of, name }: Answer): Promise<Participant | undefined> {
	const { flow } = team;
	if (flow.kind !== "group-chat" || (of.team?.rounds.get(team.name) ?? 0) >= flow.roundsMax) return undefined;
	const { choose } = flow;
	if (choose) return chosenBy(segment, { team, of }, choose);
	// An agent that chooses hands on; what it answers itself is the end.
	return name === firstOf(team) ? undefined : participantOf(team, firstOf(team));
}

interface Next {
	readonly answer: Answer;
	readonly to: Participant | undefined;
}

/** The team's own order says who is next. */
function isHanded(segment: Segment, team: Team, { answer, to }: Next): boolean {
	if (!to) return false;
	const { of, by, name, output } = answer;
	const [first = "", ...beside] = entryOf(to);
	const from = by?.agent ?? name;
	const apart = apartFrom(of, { from, joined: answer.joined });
	const [giver = from] = agentsBehind(segment, answer);
	const carried = carriedTo(segment, of.threads.get(first), {
		of,
		apart,
		carry: "results",
		tokensMax: defaultTeamLimits.carryTokensMax,
	});
	const event: RunEvent = {
		type: "run.handed",
		...inCall(of),
		from,
		to: first,
		...(beside.length > 0 ? { beside } : {}),
		...whose(of, team),
		...(by ? {} : { summary: textOf(output) }),
		...carried,
		...leftTo({ around: teamsOf(segment, of, to.name), from: of.threads.get(giver), to, only: undefined }),
		...joinedIn(answer),
		...modeOfTakers(of, segment.ready.cast, entryOf(to)),
	};
	return tell(segment, of, [event]);
}

function whose({ name }: Conversation, team: Team): { readonly team?: string } {
	return team.name === name ? {} : { team: team.name };
}

/** All who worked beside each other are done: their answers become one. Errors: `run.incompatible`, `team.function_failed`. */
export async function joinAnswers(segment: Segment, of: Conversation): Promise<void> {
	const { team: root } = segment.readyFor(of);
	const done = of.team?.done ?? new Map<string, Part>();
	const team = root && teamToJoin(root, done);
	if (!team) throw incompatible(segment, `the agents of ${of.name} no longer work beside each other`);
	const names = team.participants.map(({ name }) => name);
	const answers = Object.fromEntries(names.map((name) => [name, done.get(name)?.text ?? ""]));
	const output = await joinedBy(segment, team, answers);
	const answer: Answer = { of, by: undefined, name: team.name, output, joined: names };
	await outwards(segment, answer, teamsOf(segment, of, team.name));
}

/** An agent made a handoff, and nothing of it is open any more. Errors: `run.incompatible` where the way is gone. */
export function handOn(segment: Segment, thread: Thread): void {
	const { of, agent, handing } = thread;
	if (!handing || !of.team) throw incompatible(segment, `${agent} handed on outside of a team`);
	const call = callOf(segment.state, handing.call);
	const way = segment.readyOf(thread).handoffs.get(call.tool);
	const target = way && participantOf(way.team, handing.to);
	if (!target) throw incompatible(segment, `there is no way from ${agent} to ${handing.to} any more`);
	const [first = ""] = entryOf(target);
	const bound = boundOf(thread, way, first);
	if (bound !== undefined) return endWith(segment, of, { error: { code: "limit.handoffs", message: bound } });
	segment.emit(handedEvent(segment, { thread, call, way, to: target }));
}

interface Handed {
	readonly thread: Thread;
	readonly call: CallState;
	readonly way: Way;
	readonly to: Participant;
}

function handedEvent(segment: Segment, { thread, call, way, to }: Handed): RunHanded {
	const { of, agent } = thread;
	const [first = "", ...beside] = entryOf(to);
	const { reason = "", summary, carry } = call.args as { reason?: string; summary?: string; carry?: Carry };
	const kept = lesser(way.carry, carry ?? way.carry);
	const tokensMax = way.carryTokensMax;
	const carried = carriedTo(segment, of.threads.get(first), { of, apart: thread.apart, carry: kept, tokensMax });
	return {
		type: "run.handed",
		...inCall(of),
		from: agent,
		to: first,
		...(beside.length > 0 ? { beside } : {}),
		...whose(of, way.team),
		call: call.id,
		reason,
		...(summary && kept !== "none" ? { summary } : {}),
		...carried,
		...leftTo({ around: teamsOf(segment, of, to.name), from: thread, to, only: way.only }),
		...modeOfTakers(of, segment.ready.cast, entryOf(to)),
	};
}

const order: readonly Carry[] = ["none", "summary", "results"];

function lesser(a: Carry, b: Carry): Carry {
	return order.indexOf(a) <= order.indexOf(b) ? a : b;
}

type Carried = Pick<RunHanded, "results" | "leftOut">;

interface Carrying {
	readonly of: Conversation;
	/** Who works beside it. */
	readonly apart: ReadonlySet<string>;
	readonly carry: Carry;
	readonly tokensMax: number;
}

/** The newest results of others that fit, oldest first; what it was told before is not told again. */
function carriedTo({ state }: Segment, to: Thread | undefined, { of, apart, carry, tokensMax }: Carrying): Carried {
	if (carry !== "results") return {};
	const carried: string[] = [];
	let [left, leftOut] = [tokensMax, 0];
	const results = of.team?.results ?? [];
	for (let at = results.length - 1; at >= (to?.carried ?? 0); at--) {
		const call = callOf(state, results[at] as string);
		const { thread } = call;
		if (thread === to || apart.has(thread.agent)) continue;
		const tokens = tokenEstimate(resultLine(call, valueOf(state, call)));
		// One that is too large alone must not cost the others their place.
		if (tokens > left) leftOut++;
		else {
			left -= tokens;
			carried.push(call.id);
		}
	}
	return { ...(carried.length > 0 ? { results: carried.reverse() } : {}), ...(leftOut > 0 ? { leftOut } : {}) };
}

/** Why no further handoff is taken. */
function boundOf({ of, agent, trail: { last } }: Thread, { team }: Way, to: string): string | undefined {
	const { name, handoffsMax, pingPongMax } = team;
	const made = of.team?.handoffs.get(name) ?? 0;
	if (made >= handoffsMax) {
		return `The agents of ${name} handed on ${counted(made, "time")} without coming to an end (handoffsMax)`;
	}
	const isBack = last?.from === to && last.to === agent;
	if (!isBack || last.times < pingPongMax) return undefined;
	return `${agent} and ${to} handed on to each other ${counted(last.times, "time")} with nothing done in between (pingPongMax)`;
}

/** Before an agent works that was spoken to: whether that is needed any more. */
export async function isEnded(segment: Segment, thread: Thread): Promise<boolean> {
	const { of } = thread;
	if (!of.team) return false;
	const { said } = of.team;
	const heard = said.length;
	const around = teamsOf(segment, of, thread.agent);
	for (const [at, team] of around.entries()) {
		const isAtEnd = await isTerminated(segment, team, of);
		// Somebody spoke meanwhile, or it is over already: whoever drives looks again.
		if (isOver(segment, of) || said.length !== heard) return true;
		if (!isAtEnd) continue;
		if (!isClosed(segment, thread, team)) return false;
		const members = new Set(agentsOf(team).map(({ name }) => name));
		const output = said.findLast(({ by }) => members.has(by))?.text ?? "";
		await outwards(segment, { of, by: thread, name: team.name, output }, around.slice(at + 1));
		return true;
	}
	return false;
}

/** What it was held for while somebody spoke to it is not made any more. What was started is waited for first (I7). */
function isClosed(segment: Segment, { late }: Thread, { name }: Team): boolean {
	const open = late.map((id) => callOf(segment.state, id));
	if (open.some(({ attempt }) => attempt > 0)) return false;
	for (const call of open) closeCall(segment, call, `The work of ${name} came to its end without it`);
	return true;
}

function incompatible({ state }: Segment, why: string): HoldpointError {
	return new HoldpointError("run.incompatible", `Run ${state.run} cannot go on: ${why}`, {
		details: { run: state.run },
	});
}

/** The end of a run, or of the call that was put to these agents. Whatever is in flight beside is waited for (I7). */
export function endWith(segment: Segment, of: Conversation, ending: Ending): void {
	if (isOver(segment, of)) return;
	const isOpen = (thread: Thread) =>
		thread.turn.length > 0 || thread.late.length > 0 || thread.timer || segment.busy.has(thread.work);
	if (of.active.some(isOpen)) segment.endings.set(of, ending);
	else writeEnd(segment, of, ending);
}

export function writeEnd(segment: Segment, { call, name }: Conversation, ending: Ending): void {
	if (call === undefined) {
		segment.emit(
			"output" in ending
				? { type: "run.finished", status: "completed", output: ending.output }
				: { type: "run.finished", status: "failed", error: ending.error },
		);
		return;
	}
	const outcome =
		"output" in ending
			? valueOutcome(segment, ending.output)
			: failedWith("agent.failed", `${name}: ${ending.error.message}`);
	segment.emit({ type: "call.finished", call, outcome });
}

function valueOutcome(segment: Segment, value: Json) {
	const text = JSON.stringify(value);
	return Buffer.byteLength(text) < segment.ready.limits.inlineBytesMax
		? { ok: value }
		: keepBeside(segment, text, value);
}
