/** Makes a team of what a builder was told. Whatever cannot work is an error here, and nothing of it runs. */
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { limitProblem } from "../kit/limit-problem.ts";
import { HoldpointError } from "../spec/errors.ts";
import { defaultLimits, defaultTeamLimits } from "../spec/limits.ts";
import { type Edge, isTeam, type Team } from "../spec/team.ts";
import { mermaidOf } from "./mermaid.ts";
import { agentsOf, entryOf, handoffsOf, participantOf } from "./topology.ts";

export type TeamParts<Name extends string> = Pick<
	Team<Name>,
	"name" | "participants" | "start" | "edges" | "flow" | "terminateWhen" | "limits"
> &
	Partial<Pick<Team, "handoffsMax" | "pingPongMax">>;

/** Errors: `team.invalid`. An agent that nothing leads to is a warning. */
export function teamOf<const Name extends string>(parts: TeamParts<Name>): Team<Name> {
	const { name, participants, start, edges, flow, terminateWhen } = parts;
	const handoffsMax = parts.handoffsMax ?? defaultTeamLimits.handoffsMax;
	const team: Team<Name> = {
		kind: "team",
		name,
		participants: [...participants],
		start: [...start],
		edges,
		flow,
		terminateWhen,
		handoffsMax,
		pingPongMax: parts.pingPongMax ?? handoffsMax,
		limits: { turnsMax: defaultTeamLimits.turnsMax, ...parts.limits },
		digest: "",
		toMermaid: () => mermaidOf(team),
	};
	checkParticipants(team);
	checkStart(team);
	checkEdges(team);
	checkFlow(team);
	warnOfUnreachable(team);
	return Object.assign(team, { digest: digestOf(team) });
}

function digestOf({ name, participants, start, edges, flow, handoffsMax, pingPongMax }: Team): string {
	const ways = [...edges].map(([from, to]) => [
		from,
		to.map(({ description, ...edge }) => ({
			...edge,
			description: description ?? null,
			only: edge.only ? [...edge.only] : null,
		})),
	]);
	const members = participants.map((one) => [one.name, one.digest]);
	const about = [name, members, [...start], ways, JSON.stringify(flow), handoffsMax, pingPongMax];
	return digest(canonicalJson(about as never)).slice(0, 12);
}

function checkParticipants(team: Team): void {
	const { name, participants } = team;
	check(
		typeof name === "string" && /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name),
		`"${String(name).slice(0, 80)}" is no team name`,
	);
	check(participants.length > 0, `team ${name} has no participants`);
	for (const one of participants) {
		const isMade = typeof one?.name === "string" && typeof one.digest === "string";
		check(isMade, `team ${name} has a participant that neither \`defineAgent\` nor a team's builder made`);
	}
	for (const { name: inner, limits } of participants.filter(isTeam)) {
		const isOwn = limits.turnsMax !== undefined && limits.turnsMax !== defaultTeamLimits.turnsMax;
		check(
			!isOwn,
			`team ${name}: answers are counted of the whole team, and ${inner} inside it sets turnsMax: set it here`,
		);
	}
	const names = new Set<string>([name]);
	for (const one of [...participants.filter(isTeam), ...agentsOf(team)]) {
		check(one.name !== "user", `team ${name}: no participant can be named user, who is the one that it works for`);
		check(!names.has(one.name), `team ${name} has two participants named ${one.name}`);
		names.add(one.name);
	}
}

function checkStart(team: Team): void {
	const { name, start } = team;
	check(start.length > 0, `team ${name} has no agent that begins: name its coordinator`);
	for (const one of start)
		check(participantOf(team, one) !== undefined, `team ${name} begins with ${one}, who is no participant`);
}

function checkEdges(team: Team): void {
	const { name, edges } = team;
	for (const [from, ways] of edges) {
		check(participantOf(team, from) !== undefined, `team ${name} has an edge from ${from}, who is no participant`);
		const seen = new Set<string>();
		for (const way of ways) {
			const { to, carryTokensMax } = way;
			check(participantOf(team, to) !== undefined, `team ${name} has an edge to ${to}, who is no participant`);
			checkCarried(team, from, way);
			check(to !== from, `team ${name} has an edge from ${from} to itself`);
			check(!seen.has(to), `team ${name} has two edges from ${from} to ${to}`);
			check(isCount(carryTokensMax), `team ${name}: carryTokensMax from ${from} to ${to} is a whole number from 1 on`);
			seen.add(to);
		}
	}
	checkHandoffTools(team);
}

