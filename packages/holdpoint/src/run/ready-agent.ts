import { agentsOf, handoffsOf, teamsAround, type Way } from "../routing/topology.ts";
import { declareTools, describeTool, searchTools } from "../sandbox/declarations.ts";
import type { Agent } from "../spec/agent.ts";
import { HoldpointError } from "../spec/errors.ts";
import { defaultLimits, type Limits } from "../spec/limits.ts";
import type { Marks, ToolMarks } from "../spec/marks.ts";
import type { LanguageModel, ModelTool } from "../spec/model.ts";
import { isTeam, type Participant, type Team } from "../spec/team.ts";
import type { Tool } from "../spec/tool.ts";
import { withoutMarks } from "../tools/sensitive-marks.ts";
import { executeCodeName } from "./execute-code-name.ts";
import { handoffTools } from "./handoff-tools.ts";
import { internalTool, stringField } from "./own-tools.ts";
import type { ReadyAgent } from "./run-ports.ts";

export interface ReadyOptions {
	readonly model: LanguageModel | undefined;
	readonly limits: Partial<Limits>;
	/** False: the policy denies this tool of this agent whatever its arguments. */
	readonly declared: (tool: Tool, agent: string) => boolean;
}

/** What is the same for each run of an agent or a team: everybody who may work in it, with their tools by name. */
export function readyAgent(first: Participant, options: ReadyOptions): ReadyAgent {
	const cast = new Map<string, ReadyAgent>();
	addToCast(cast, first, options);
	return cast.get(first.name) as ReadyAgent;
}

/** Every agent that may work in its runs: participants, and those that are tools of others. */
export function castOf(first: Participant): readonly Agent[] {
	const seen = new Set<string>();
	const cast: Agent[] = [];
	const add = (one: Participant): void => {
		if (seen.has(one.name)) return;
		seen.add(one.name);
		if (isTeam(one)) return agentsOf(one).forEach(add);
		cast.push(one);
		for (const { agent } of one.tools) if (agent) add(agent as Participant);
	};
	add(first);
	return cast;
}

/**
 * Whoever is in the team, and whoever is a tool of somebody in the cast. One name means one of them: its digest says
 * nothing of its tools, its model and its middleware, so that no other one can stand for it.
 */
function addToCast(cast: Map<string, ReadyAgent>, one: Participant, options: ReadyOptions): void {
	const known = cast.get(one.name);
	if (known && (known.team ?? known.agent) === one) return;
	if (known) {
		throw new HoldpointError("agent.invalid", `Two different agents are named ${one.name}`, {
			hint: "Define it once, and use it wherever it works; another one needs another name.",
		});
	}
	const members = isTeam(one) ? agentsOf(one) : [one];
	const twice = isTeam(one) ? members.find(({ name }) => cast.has(name)) : undefined;
	if (twice) throw new HoldpointError("agent.invalid", `The agent ${twice.name} takes part in two teams of one run`);
	if (isTeam(one)) cast.set(one.name, readyTeam(one, cast, options));
	for (const agent of members) {
		const handoffs = isTeam(one) ? handoffsOf(one, agent.name) : new Map<string, Way>();
		const limits = isTeam(one) ? limitsIn(one, agent, options.limits) : options.limits;
		cast.set(agent.name, readyMember(agent, { ...options, limits, cast, handoffs }));
	}
	for (const { tools } of members)
		for (const { agent } of tools) if (agent) addToCast(cast, agent as Participant, options);
	const ready = cast.get(one.name) as ReadyAgent;
	if (cast.size > 1) cast.set(one.name, { ...ready, ...togetherOf(cast) });
}

/** What its teams set holds for an agent that sets nothing else; their `turnsMax` counts the answers of all together. */
function limitsIn(team: Team, { name }: Agent, limits: Partial<Limits>): Partial<Limits> {
	const set = teamsAround(team, name).map(({ limits: { turnsMax: _all, ...own } }) => own);
	return Object.assign({}, limits, ...set);
}

/** In the place of a team: it has its name and its limits, and nothing of its own to do. */
function readyTeam(team: Team, cast: ReadyAgent["cast"], options: ReadyOptions): ReadyAgent {
	const { name, digest, limits } = team;
	const none = { instructions: "", model: undefined, settings: undefined, tools: [], programs: undefined };
	const agent: Agent = { name, digest, limits, ...none, output: undefined, middleware: [] };
	return { ...readyMember(agent, { ...options, cast, handoffs: new Map() }), team };
}

/** What the runs of the first one record of everybody's tools. */
function togetherOf(cast: ReadonlyMap<string, ReadyAgent>): Pick<ReadyAgent, "toolVersions" | "marks"> {
	const versions: Record<string, string> = {};
	const marks: Record<string, ToolMarks> = {};
	for (const { agent, tools } of cast.values()) {
		for (const { name, version } of tools.values()) {
			const isOther = Object.hasOwn(versions, name) && versions[name] !== version;
			versions[isOther ? `${agent.name}/${name}` : name] = version;
		}
		for (const [name, more] of Object.entries(marksOf(tools.values()) ?? {}))
			marks[name] = Object.hasOwn(marks, name) ? strictest(marks[name], more) : more;
	}
	return { toolVersions: versions, marks: Object.keys(marks).length > 0 ? marks : undefined };
}

/** Whose tool of that name a call means, a reader of its events does not ask: what either marks is hidden. */
function strictest({ args, result }: ToolMarks = {}, other: ToolMarks): ToolMarks {
	return { args: united(args, other.args), result: united(result, other.result) };
}

