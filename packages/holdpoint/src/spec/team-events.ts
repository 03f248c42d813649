/** Who works: the events of teams, and of agents that are asked by others. */
import type { Mode, OfAgent } from "./event-parts.ts";

/** Who begins in a team: one agent, or several beside each other. */
export interface TeamStart {
	/** Names of agents. */
	readonly start: readonly string[];
}

/** An agent of a team handed the work on, or the team's order did. */
export interface RunHanded {
	readonly type: "run.handed";
	/** The call inside of which the team works. */
	readonly in?: string;
	/** Who worked. */
	readonly from: string;
	/** Who works from here on. */
	readonly to: string;
	/** Others that work beside it. */
	readonly beside?: readonly string[];
	/** The handoff; left out where the team's order says who is next. */
	readonly call?: string;
	/** Why, in the words of whoever handed on. */
	readonly reason?: string;
	/** What the next one is to know. */
	readonly summary?: string;
	/** Calls whose results the next one is told, oldest first. */
	readonly results?: readonly string[];
	/** So many results it is not told: they did not fit. */
	readonly leftOut?: number;
	/** The next one may use these tools of its own, and no others. */
	readonly only?: readonly string[];
	/** What ways to teams leave to whoever works in them, by the team's name: it holds until the work leaves that team. */
	readonly onlyIn?: { readonly [team: string]: readonly string[] };
	/** Whose way or order it was, where that is a team inside the one that was asked. */
	readonly team?: string;
	/** The next one begins in it, and with it all who work there. */
	readonly mode?: Mode;
	/** Participants that worked beside each other, and whose answers are joined here. */
	readonly joined?: readonly string[];
}

/** An agent that works by itself answered without handing on, or its loop sent its answer back, and it goes on. */
export interface AgentContinued extends OfAgent {
	readonly type: "agent.continued";
	/** Its own loop says that it is not done. */
	readonly loop?: true;
	/** What it was told. */
	readonly prompt: string;
	/** Participants that worked beside each other, and whose answers are joined here. */
	readonly joined?: readonly string[];
}

/** One of those who work beside each other is done. */
export interface AgentDone extends OfAgent {
	readonly type: "agent.done";
	/** The participant whose part it was, where that is a team that the agent is in. */
	readonly as?: string;
	/** Its answer, where that is not what the agent last said. */
	readonly answer?: string;
	/** Participants that worked beside each other inside of it, and whose answers are joined here. */
	readonly joined?: readonly string[];
}

/** An agent answered, and waits for what the user says to that. */
export interface UserAsked {
	readonly type: "user.asked";
	/** Who asks; the text is its last answer. Of a team whose agents worked beside each other: its name. */
	readonly agent: string;
	/** Who reads the reply, where that is another one. */
	readonly replyTo?: string;
	/** Others that read it, too, and work beside that one. */
	readonly beside?: readonly string[];
	/** What is asked, where that is not what the agent last said. */
	readonly text?: string;
	/** Participants that worked beside each other, and whose answers are joined here. */
	readonly joined?: readonly string[];
}

/** A call is put to an agent, or to a team: what they do is inside of it. */
export interface AgentStarted {
	readonly type: "agent.started";
	/** The call. */
	readonly call: string;
	/** Name of the agent or the team. */
	readonly agent: string;
	/** Of a team: who begins. */
	readonly team?: TeamStart;
	/** What it was asked. */
	readonly input: string;
	/** Whoever made the call goes on meanwhile. */
	readonly background?: true;
	/** In which mode it begins, where the agent has modes. */
	readonly mode?: Mode;
}
