import { counted } from "../../kit/counted.ts";
import { handoffsOf, teamsAround } from "../../routing/topology.ts";
import { castOf } from "../../run/ready-agent.ts";
import type { Agent } from "../../spec/agent.ts";
import { type Edge, type Flow, isTeam, type Participant, type Team } from "../../spec/team.ts";
import type { Tool } from "../../spec/tool.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { loadedAgents } from "../open-harness.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { inlineText, proseText } from "../render/safe-text.ts";
import type { Style } from "../render/style.ts";
import { wrap } from "../render/text-width.ts";
import { createVoices, type Voices } from "../render/voices.ts";
import { chooseAgent } from "./run.ts";

/** Who is in a team, with which tools, and who may hand on to whom. Nothing is opened, and nothing runs. */
export async function team(invocation: Invocation): Promise<number> {
	const { terminal, positionals, options } = invocation;
	const { style, width } = terminal;
	const agents = await loadedAgents(invocation);
	const one = chooseAgent(agents, positionals[0]);
	if (options["mermaid"] !== undefined) {
		if (!isTeam(one)) throw usageInvalid(`${one.name} is an agent by itself: there is nothing to draw`);
		terminal.answer({ mermaid: one.toMermaid() }, () => [one.toMermaid().trimEnd()]);
		return exitCodes.done;
	}
	const members = castOf(one).map((agent) => memberOf(one, agent));
	const voices = createVoices(style);
	const facts = isTeam(one) ? teamFacts(one) : { name: one.name };
	terminal.answer({ ...facts, members }, () => [
		...headLines(one, { style, width }),
		...members.flatMap((member) => ["", ...memberLines(member, { style, width, voices })]),
	]);
	return exitCodes.done;
}

interface Way extends Pick<Edge, "to" | "carry"> {
	readonly description: string | undefined;
	readonly only: readonly string[] | undefined;
}

interface Member {
	readonly name: string;
	/** Teams inside the team that it is in, the outermost first. */
	readonly teams: readonly string[];
	readonly begins: boolean;
	/** It is reached as a tool of others, and not by a handoff. */
	readonly isTool: boolean;
	readonly tools: readonly { readonly name: string; readonly effect: string; readonly agent: string | undefined }[];
	readonly programs: boolean;
	readonly model: string | undefined;
	readonly ways: readonly Way[];
}

function memberOf(one: Participant, agent: Agent): Member {
	const around = isTeam(one) ? teamsAround(one, agent.name) : [];
	const isStart = (team: Team, at: number): boolean => team.start.includes(around[at + 1]?.name ?? agent.name);
	const ways = isTeam(one) ? [...handoffsOf(one, agent.name).values()] : [];
	return {
		name: agent.name,
		teams: around.slice(1).map(({ name }) => name),
		begins: around.length > 0 && around.every(isStart),
		isTool: around.length === 0 && agent !== one,
		tools: agent.tools.map(({ name, effect, agent: behind }: Tool) => ({ name, effect, agent: behind?.name })),
		programs: agent.programs !== undefined,
		model: agent.model?.modelId,
		ways: ways.map(({ to, carry, description, only }) => ({ to, carry, description, only })),
	};
}

function teamFacts({ name, flow, handoffsMax, pingPongMax, start, terminateWhen }: Team) {
	return { name, flow: flow.kind, start, handoffsMax, pingPongMax, endsByCondition: terminateWhen !== undefined };
}

interface Page {
	readonly style: Style;
	readonly width: number;
}

function headLines(one: Participant, { style, width }: Page): string[] {
	if (!isTeam(one)) return [style.dim("An agent by itself.")];
	const bounds =
		one.flow.kind === "pipeline" && one.edges.size === 0
			? ""
			: ` Between two words of the user at most ${one.handoffsMax} handoffs.`;
	const ends = one.terminateWhen ? " A condition of its own ends it." : "";
	return [style.bold(one.name), ...wrap(`${flowText(one.flow, one)}${bounds}${ends}`, width)];
}

function flowText(flow: Flow, { start }: Team): string {
	const [first = ""] = start;
	switch (flow.kind) {
		case "user": {
			const reader = flow.returnTo === "same" ? "whoever asked" : first;
			return `${first} begins; an answer without a handoff asks the user, and ${reader} reads the reply.`;
		}
		case "autonomous":
			return `${first} begins; whoever answers without a handoff goes on by itself, ${counted(flow.turnsMax, "time")} at most, before the user is asked.`;
		case "pipeline":
			return "One after the other; the last one's answer is the team's.";
		case "parallel":
			return "All work beside each other on the same; their answers are joined.";
		case "group-chat":
			return flow.choose
				? `A function chooses who speaks next, ${counted(flow.roundsMax, "time")} at most.`
				: `${first} chooses who speaks next, ${counted(flow.roundsMax, "time")} at most; its own answer is the team's.`;
	}
}

function memberLines(member: Member, { style, width, voices }: Page & { readonly voices: Voices }): string[] {
	const { name, teams, begins, isTool, tools, programs, model, ways } = member;
	const about = [
		...(begins ? ["begins"] : []),
		...(isTool ? ["a tool of others"] : []),
		...teams.map((team) => `in ${team}`),
		...(programs ? ["writes programs"] : []),
		model === undefined ? "no model" : inlineText(model, 60),
	];
	const shown = tools.map(
		({ name: tool, effect, agent }) => `${tool} (${agent === undefined ? effect : `asks ${agent}`})`,
	);
	return [
		`${style.bold(voices(name))}  ${style.dim(about.join(" · "))}`,
		...hanging("tools", shown.join(", ") || "none", width),
		...ways.flatMap((way) => hanging(`→ ${way.to}`, wayText(way), width)),
	];
}

function wayText({ carry, description, only }: Way): string {
	const carried = { none: "nothing is carried", summary: "a summary is carried", results: "" }[carry];
	const left = only ? `it may use ${only.join(", ") || "no tools"}` : "";
	return [proseText(description ?? "", 500), carried, left].filter(Boolean).join(" · ");
}

function hanging(name: string, text: string, width: number): string[] {
	const [first = "", ...rest] = wrap(text === "" ? name : `${name}: ${text}`, width - 2);
	return [`  ${first.trimEnd()}`, ...rest.map((line) => `    ${line}`)];
}
