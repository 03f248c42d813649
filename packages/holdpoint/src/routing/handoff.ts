import { HoldpointError } from "../spec/errors.ts";
import { defaultTeamLimits, type Limits } from "../spec/limits.ts";
import type { Carry, Edge, Flow, NameOf, Participant, Team, TerminationCondition } from "../spec/team.ts";
import { teamOf } from "./check-team.ts";

/** What may be said of one way. */
export interface EdgeOptions {
	/** When to take it, as the model reads it. */
	readonly description?: string;
	/** What the next one is told of the results so far. Default: `results`. */
	readonly carry?: Carry;
	/** Units: tokens. Default: 4,000. */
	readonly carryTokensMax?: number;
	/** Tools of the next one; it may use no others of its own. */
	readonly only?: readonly string[];
}

export interface HumanInTheLoop {
	/** Who reads the user's reply. Default: `same`, the one that asked. */
	readonly returnTo?: "same" | "coordinator";
}

export interface Autonomous {
	/** How often an agent goes on after an answer without a handoff, before the user is asked. Default: 50. */
	readonly turnsMax?: number;
	/** Of these agents other numbers. */
	readonly turnsMaxOf?: { readonly [agent: string]: number };
	/** What it is told then. */
	readonly prompt?: string | ((agent: string) => string | Promise<string>);
}

type Target<Member extends string> = Member | (EdgeOptions & { readonly to: Member });

/** `typed` edges: each name must be one of the participants'. */
export interface HandoffDefinition<Name extends string = string, Member extends string = string> {
	readonly name: Name;
	readonly participants: readonly (Participant & { readonly name: Member })[];
	/** Who begins. */
	readonly coordinator: NoInfer<Member>;
	/** Who may hand on to whom. None: everybody to everybody. */
	readonly edges?: { readonly [From in NoInfer<Member>]?: readonly Target<NoInfer<Member>>[] };
	/** Default: `human-in-the-loop`. */
	readonly interaction?:
		| Interaction
		| ({ readonly mode: "autonomous" } & Autonomous)
		| ({ readonly mode: "human-in-the-loop" } & HumanInTheLoop);
	readonly terminateWhen?: TerminationCondition;
	/** Handoffs between two words of the user. Default: 20. */
	readonly handoffsMax?: number;
	/** Handoffs in a row between the same two agents, with nothing done in between. Default: `handoffsMax`. */
	readonly pingPongMax?: number;
	readonly limits?: Partial<Limits>;
}

export type Interaction = "human-in-the-loop" | "autonomous";

/** A team of agents that hand on to each other at run time, as a plain object. Errors: `team.invalid`. */
export function defineTeam<const Name extends string, const Member extends string>(
	definition: HandoffDefinition<Name, Member>,
): Team<Name> {
	const {
		name,
		participants = [],
		coordinator,
		interaction,
		terminateWhen,
		handoffsMax,
		pingPongMax,
		limits,
	} = definition;
	return teamOf({
		name,
		participants,
		start: coordinator === undefined ? [] : [coordinator],
		edges: edgesOf(definition),
		flow: flowOf(interaction),
		terminateWhen,
		...(handoffsMax === undefined ? {} : { handoffsMax }),
		...(pingPongMax === undefined ? {} : { pingPongMax }),
		limits: limits ?? {},
	});
}

function edgesOf({ participants = [], edges }: Pick<HandoffDefinition, "participants" | "edges">): Map<string, Edge[]> {
	if (edges) {
		return new Map(
			Object.entries(edges).map(([from, ways]) => [
				from,
				(ways ?? []).map((way) => (typeof way === "string" ? edgeTo(way) : edgeTo(way.to, way))),
			]),
		);
	}
	const names = participants.map((one) => one?.name);
	return new Map(names.map((from) => [from, names.filter((to) => to !== from).map((to) => edgeTo(to))]));
}

export function edgeTo(to: string, options: EdgeOptions = {}): Edge {
	const { description, carry = "results", carryTokensMax = defaultTeamLimits.carryTokensMax, only } = options;
	return { to, description, carry, carryTokensMax, only };
}

export const continuePrompt = "The user does not answer. Go on by yourself with what you have.";

