/**
 * Who is in a team, and which ways lead where. A team may take part in another one: its agents take the ways that lead
 * out of it, too, and whoever hands on to it reaches the one that begins in it.
 */
import type { Agent } from "../spec/agent.ts";
import { type Edge, isTeam, type Participant, type Team } from "../spec/team.ts";

/** Every agent that may work in it, those of teams inside it included, in their order. */
export function agentsOf(team: Team): readonly Agent[] {
	return team.participants.flatMap((one) => (isTeam(one) ? agentsOf(one) : [one]));
}

export function participantOf(team: Team, name: string): Participant | undefined {
	return team.participants.find((one) => one.name === name);
}

/** The teams that an agent or a team is in, the outermost first; empty where it is in none of them. */
export function teamsAround(team: Team, participant: string): readonly Team[] {
	for (const one of team.participants) {
		if (one.name === participant) return [team];
		const inner = isTeam(one) ? teamsAround(one, participant) : [];
		if (inner.length > 0) return [team, ...inner];
	}
	return [];
}

/** Names of the agents that begin where work comes to it. */
export function entryOf(one: Participant): readonly string[] {
	if (!isTeam(one)) return [one.name];
	return one.start.flatMap((name) => {
		const first = participantOf(one, name);
		return first ? entryOf(first) : [];
	});
}

export function handoffTool(to: string): string {
	return `handoff_to_${to}`;
}

/** A way, and whose it is. */
export interface Way extends Edge {
	readonly team: Team;
}

/** On which ways an agent may hand on, by the name of the tool: those of its own team go before those that lead out of it. */
export function handoffsOf(team: Team, agent: string): ReadonlyMap<string, Way> {
	const found = new Map<string, Way>();
	let name = agent;
	for (const around of teamsAround(team, agent).toReversed()) {
		for (const edge of around.edges.get(name) ?? []) {
			if (!found.has(handoffTool(edge.to))) found.set(handoffTool(edge.to), { ...edge, team: around });
		}
		// Who works beside others does not leave them.
		if (around.flow.kind === "parallel") break;
		name = around.name;
	}
	return found;
}

/** Whose participants have all worked beside each other and are done, the innermost team first. `done`: names of participants. */
export function teamToJoin(team: Team, done: { has(name: string): boolean }): Team | undefined {
	for (const one of team.participants) {
		const inner = isTeam(one) ? teamToJoin(one, done) : undefined;
		if (inner) return inner;
	}
	const isDone = team.flow.kind === "parallel" && team.participants.every(({ name }) => done.has(name));
	return isDone ? team : undefined;
}
