import { isTeam, type Participant, type Team } from "../spec/team.ts";
import { entryOf, participantOf } from "./topology.ts";

/** The team as a Mermaid flowchart: who begins, and who may hand on to whom. Teams inside it are boxes. */
export function mermaidOf(team: Team): string {
	const lines = ["flowchart LR", "    start((user))"];
	drawTeam(lines, team, "    ");
	for (const name of entryOf(team)) lines.push(`    start --> ${idOf(name)}`);
	if (team.flow.kind === "user") lines.push(`    ${exitOf(team, team.start[0] ?? "")} -. asks .-> start`);
	return `${lines.join("\n")}\n`;
}

function drawTeam(lines: string[], team: Team, indent: string): void {
	const { name, flow, participants, start } = team;
	for (const one of participants) {
		if (!isTeam(one)) {
			lines.push(`${indent}${idOf(one.name)}${start.includes(one.name) ? `([${one.name}])` : `[${one.name}]`}`);
			continue;
		}
		lines.push(`${indent}subgraph ${idOf(one.name)} [${one.name}]`);
		drawTeam(lines, one, `${indent}    `);
		lines.push(`${indent}end`);
	}
	if (flow.kind === "parallel") lines.push(`${indent}${joinOf(name)}[/join/]`);
	if (flow.kind === "group-chat" && flow.choose) lines.push(`${indent}${chooserOf(name)}{{chooser}}`);
	for (const [from, to, label] of waysOf(team)) lines.push(`${indent}${from} -->${label ? `|${label}|` : ""} ${to}`);
}

/** Between nodes, by their ids. */
type Way = readonly [from: string, to: string, label?: string | undefined];

const labels = { none: "nothing carried", summary: "summary", results: undefined } as const;

function waysOf(team: Team): Way[] {
	const { flow } = team;
	const handoffs = [...team.edges].flatMap(([from, edges]) =>
		edges.flatMap(({ to, carry }) =>
			waysTo(team, to).map((id): Way => [exitOf(team, from), id, flow.kind === "pipeline" ? "back" : labels[carry]]),
		),
	);
	return [...handoffs, ...orderOf(team)];
}

/** The team's own order. */
function orderOf(team: Team): Way[] {
	const { name, flow, participants } = team;
	const names = participants.map((one) => one.name);
	switch (flow.kind) {
		case "pipeline":
			return names
				.slice(1)
				.flatMap((next, at) => waysTo(team, next).map((id): Way => [exitOf(team, names[at] ?? ""), id]));
		case "parallel":
			return names.map((one): Way => [exitOf(team, one), joinOf(name)]);
		case "group-chat":
			return flow.choose ? chosenWays(team, names) : returnsOf(team, names);
		default:
			return [];
	}
}

function chosenWays(team: Team, names: readonly string[]): Way[] {
	const chooser = chooserOf(team.name);
	return names.flatMap((one): Way[] => [
		[exitOf(team, one), chooser],
		...waysTo(team, one).map((id): Way => [chooser, id]),
	]);
}

function returnsOf(team: Team, names: readonly string[]): Way[] {
	const [chooser = ""] = team.start;
	const others = names.filter((one) => one !== chooser);
	return others.flatMap((one) => waysTo(team, chooser).map((id): Way => [exitOf(team, one), id]));
}

/** Work that comes to a team comes to those who begin in it. */
function waysTo(team: Team, name: string): readonly string[] {
	const one = participantOf(team, name);
	return one ? entryOf(one).map(idOf) : [];
}

/** From where work leaves a participant. */
function exitOf(team: Team, name: string): string {
	const one: Participant | undefined = participantOf(team, name);
	return one && isTeam(one) && one.flow.kind === "parallel" ? joinOf(name) : idOf(name);
}

/** Some words and signs have a meaning of their own in a flowchart, and two names may not become one id. */
function idOf(name: string): string {
	return `agent_${name.replaceAll("_", "__").replaceAll("-", "_d")}`;
}

function joinOf(team: string): string {
	return `join_${idOf(team)}`;
}

function chooserOf(team: string): string {
	return `chooser_${idOf(team)}`;
}