const carries: ReadonlySet<unknown> = new Set(["none", "summary", "results"]);

/** A name that is written wrongly would leave whoever takes over nothing. */
function checkCarried(team: Team, from: string, { to, carry, only = [] }: Edge): void {
	const way = `team ${team.name}: the edge from ${from} to ${to}`;
	check(carries.has(carry), `${way} carries "${String(carry)}"; it is none, summary or results`);
	check(Array.isArray(only), `${way} has an \`only\` that is no list`);
	const target = participantOf(team, to);
	const agents = target && isTeam(target) ? agentsOf(target) : target ? [target] : [];
	const own = new Set(agents.flatMap(({ tools }) => tools.map((tool) => tool.name)));
	const lost = only.find((tool) => !own.has(tool));
	check(lost === undefined, `${way} leaves ${to} only the tool ${lost}, which it has not`);
}

function checkHandoffTools(team: Team): void {
	const { name } = team;
	for (const { name: agent, tools } of agentsOf(team)) {
		for (const tool of handoffsOf(team, agent).keys()) {
			check(tool.length <= 64, `team ${name}: the name of the tool ${tool} is longer than 64 characters`);
			check(
				!tools.some((one) => one.name === tool),
				`team ${name}: ${agent} has a tool of its own that is named ${tool}`,
			);
		}
	}
}

function checkFlow({ name, flow, handoffsMax, pingPongMax, terminateWhen, participants, start, limits }: Team): void {
	const problem = limitProblem(limits, defaultLimits);
	check(problem === undefined, `team ${name} sets ${problem}`);
	for (const [what, value] of Object.entries({ handoffsMax, pingPongMax })) {
		check(isCount(value), `team ${name} sets ${what} to ${String(value)}; it is a whole number from 1 on`);
	}
	const isFunction = terminateWhen === undefined || typeof terminateWhen === "function";
	check(isFunction, `team ${name} has a terminateWhen that is no function`);
	if (flow.kind === "autonomous") {
		for (const value of [flow.turnsMax, ...Object.values(flow.turnsMaxOf)]) {
			check(isCount(value), `team ${name} sets turnsMax to ${String(value)}; it is a whole number from 1 on`);
		}
		for (const agent of Object.keys(flow.turnsMaxOf)) {
			const isThere = participants.some((one) => one.name === agent);
			check(isThere, `team ${name} sets turnsMax of ${agent}, who is no participant`);
		}
	}
	if (flow.kind === "parallel") {
		check(flow.join === undefined || typeof flow.join === "function", `team ${name} has a join that is no function`);
	}
	if (flow.kind === "group-chat") {
		check(flow.choose !== undefined || participants.length > 1, `team ${name} has nobody to choose`);
		check(
			isCount(flow.roundsMax),
			`team ${name} sets roundsMax to ${String(flow.roundsMax)}; it is a whole number from 1 on`,
		);
	}
	const isAlone = start.length === 1 || flow.kind === "parallel";
	check(isAlone, `team ${name} begins with ${start.length} agents at once, and is no parallel one`);
}

function isCount(value: unknown): boolean {
	return Number.isSafeInteger(value) && (value as number) >= 1;
}

function warnOfUnreachable(team: Team): void {
	if (team.flow.kind === "pipeline" || (team.flow.kind === "group-chat" && team.flow.choose)) return;
	const reached = new Set(team.start);
	for (const name of reached) for (const { to } of team.edges.get(name) ?? []) reached.add(to);
	const lost = team.participants.filter(({ name }) => !reached.has(name)).flatMap(entryOf);
	if (lost.length > 0) {
		process.emitWarning(`In the team ${team.name} no edge leads to ${lost.join(", ")}`, {
			code: "HOLDPOINT_UNREACHABLE",
		});
	}
}

function check(condition: boolean, message: string): void {
	if (!condition) throw new HoldpointError("team.invalid", message);
}