function united(some: Marks = {}, others: Marks = {}): Marks {
	const secrets = [some, others].flatMap((marks) => Object.entries(marks).filter(([, mark]) => mark === "secret"));
	return { ...some, ...others, ...Object.fromEntries(secrets) };
}

interface MemberOptions extends ReadyOptions {
	readonly cast: ReadyAgent["cast"];
	readonly handoffs: ReadonlyMap<string, Way>;
}

function readyMember(agent: Agent, options: MemberOptions): ReadyAgent {
	const { cast, handoffs } = options;
	const declared = agent.tools.filter((tool) => options.declared(tool, agent.name));
	const direct = new Set(agent.programs?.direct ?? declared.map((tool) => tool.name));
	const directly = [...declared.filter((tool) => direct.has(tool.name)), ...handoffTools(handoffs)];
	const fromPrograms = agent.programs ? declared.filter((tool) => !direct.has(tool.name)) : [];
	const programs = agent.programs ? programTools(agent, fromPrograms) : undefined;
	const models = programs ? [programs.executeCode, ...directly] : directly;
	const inPrograms = programs?.callable ?? [];
	const own = programs ? agent.tools.filter(({ isEverywhere }) => isEverywhere) : [];
	const tools = new Map([...agent.tools, ...models, ...inPrograms].map((tool) => [tool.name, tool]));
	return {
		agent,
		team: undefined,
		cast,
		handoffs,
		model: agent.model ?? options.model,
		system: { role: "system", content: agent.instructions },
		modelTools: models.map(toModelTool),
		tools,
		toolVersions: Object.fromEntries([...tools.values()].map((tool) => [tool.name, tool.version])),
		marks: marksOf(tools.values()),
		directTools: new Set(models.map((tool) => tool.name)),
		programTools: new Set([...inPrograms, ...own].map((tool) => tool.name)),
		limits: { ...defaultLimits, ...options.limits, ...agent.limits },
	};
}

function marksOf(tools: Iterable<Tool>): ReadyAgent["marks"] {
	const marked = [...tools].flatMap(({ name, marks }) => (marks ? [[name, marks] as const] : []));
	return marked.length > 0 ? Object.fromEntries(marked) : undefined;
}

/** In the place of an agent that is not known here: it has nothing, and can only be brought to an end. */
export function nobody(agent: { readonly name: string; readonly digest: string }): ReadyAgent {
	const none = { model: undefined, settings: undefined, programs: undefined, output: undefined };
	const empty = { instructions: "", tools: [], limits: {}, middleware: [] };
	return readyAgent({ ...agent, ...empty, ...none }, { model: undefined, limits: {}, declared: () => false });
}

function toModelTool(tool: Tool): ModelTool {
	// Which dialect it is written in costs tokens for each tool, and says nothing to a model.
	const { $schema: _, ...schema } = tool.marks ? withoutMarks(tool.inputSchema) : tool.inputSchema;
	return {
		type: "function",
		name: tool.name,
		description: tool.description,
		inputSchema: schema as ModelTool["inputSchema"],
	};
}

/** The program tool of an agent that is left only some of its tools here. */
export function programsWith({ agent, tools, programTools: names }: ReadyAgent, only: readonly string[]): ModelTool {
	const left = [...names].flatMap((name) => (only.includes(name) ? (tools.get(name) ?? []) : []));
	return toModelTool(programTools(agent, left).executeCode);
}

function programTools({ programs, tools: all }: Agent, tools: readonly Tool[]) {
	const tokensMax = programs?.declarationTokensMax;
	const declaration = declareTools(tools, tokensMax === undefined ? {} : { tokensMax });
	const own = all.filter(({ isEverywhere }) => isEverywhere).map(({ name }) => name);
	const alsoHere = own.length > 0 ? `\nAlso here, with the arguments that you know: ${own.join(", ")}.` : "";
	// Also where all tools are declared: the engine's own message on an unknown tool names them.
	return {
		executeCode: executeCode(declaration.text + alsoHere),
		callable: [...tools, searchTool(tools), describeToolTool(tools)],
	};
}

function executeCode(declarations: string): Tool {
	const description = `Runs a JavaScript or TypeScript program in a sandbox and returns its value. Prefer one program that does all the work over many.
The program is the body of an async function: use \`await\` at the top level, loops, \`Promise.all\`; end with \`return value\`. \`console.log\` output comes back too. There is no network, file system, timer or import: only these tools. A refused call throws ToolDenied, a failed one ToolFailed; both can be caught. Await every call: one that is still unawaited when the program ends is not made. A call may take days when a person must approve it; the program simply goes on after it.

${declarations}`;
	return internalTool({ name: executeCodeName, description, input: stringField("code"), execute: () => null });
}

function searchTool(tools: readonly Tool[]): Tool {
	const description = "Finds tools by words and returns their declarations.";
	const execute = (args: unknown) =>
		searchTools(tools, (args as { text: string }).text).map((tool) => describeTool(tool));
	return internalTool({ name: "$search", description, input: stringField("text"), execute });
}

function describeToolTool(tools: readonly Tool[]): Tool {
	const description = "Returns the declaration of one tool.";
	const execute = (args: unknown) => {
		const { name } = args as { name: string };
		const tool = tools.find((one) => one.name === name);
		if (!tool) throw new Error(`There is no tool "${name.slice(0, 100)}"`);
		return describeTool(tool);
	};
	return internalTool({ name: "$describe", description, input: stringField("name"), execute });
}
