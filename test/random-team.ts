/** Random teams, what their agents say and do, and what people do meanwhile: all of it follows from a seed. */
import type { Agent } from "holdpoint";
import { agentTool, defineTeam, groupChat, type Participant, parallel, pipeline } from "holdpoint/teams";
import { calls, type Story, type StoryAsk, say } from "holdpoint/testing";
import { Dice } from "./random-story.ts";
import type { TeamPlay } from "./team-play.ts";

export const handoffsMax = 4;
const agents = ["ann", "bea", "cid", "dan", "eve"] as const;
const helper = "zoe";
const answersMax = 9;

export interface RandomTeam {
	readonly play: TeamPlay;
	/** No two of its agents ever work at the same time, and nobody interrupts, so that the order of all things is given. */
	readonly isOrdered: boolean;
	/** In short, for whoever looks at a failure. */
	readonly told: string;
}

export function randomTeam(seed: number): RandomTeam {
	const dice = new Dice(seed, 1);
	const shape = shapeOf(dice, { free: [...agents], name: "team", depth: 2 });
	const names = namesIn(shape);
	const hasHelper = dice.chance(0.3);
	const play: TeamPlay = {
		harness: { policy: ({ tool, args }) => policyOf(tool.name, args), limits: { concurrencyMax: dice.pick([1, 8]) } },
		replies: ["first reply", "second reply", "third reply"].slice(0, dice.between(0, 3)),
		restarts: dice.chance(0.5),
		acts: actsOf(seed),
		cast: ({ look, book }) =>
			Object.fromEntries([...names, helper].map((name) => [name, { tools: [look, book], story: storyOf(seed, name) }])),
		team: (all) => teamOf(shape, hasHelper ? withHelper(all) : all),
	};
	return {
		play,
		isOrdered: !hasHelper && !isLoud(seed) && isOrdered(shape),
		told: JSON.stringify({ ...shape, hasHelper }),
	};
}

/** Everybody may put tasks to one who is in no team. */
function withHelper(all: { readonly [name: string]: Agent }): { readonly [name: string]: Agent } {
	const tool = agentTool(all[helper] as Agent);
	return Object.fromEntries(
		Object.entries(all).map(([name, agent]) => [name, { ...agent, tools: [...agent.tools, tool] }]),
	);
}

/** What the policy says is in the arguments, so that it is the same in whichever order calls come. */
function policyOf(tool: string, args: unknown) {
	const { what = "" } = args as { readonly what?: string };
	if (tool !== "book") return { verdict: "allow" } as const;
	if (what.startsWith("ask")) return { verdict: "ask", reason: "money" } as const;
	return what.startsWith("deny") ? ({ verdict: "deny", reason: "no" } as const) : ({ verdict: "allow" } as const);
}

/** The user speaks without being asked. */
function isLoud(seed: number): boolean {
	return new Dice(seed, 2).chance(0.3);
}

function actsOf(seed: number): NonNullable<TeamPlay["acts"]> {
	const isEnded = new Dice(seed, 3).chance(0.1);
	return {
		answer: (call) => (new Dice(seed, 4, ...digits(call)).chance(0.3) ? "deny" : "approve"),
		interrupt: (said) => {
			const dice = new Dice(seed, 5, said);
			if (!isLoud(seed) || said >= 3 || !dice.chance(0.5)) return undefined;
			return { text: `word ${said}`, mode: dice.pick(["turn", "queue"]) };
		},
		cancels: (said) => isEnded && said === new Dice(seed, 6).between(0, 2),
	};
}

function digits(text: string): number[] {
	return [...text].map((char) => char.charCodeAt(0));
}

/** A team as a plain value. */
interface Shape {
	readonly name: string;
	readonly kind: "mesh" | "edges" | "pipeline" | "parallel" | "table";
	readonly members: readonly (string | Shape)[];
	readonly mode: "human-in-the-loop" | "autonomous";
	readonly returnTo: "same" | "coordinator";
	/** Said so often in all, it is over. */
	readonly endsAt: number | undefined;
}

interface Room {
	/** Names of agents that are in no team yet. */
	readonly free: string[];
	readonly name: string;
	/** So deep teams may still be inside of it. */
	readonly depth: number;
}

