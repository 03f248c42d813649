import { type Flow, isTeam, type Participant, type Team } from "../spec/team.ts";

/** The team as a Mermaid flowchart: who begins, and who may hand on to whom. Teams inside it are boxes. */
export function mermaidOf(team: Team): string {
	const lines = ["flowchart LR", "    start((user))"];
	drawTeam(lines, team, { indent: "    ", isInner: false });
	for (const name of team.start) lines.push(`    start --> ${idOf(team, name)}`);
	if (team.flow.kind === "user") lines.push(`    ${idOf(team, team.start[0] ?? "")} -. asks .-> start`);
	return `${lines.join("\n")}\n`;
}

function drawTeam(lines: string[], team: Team, { indent, isInner }: { indent: string; isInner: boolean }): void {
	const inner = isInner ? `${indent}    ` : indent;
	if (isInner) lines.push(`${indent}subgraph ${quoted(team.name)}`);
	for (const one of team.participants) {
		if (isTeam(one)) drawTeam(lines, one, { indent: inner, isInner: true });
		else
			lines.push(`${inner}${quoted(one.name)}${team.start.includes(one.name) ? `([${one.name}])` : `[${one.name}]`}`);
	}
	for (const [from, to, label] of waysOf(team)) {
		lines.push(`${inner}${idOf(team, from)} -->${label ? `|${label}|` : ""} ${idOf(team, to)}`);
	}
	if (isInner) lines.push(`${indent}end`);
}

type Way = readonly [from: string, to: string, label: string | undefined];

function waysOf(team: Team): Way[] {
	const { flow, participants } = team;
	const ways: Way[] = [...team.edges].flatMap(([from, edges]) =>
		edges.map(({ to, carry }): Way => [from, to, flow.kind === "pipeline" ? "back" : labels[carry]]),
	);
	const names = participants.map(({ name }) => name);
	if (flow.kind === "pipeline")
		for (const [i, name] of names.entries()) if (i > 0) ways.push([names[i - 1] ?? "", name, undefined]);
	return [...ways, ...returnsOf(flow, team)];
}

const labels = { none: "nothing carried", summary: "summary", results: undefined } as const;

function returnsOf(flow: Flow, { start, participants }: Team): Way[] {
	const [coordinator = ""] = start;
	if (flow.kind !== "group-chat" || flow.choose) return [];
	return participants.flatMap(({ name }): Way[] => (name === coordinator ? [] : [[name, coordinator, undefined]]));
}

/** Work that comes to a team comes to the first who begins in it. */
function idOf(team: Team, name: string): string {
	let one: Participant | undefined = team.participants.find((participant) => participant.name === name);
	while (one && isTeam(one)) {
		const [first = ""] = one.start;
		one = one.participants.find((participant) => participant.name === first);
	}
	return quoted(one?.name ?? name);
}

/** Some words have a meaning of their own in a flowchart. */
function quoted(name: string): string {
	return `agent_${name.replaceAll("-", "_")}`;
}
