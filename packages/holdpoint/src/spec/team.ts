import type { Agent } from "./agent.ts";
import type { Json } from "./json.ts";
import type { Limits } from "./limits.ts";

/** Who works in a team: an agent, or another team. */
export type Participant = Agent | Team;

/** The names of participants, where they are known when the code is written. */
export type NameOf<One> = One extends { readonly name: infer Name extends string } ? Name : never;

/** What the next agent is told of the results that the others have: nothing, what is summed up, or the results too. */
export type Carry = "none" | "summary" | "results";

/** A way on which work may be handed on. */
export interface Edge {
	/** Name of the participant that takes over. */
	readonly to: string;
	/** When to take this way, as the model reads it. Default: says that the other one takes over. */
	readonly description: string | undefined;
	/** At most this much; whoever hands on may carry less. */
	readonly carry: Carry;
	/** Results beyond it are left out, the oldest first. Units: tokens. */
	readonly carryTokensMax: number;
	/** Whoever takes over on this way may use these tools of its own, and no others. Undefined: all of them. */
	readonly only: readonly string[] | undefined;
}

/** One thing that was said. */
export interface Utterance {
	/** `user`, or the name of an agent. */
	readonly by: string;
	readonly text: string;
}

/** Whether the conversation is over. Asked before an agent that was spoken to works, and after an answer without calls. */
export type TerminationCondition = (conversation: readonly Utterance[]) => boolean | Promise<boolean>;

/** What follows an answer without a handoff. */
export type Flow =
	/** The user is asked. */
	| { readonly kind: "user"; readonly returnTo: "same" | "coordinator" }
	/** The agent goes on by itself, so often; then the user is asked. */
	| {
			readonly kind: "autonomous";
			readonly turnsMax: number;
			/** Of these agents other numbers. */
			readonly turnsMaxOf: { readonly [agent: string]: number };
			readonly prompt: string | ((agent: string) => string | Promise<string>);
	  }
	/** The next one of a row. The last one's answer is that of the team. */
	| { readonly kind: "pipeline" }
	/** All have worked on the same; their answers are joined. */
	| { readonly kind: "parallel"; readonly join: Join | undefined }
	/** Who is chosen. Undefined: the coordinator chooses, with handoffs; its own answer is that of the team. */
	| { readonly kind: "group-chat"; readonly choose: Choose | undefined; readonly roundsMax: number };

/** What several answers come to. Shape: by the agent's name. */
export type Join<Member extends string = string> = (
	answers: {
		readonly [Agent in Member]: string;
	},
) => Json | Promise<Json>;

/** Who speaks next, by name; undefined: nobody, and the last answer is that of the team. */
export type Choose<Member extends string = string> = (
	conversation: readonly Utterance[],
) => Member | undefined | Promise<Member | undefined>;

/** Agents that share one conversation. `handoff`, `pipeline`, `parallel` and `groupChat` make one and check it. */
export interface Team<Name extends string = string> {
	readonly kind: "team";
	readonly name: Name;
	readonly participants: readonly Participant[];
	/** Names of those who begin; the first one is the coordinator. */
	readonly start: readonly string[];
	/** Ways on which the participants may hand on, by the name of whoever does. */
	readonly edges: ReadonlyMap<string, readonly Edge[]>;
	readonly flow: Flow;
	readonly terminateWhen: TerminationCondition | undefined;
	/** Handoffs between two words of the user. */
	readonly handoffsMax: number;
	/** Handoffs in a row between the same two agents, with nothing done in between. */
	readonly pingPongMax: number;
	readonly limits: Partial<Limits>;
	/** Of all that it is made of; functions apart. */
	readonly digest: string;
	/** The team as a Mermaid flowchart. */
	toMermaid(): string;
}

export function isTeam(one: Participant): one is Team {
	return "participants" in one;
}