function shapeOf(dice: Dice, { free, name, depth }: Room): Shape {
	const kind = dice.pick<Shape["kind"]>(["mesh", "mesh", "edges", "pipeline", "parallel", "table"]);
	const size = kind === "table" ? 3 : dice.between(2, 3);
	const members: (string | Shape)[] = [];
	for (let at = 0; at < size && free.length > 0; at++) {
		const isTeam = depth > 1 && free.length > 2 && (kind !== "table" || at > 0) && dice.chance(0.25);
		members.push(isTeam ? shapeOf(dice, { free, name: `${name}-${at}`, depth: depth - 1 }) : (free.shift() ?? ""));
	}
	return {
		name,
		kind,
		members,
		mode: dice.pick(["human-in-the-loop", "autonomous"]),
		returnTo: dice.pick(["same", "coordinator"]),
		// A team inside that asks the user for ever would never let the others have their turn.
		endsAt: depth === 1 || dice.chance(0.3) ? dice.between(3, 7) : undefined,
	};
}

function namesIn({ members }: Shape): string[] {
	return members.flatMap((one) => (typeof one === "string" ? one : namesIn(one)));
}

function isOrdered({ kind, members }: Shape): boolean {
	return kind !== "parallel" && members.every((one) => typeof one === "string" || isOrdered(one));
}

function teamOf(shape: Shape, all: { readonly [name: string]: Agent }): Participant {
	const { name, kind, members, mode, returnTo, endsAt } = shape;
	const participants = members.map((one) => (typeof one === "string" ? (all[one] as Agent) : teamOf(one, all)));
	const [first, second, ...others] = participants as [Participant, ...Participant[]];
	const end = endsAt === undefined ? {} : { terminateWhen: (said: readonly unknown[]) => said.length >= endsAt };
	switch (kind) {
		case "pipeline": {
			const back = second && { from: second.name, to: first.name, max: 2 };
			return pipeline(participants, { name, ...end, ...(back ? { back } : {}) });
		}
		case "parallel":
			return parallel(participants, { name });
		case "table":
			return groupChat(second ? [second, ...others] : [], { name, ...end, chooser: first, roundsMax: 3 });
		default:
			return defineTeam({
				name,
				participants,
				coordinator: first.name,
				interaction: mode === "autonomous" ? { mode, turnsMax: 2 } : { mode, returnTo },
				...(kind === "edges" ? { edges: ring(participants) } : {}),
				handoffsMax,
				...end,
			});
	}
}

function ring(participants: readonly Participant[]) {
	const ways = participants.map(
		({ name }, at) => [name, [participants[(at + 1) % participants.length]?.name ?? ""]] as const,
	);
	return Object.fromEntries(ways.filter(([name, [to]]) => name !== to));
}

/** Each answer follows from the seed, the agent and how often it answered. */
function storyOf(seed: number, agent: string): Story {
	return (ask, n) => {
		const dice = new Dice(seed, 7, ...digits(agent), n);
		if (n >= answersMax || dice.chance(0.35)) return say(`${agent} ${n}`);
		const list = [];
		for (let at = 0; at < dice.between(0, 2); at++) {
			const what = `${dice.pick(["allow", "allow", "ask", "deny"])} ${agent}-${n}-${at}${taskOf(ask, agent)}`;
			list.push({ tool: dice.pick(["look", "book"]), args: { what } });
		}
		for (const tool of handoffsIn(ask, dice)) list.push({ tool, args: { reason: `${n}`, summary: `${agent} says` } });
		if (ask.tools.includes(`ask_${helper}`) && dice.chance(0.3))
			list.push({ tool: `ask_${helper}`, args: { task: ` for ${agent} ${n}` } });
		if (dice.chance(0.1)) list.push({ tool: "handoff_to_nobody", args: { reason: "x" }, undeclared: true });
		if (list.length === 0) return say(`${agent} ${n}`);
		return calls(list, dice.chance(0.3) ? { text: `${agent} on the way ${n}` } : {});
	};
}

/** No two calls are the same, in whichever conversation they are made. */
function taskOf({ messages }: StoryAsk, agent: string): string {
	const [part] = agent === helper ? (messages[1]?.content ?? []) : [];
	return typeof part === "object" && "text" in part ? part.text : "";
}

function handoffsIn({ tools }: StoryAsk, dice: Dice): string[] {
	const [first, ...others] = tools.filter((tool) => tool.startsWith("handoff_to_"));
	if (first === undefined || dice.chance(0.4)) return [];
	const one = dice.pick([first, ...others]);
	return dice.chance(0.15) ? [one, dice.pick([first, ...others])] : [one];
}
