import { declareTools, describeTool, searchTools } from "../sandbox/declarations.ts";
import type { Agent } from "../spec/agent.ts";
import type { JsonSchema } from "../spec/json.ts";
import { defaultLimits, type Limits } from "../spec/limits.ts";
import type { LanguageModel, ModelTool } from "../spec/model.ts";
import type { AnySchema, Tool } from "../spec/tool.ts";
import { withoutMarks } from "../tools/sensitive-marks.ts";
import { executeCodeName } from "./execute-code-name.ts";
import type { ReadyAgent } from "./run-ports.ts";

export interface ReadyOptions {
	readonly model: LanguageModel | undefined;
	readonly limits: Partial<Limits>;
	/** False: the policy denies this tool whatever its arguments. */
	readonly declared: (tool: Tool) => boolean;
}

/** What is the same for each run of an agent: its tools by name, and what the model is told of them. */
export function readyAgent(agent: Agent, options: ReadyOptions): ReadyAgent {
	const declared = agent.tools.filter(options.declared);
	const direct = new Set(agent.programs?.direct ?? declared.map((tool) => tool.name));
	const directly = declared.filter((tool) => direct.has(tool.name));
	const fromPrograms = agent.programs ? declared.filter((tool) => !direct.has(tool.name)) : [];
	const programs = agent.programs ? programTools(fromPrograms, agent.programs.declarationTokensMax) : undefined;
	const models = programs ? [programs.executeCode, ...directly] : directly;
	const inPrograms = programs?.callable ?? [];
	const tools = new Map([...agent.tools, ...models, ...inPrograms].map((tool) => [tool.name, tool]));
	return {
		agent,
		model: agent.model ?? options.model,
		system: { role: "system", content: agent.instructions },
		modelTools: models.map(toModelTool),
		tools,
		toolVersions: Object.fromEntries([...tools.values()].map((tool) => [tool.name, tool.version])),
		marks: marksOf(tools.values()),
		directTools: new Set(models.map((tool) => tool.name)),
		programTools: new Set(inPrograms.map((tool) => tool.name)),
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
	return {
		type: "function",
		name: tool.name,
		description: tool.description,
		inputSchema: (tool.marks ? withoutMarks(tool.inputSchema) : tool.inputSchema) as ModelTool["inputSchema"],
	};
}

function programTools(tools: readonly Tool[], tokensMax: number | undefined) {
	const declaration = declareTools(tools, tokensMax === undefined ? {} : { tokensMax });
	// Also where all tools are declared: the engine's own message on an unknown tool names them.
	return {
		executeCode: executeCode(declaration.text),
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

interface Field {
	readonly schema: JsonSchema;
	readonly input: AnySchema;
}

/** An object with one string: small enough to be checked by hand, so that no schema library is loaded for it. */
function stringField(name: string): Field {
	const schema = {
		type: "object",
		properties: { [name]: { type: "string" } },
		required: [name],
		additionalProperties: false,
	};
	const validate = (value: unknown) => {
		// `tools.$search("refund")` is what a program would write.
		const text = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : value;
		return typeof text === "string"
			? { value: { [name]: text } }
			: { issues: [{ message: `${name} must be a string` }] };
	};
	return { schema, input: { "~standard": { version: 1, vendor: "holdpoint", validate } } };
}

interface InternalTool {
	readonly name: string;
	readonly description: string;
	readonly input: Field;
	execute(args: unknown): unknown;
}

function internalTool({ name, description, input, execute }: InternalTool): Tool {
	return {
		name,
		description,
		input: input.input as Tool["input"],
		inputSchema: input.schema,
		output: undefined,
		outputSchema: undefined,
		effect: "internal",
		repeat: "repeatable",
		timeoutMs: undefined,
		labels: undefined,
		simulate: undefined,
		lookup: undefined,
		tags: [],
		version: "1",
		execute,
	};
}