function flowOf(interaction: HandoffDefinition["interaction"] = "human-in-the-loop"): Flow {
	const { mode, ...options } = typeof interaction === "string" ? { mode: interaction } : interaction;
	if (mode === "human-in-the-loop") return { kind: "user", returnTo: (options as HumanInTheLoop).returnTo ?? "same" };
	if (mode !== "autonomous") {
		throw new HoldpointError("team.invalid", `"${String(mode)}" is no interaction`, {
			hint: 'It is "human-in-the-loop" or "autonomous".',
		});
	}
	const {
		turnsMax = defaultTeamLimits.autonomousTurnsMax,
		turnsMaxOf = {},
		prompt = continuePrompt,
	} = options as Autonomous;
	return { kind: "autonomous", turnsMax, turnsMaxOf, prompt };
}

type One<Member extends string> = Member | { readonly name: Member };

/** Builds a team of agents that hand on to each other at run time; nothing is checked before `build`. */
export class HandoffBuilder<Name extends string, Member extends string = never> {
	private readonly parts: Partial<HandoffDefinition> & { readonly name: Name };

	constructor(parts: Partial<HandoffDefinition> & { readonly name: Name }) {
		this.parts = parts;
	}

	private with<Next extends string = Member>(
		more: Partial<Omit<HandoffDefinition, "name">>,
	): HandoffBuilder<Name, Next> {
		const { name } = this.parts;
		return new HandoffBuilder<Name, Next>({ ...this.parts, ...more, name });
	}

	/** Agents, and teams. */
	participants<const Some extends readonly Participant[]>(
		participants: Some,
	): HandoffBuilder<Name, NameOf<Some[number]>> {
		return this.with<NameOf<Some[number]>>({ participants });
	}

	/** Who begins, and routes. */
	coordinator(one: One<Member>): HandoffBuilder<Name, Member> {
		return this.with({ coordinator: nameOf(one) });
	}

	/** The same as `coordinator`. */
	startWith(one: One<Member>): HandoffBuilder<Name, Member> {
		return this.coordinator(one);
	}

	/** Ways on which one may hand on. With the first one declared, only those that are declared are there. */
	edge(
		from: One<Member>,
		to: One<Member> | readonly One<Member>[],
		options: EdgeOptions = {},
	): HandoffBuilder<Name, Member> {
		const targets = Array.isArray(to) ? (to as readonly One<Member>[]) : [to as One<Member>];
		const name = nameOf(from);
		const before = this.parts.edges ?? {};
		const own = before[name] ?? [];
		const ways = targets.map((one) => ({ ...options, to: nameOf(one) }));
		return this.with({ edges: { ...before, [name]: [...own, ...ways] } });
	}

	interaction(mode: "human-in-the-loop", options?: HumanInTheLoop): HandoffBuilder<Name, Member>;
	interaction(mode: "autonomous", options?: Autonomous): HandoffBuilder<Name, Member>;
	interaction(mode: Interaction, options: HumanInTheLoop & Autonomous = {}): HandoffBuilder<Name, Member> {
		return this.with({ interaction: { mode, ...options } });
	}

	/** Whether the conversation is over: asked before an agent works that was spoken to, and after an answer without a call. */
	terminateWhen(condition: TerminationCondition): HandoffBuilder<Name, Member> {
		return this.with({ terminateWhen: condition });
	}

	/** Bounds of the team. */
	limits(
		limits: Partial<Limits> & Pick<HandoffDefinition, "handoffsMax" | "pingPongMax">,
	): HandoffBuilder<Name, Member> {
		const { handoffsMax, pingPongMax, ...rest } = limits;
		return this.with({
			...(handoffsMax === undefined ? {} : { handoffsMax }),
			...(pingPongMax === undefined ? {} : { pingPongMax }),
			limits: { ...this.parts.limits, ...rest },
		});
	}

	/** Errors: `team.invalid`. */
	build(): Team<Name> {
		return defineTeam(this.parts as HandoffDefinition<Name>);
	}
}

/** Begins a team of agents that hand on to each other at run time. */
export function handoff<const Name extends string>(options: { readonly name: Name }): HandoffBuilder<Name> {
	return new HandoffBuilder(options);
}

function nameOf(one: string | { readonly name: string }): string {
	return typeof one === "string" ? one : one?.name;
}
