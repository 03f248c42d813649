/** Agents that work together: `holdpoint/teams`. */
export {
	type Autonomous,
	defineTeam,
	type EdgeOptions,
	type HandoffBuilder,
	type HandoffDefinition,
	type HumanInTheLoop,
	handoff,
} from "./routing/handoff.ts";
export {
	type GroupChatOptions,
	groupChat,
	type ParallelOptions,
	type PipelineOptions,
	parallel,
	pipeline,
} from "./routing/shapes.ts";
export { type AgentToolOptions, agentTool } from "./run/agent-tool.ts";
export type {
	Carry,
	Choose,
	Edge,
	Flow,
	Join,
	Participant,
	Team,
	TerminationCondition,
	Utterance,
} from "./spec/team.ts";
