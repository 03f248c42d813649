/**
 * An agent with what production asks for, in one call: programs, a context that is kept within the model's window, todos,
 * plan mode, a last answer at the bound. Everything is an option, and false switches it off.
 */
import { type OptionShape, shapes } from "../kit/option-problem.ts";
import { agentTool } from "../run/agent-tool.ts";
import { type AgentDefinition, agentOptions, checkAgentName, checkOptions, defineAgent } from "../run/define-agent.ts";
import { memoryIndex } from "../run/memory-index.ts";
import { type MemoryToolsOptions, memoryTools } from "../run/memory-tools.ts";
import type { OwnProvider } from "../run/prepare-context.ts";
import type { Agent, AgentFeatures, LoopOptions, ProgramOptions } from "../spec/agent.ts";
import type { ContextOptions } from "../spec/context.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Mode } from "../spec/events.ts";
import { defaultHarnessAgentLimits } from "../spec/limits.ts";
import type { Participant } from "../spec/team.ts";
import type { Tool } from "../spec/tool.ts";
import { checkContext } from "./check-context.ts";
import { readResultTool } from "./read-result.ts";
import { setModeTool } from "./set-mode.ts";
import { stopAgentTool } from "./stop-agent.ts";
import { todoTool } from "./todo.ts";

export interface HarnessAgentDefinition<Name extends string = string> extends Omit<AgentDefinition<Name>, "programs"> {
	/** The model writes programs that call the tools. Default: true. */
	readonly programs?: boolean | Partial<ProgramOptions>;
	/** Keeps the prompt within what the model can read. Default: on; what is left out is summed up by the model. */
	readonly context?: false | Partial<ContextOptions>;
	/**
	 * What outlasts a conversation: `memory`, `note` for the session, `remember` for the user, which is a write. Names and
	 * first lines stand in the context. Default: on.
	 */
	readonly memory?: false | MemorySettings;
	/** A list of steps that the agent keeps. Default: true. */
	readonly todos?: boolean;
	/** Plan mode, in which only what changes nothing runs, and out of which a person lets the agent. Default: it begins in `execute`. */
	readonly modes?: false | { readonly start: Mode };
	/** At its last turn, or after three answers in a row whose calls all failed, it is asked for a last answer. Default: true. */
	readonly lastAnswer?: boolean | { readonly failedTurnsMax: number };
	/** A folder of skills, as `holdpoint/tools/skills` reads it: its index stands behind the instructions. */
	readonly skills?: { readonly index: string; readonly tool: Tool };
	/** Agents and teams that it starts in the background. */
	readonly agents?: readonly Participant[];
	/** Its answer is not the end before this says so. Bounded by `roundsMax`, default 10. */
	readonly loop?: LoopSettings;
}

export interface MemorySettings extends MemoryToolsOptions {
	/** What names and first lines may take of the context. Default: 400; 0: none are shown. Tokens. */
	readonly indexTokensMax?: number;
}

/** Either: what an answer must meet, as the model itself judges it, or a function that says so. */
export type LoopSettings = { readonly roundsMax?: number } & (
	| { readonly until: NonNullable<LoopOptions["until"]> }
	| { readonly criteria: string }
);

const { indexTokensMax, failedTurnsMax, roundsMax } = defaultHarnessAgentLimits;

/** Declares an agent with the defaults of production. Errors: `agent.invalid`. */
export function harnessAgent<const Name extends string>(definition: HarnessAgentDefinition<Name>): Agent<Name> {
	checkDefinition(definition);
	const {
		context: _context,
		memory: _memory,
		todos: _todos,
		modes = { start: "execute" },
		lastAnswer = true,
		skills,
		agents = [],
		loop,
		programs = true,
		tools = [],
		...plain
	} = definition;
	const { context, providers } = contextOf(definition);
	// A program waits for the answer.
	const asking = agents.map((one) => ({ ...agentTool(one, { background: true }), isEverywhere: true as const }));
	const own: readonly OwnTool[] = [
		...asking.map((tool) => ({ tool, from: "agents" as const })),
		...ownTools(definition, context),
	];
	checkNames(plain.name, tools, own);
	const agent = defineAgent({
		...plain,
		...(skills ? { instructions: `${plain.instructions}\n\n${skills.index}` } : {}),
		tools: [...tools, ...own.map(({ tool }) => tool)],
		programs: programs && withDirect(programs, own),
	});
	return {
		...agent,
		features: {
			context,
			providers,
			mode: modes ? checkedMode(plain.name, modes.start) : undefined,
			loop: loop && checkedLoop(plain.name, loop),
			failedTurnsMax: checkedFailedTurns(plain.name, lastAnswer),
		},
	};
}

