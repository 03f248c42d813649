/** The fixed shapes of teams: a row, beside each other, a table. They are teams like any other; only what follows an answer differs. */
import { HoldpointError } from "../spec/errors.ts";
import { defaultTeamLimits, type Limits } from "../spec/limits.ts";
import type { Choose, Edge, Join, NameOf, Participant, Team, TerminationCondition } from "../spec/team.ts";
import { teamOf } from "./check-team.ts";
import { type EdgeOptions, edgeTo } from "./handoff.ts";

interface ShapeOptions<Name extends string> {
	readonly name: Name;
	readonly terminateWhen?: TerminationCondition;
	readonly limits?: Partial<Limits>;
}

export interface PipelineOptions<Name extends string, Member extends string = string> extends ShapeOptions<Name> {
	/** Who may return work, and to whom of those before. Each return counts as a handoff. */
	readonly back?: EdgeOptions & {
		readonly from: Member;
		readonly to: Member | readonly Member[];
		/** Default: 3. */
		readonly max?: number;
	};
}

/** One after the other; each is told what those before it said and found out. Errors: `team.invalid`. */
export function pipeline<const Name extends string, const Some extends readonly Participant[]>(
	participants: Some,
	{ name, back, terminateWhen, limits = {} }: PipelineOptions<Name, NameOf<Some[number]>>,
): Team<Name> {
	const names: readonly string[] = participants.map((one) => one?.name);
	const edges = new Map<string, Edge[]>();
	if (back) {
		const targets: readonly string[] = typeof back.to === "string" ? [back.to] : back.to;
		for (const to of targets) {
			const place = names.indexOf(back.from);
			if (place < 0 || names.indexOf(to) < place) continue;
			throw new HoldpointError(
				"team.invalid",
				`pipeline ${name}: ${back.from} returns work to ${to}, who does not come before it`,
			);
		}
		edges.set(
			back.from,
			targets.map((to) => edgeTo(to, back)),
		);
	}
	return teamOf({
		name,
		participants,
		start: names.slice(0, 1),
		edges,
		flow: { kind: "pipeline" },
		terminateWhen,
		handoffsMax: back?.max ?? defaultTeamLimits.returnsMax,
		limits,
	});
}

export interface ParallelOptions<Name extends string, Member extends string = string>
	extends Omit<ShapeOptions<Name>, "terminateWhen"> {
	/** Default: an object with each one's answer under its name. */
	readonly join?: Join<Member>;
}

/** All at once on the same input, apart from each other; then their answers are joined. Errors: `team.invalid`. */
export function parallel<const Name extends string, const Some extends readonly Participant[]>(
	participants: Some,
	{ name, join, limits = {} }: ParallelOptions<Name, NameOf<Some[number]>>,
): Team<Name> {
	const start = participants.map((one) => one?.name);
	return teamOf({
		name,
		participants,
		start,
		edges: new Map(),
		// It is given all of their answers, whoever they are.
		flow: { kind: "parallel", join: join as Join | undefined },
		terminateWhen: undefined,
		limits,
	});
}

export interface GroupChatOptions<Name extends string, Member extends string = string> extends ShapeOptions<Name> {
	/** A function that names the next one, or an agent that hands on; its own answer is the end then. */
	readonly chooser: Choose<Member> | Participant;
	/** How often somebody is chosen. Default: 20. */
	readonly roundsMax?: number;
}

/** A chooser picks who speaks next. Errors: `team.invalid`. */
export function groupChat<const Name extends string, const Some extends readonly Participant[]>(
	participants: Some,
	options: GroupChatOptions<Name, NameOf<Some[number]>>,
): Team<Name> {
	const { name, chooser, roundsMax = defaultTeamLimits.handoffsMax, terminateWhen, limits = {} } = options;
	const names = participants.map((one) => one?.name);
	if (!chooser) throw new HoldpointError("team.invalid", `team ${name} has no chooser`);
	if (typeof chooser === "function") {
		const flow = { kind: "group-chat", choose: chooser, roundsMax } as const;
		return teamOf({ name, participants, start: names.slice(0, 1), edges: new Map(), flow, terminateWhen, limits });
	}
	const edges = new Map([[chooser.name, names.map((to) => edgeTo(to))]]);
	return teamOf({
		name,
		participants: [chooser, ...participants],
		start: [chooser.name],
		edges,
		flow: { kind: "group-chat", choose: undefined, roundsMax },
		terminateWhen,
		handoffsMax: roundsMax,
		limits,
	});
}