/** Memory has its index whether or not the conversation is kept within anything. */
function contextOf({
	name,
	context = {},
	memory = {},
}: HarnessAgentDefinition): Pick<AgentFeatures, "context" | "providers"> {
	const own = memoryProvider(name, memory);
	if (context === false) return { context: undefined, providers: own ? [own] : [] };
	const options = checkContext(name, context);
	const providers = own ? [...options.providers, own] : options.providers;
	return { context: checkContext(name, { ...options, providers }), providers };
}

/** The newest names and first lines of memory, with the label of what they say. Undefined: none are shown. */
function memoryProvider(agent: string, memory: false | MemorySettings): OwnProvider | undefined {
	const { session = true, principal = true, indexTokensMax: tokensMax = indexTokensMax } = memory || {};
	if (!Number.isSafeInteger(tokensMax) || tokensMax < 0) {
		throw new HoldpointError("agent.invalid", `agent ${agent} shows an index of memory that has no size`, {
			hint: "Pass an `indexTokensMax` of 0 or more.",
		});
	}
	if (memory === false || tokensMax === 0 || (!session && !principal)) return undefined;
	const of = session && principal ? {} : { of: session ? ("session" as const) : ("principal" as const) };
	return {
		name: "memory",
		tokensMax,
		provide: () => undefined,
		provideFrom: (run, ports) => memoryIndex(ports, run, { tokensMax, ...of }),
	};
}

function ownTools(
	{ todos = true, modes, agents = [], memory = {}, skills }: HarnessAgentDefinition,
	context: ContextOptions | undefined,
): readonly OwnTool[] {
	const from = (option: OwnTool["from"], tools: readonly Tool[]) => tools.map((tool) => ({ tool, from: option }));
	return [
		...from("todos", todos ? [todoTool()] : []),
		...from("modes", modes === false ? [] : [setModeTool()]),
		...from("memory", memory ? memoryTools(memory) : []),
		...from("skills", skills ? [{ ...skills.tool, isEverywhere: true as const }] : []),
		...from("context", context ? [readResultTool(context.resultTokensMax)] : []),
		...from("agents", agents.length > 0 ? [stopAgentTool()] : []),
	];
}

function withDirect(programs: true | Partial<ProgramOptions>, own: readonly OwnTool[]): Partial<ProgramOptions> {
	const given = typeof programs === "object" ? programs : {};
	return { ...given, direct: [...(given.direct ?? []), ...own.map(({ tool }) => tool.name)] };
}

/** One that is misspelt would let it do everything. */
function checkedMode(agent: string, mode: unknown): Mode {
	if (mode === "plan" || mode === "execute") return mode;
	throw new HoldpointError("agent.invalid", `agent ${agent} begins in a mode that is not known`, {
		hint: 'Pass `modes: { start: "plan" }` or `{ start: "execute" }`, or false.',
	});
}

function checkedFailedTurns(
	agent: string,
	lastAnswer: NonNullable<HarnessAgentDefinition["lastAnswer"]>,
): number | undefined {
	if (typeof lastAnswer !== "object") return lastAnswer ? failedTurnsMax : undefined;
	const { failedTurnsMax: given } = lastAnswer;
	if (Number.isSafeInteger(given) && given >= 1) return given;
	throw new HoldpointError("agent.invalid", `agent ${agent} has a last answer that cannot be asked for`, {
		hint: "Pass a `failedTurnsMax` of 1 or more, or true or false.",
	});
}

function checkedLoop(agent: string, settings: LoopSettings): LoopOptions {
	const { roundsMax: rounds = roundsMax, until, criteria } = { until: undefined, criteria: undefined, ...settings };
	const isOne = (typeof until === "function") !== (typeof criteria === "string" && criteria.trim() !== "");
	if (!isOne || !Number.isSafeInteger(rounds) || rounds < 1) {
		throw new HoldpointError("agent.invalid", `agent ${agent} has a loop that cannot be followed`, {
			hint: "Pass `until` (a function) or `criteria` (a text), and a `roundsMax` of 1 or more.",
		});
	}
	return { until, criteria, roundsMax: rounds };
}

type OptionsOf<Definition> = { readonly [Name in keyof Definition]-?: OptionShape };
type Known<Union> = Union extends unknown ? keyof Union : never;

const ownOptions = {
	...agentOptions,
	context: shapes.offOrOptions,
	memory: shapes.offOrOptions,
	todos: shapes.flag,
	modes: shapes.offOrOptions,
	lastAnswer: shapes.flagOrOptions,
	skills: [isSkills, "what `await skills({ folder })` returns"],
	agents: [areParticipants, "a list of agents and teams, as `defineAgent` and teams' builders make them"],
	loop: shapes.object,
} as const satisfies OptionsOf<HarnessAgentDefinition>;

const memoryOptions: OptionsOf<MemorySettings> = {
	session: shapes.flag,
	principal: shapes.flag,
	indexTokensMax: shapes.any,
};
const modeOptions = { start: shapes.any };
const lastAnswerOptions = { failedTurnsMax: shapes.any };
const loopOptions: { readonly [Name in Known<LoopSettings>]: OptionShape } = {
	until: shapes.any,
	criteria: shapes.any,
	roundsMax: shapes.any,
};

/** That each option is one, of the kind that it must be; what it says is looked at where it is used. Errors: `agent.invalid`. */
function checkDefinition(definition: HarnessAgentDefinition): void {
	checkAgentName(definition.name);
	const { name, memory, modes, lastAnswer, loop } = definition;
	checkOptions(definition, ownOptions, `agent ${name} sets`);
	if (memory) checkOptions(memory, memoryOptions, `agent ${name} sets, in its memory,`);
	if (modes) checkOptions(modes, modeOptions, `agent ${name} sets, in its modes,`);
	if (typeof lastAnswer === "object")
		checkOptions(lastAnswer, lastAnswerOptions, `agent ${name} sets, in its lastAnswer,`);
	if (loop) checkOptions(loop, loopOptions, `agent ${name} sets, in its loop,`);
}

/** The option that brings a tool of the harness agent's own. */
interface OwnTool {
	readonly tool: Tool;
	readonly from: keyof Omit<HarnessAgentDefinition, keyof AgentDefinition>;
}

/** Errors: `agent.invalid`. */
function checkNames(agent: string, tools: readonly Tool[], own: readonly OwnTool[]): void {
	const names = new Set(tools.map((tool) => tool?.name));
	const twice = own.find(({ tool }) => names.has(tool.name));
	if (!twice) return;
	const { tool, from } = twice;
	const without =
		from === "agents" || from === "skills" ? `leave out \`${from}\`` : `switch its own off, with \`${from}: false\``;
	throw new HoldpointError("agent.invalid", `agent ${agent} has two tools named ${tool.name}: yours, and its own`, {
		hint: `Give yours another name, or ${without}.`,
	});
}

function isSkills(value: unknown): boolean {
	const { index, tool } = (value ?? {}) as Partial<NonNullable<HarnessAgentDefinition["skills"]>>;
	return typeof index === "string" && typeof tool?.execute === "function";
}

function areParticipants(value: unknown): boolean {
	const isOne = (one: { name?: unknown; digest?: unknown } | null | undefined) =>
		typeof one?.name === "string" && typeof one.digest === "string";
	return Array.isArray(value) && value.every(isOne);
}
