import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { limitProblem } from "../kit/limit-problem.ts";
import { type OptionShape, optionProblem, shapes } from "../kit/option-problem.ts";
import type { Agent, Middleware, ProgramOptions } from "../spec/agent.ts";
import { HoldpointError } from "../spec/errors.ts";
import { defaultLimits, defaultProgramLimits, type Limits } from "../spec/limits.ts";
import type { LanguageModel, ModelSettings } from "../spec/model.ts";
import type { AnySchema, Tool } from "../spec/tool.ts";
import { toJsonSchema } from "../tools/json-schema.ts";
import { executeCodeName } from "./execute-code-name.ts";

export interface AgentDefinition<Name extends string = string> {
	/** Shape: letters, digits, `_` and `-`, at most 64. */
	readonly name: Name;
	readonly instructions: string;
	/** Default: the harness's. */
	readonly model?: LanguageModel;
	readonly settings?: ModelSettings;
	readonly tools?: readonly Tool[];
	/** True: the model writes programs that call the tools, instead of one turn a call. Default: false. */
	readonly programs?: boolean | Partial<ProgramOptions>;
	/** The answer must be JSON that fits; one repair turn. */
	readonly output?: AnySchema;
	readonly limits?: Partial<Limits>;
	readonly middleware?: readonly Middleware[];
}

export const agentOptions = {
	name: shapes.any,
	instructions: shapes.any,
	model: shapes.object,
	settings: shapes.object,
	tools: shapes.list,
	programs: shapes.flagOrOptions,
	output: shapes.any,
	limits: shapes.object,
	middleware: shapes.list,
} as const satisfies { readonly [Name in keyof AgentDefinition]-?: OptionShape };

const programOptionNames: { readonly [Name in keyof ProgramOptions]: OptionShape } = {
	direct: shapes.list,
	limits: shapes.object,
	rehearse: shapes.flag,
	declarationTokensMax: shapes.any,
};

/** Declares an agent. Errors: `agent.invalid`. */
export function defineAgent<const Name extends string>(definition: AgentDefinition<Name>): Agent<Name> {
	const { name, instructions, tools = [], limits = {}, output } = definition;
	checkAgentName(name);
	checkOptions(definition, agentOptions, `agent ${name} sets`);
	if (typeof definition.programs === "object")
		checkOptions(definition.programs, programOptionNames, `agent ${name} sets, in its programs,`);
	check(typeof instructions === "string" && instructions !== "", `agent ${name} has no instructions`);
	checkLimits(name, limits, defaultLimits);
	const programs = programOptions(definition.programs);
	checkLimits(name, programs?.limits ?? {}, defaultProgramLimits);
	checkTools(name, tools, programs);
	const json = output && toJsonSchema(output, "input");
	return {
		name,
		instructions,
		model: definition.model,
		settings: definition.settings,
		tools,
		programs,
		output: output && json ? { schema: output, json } : undefined,
		limits,
		middleware: definition.middleware ?? [],
		digest: digest(canonicalJson([name, instructions, json ?? null, programs ? [...programs.direct] : null])).slice(
			0,
			12,
		),
	};
}

function programOptions(programs: AgentDefinition["programs"]): ProgramOptions | undefined {
	if (!programs) return undefined;
	const given = programs === true ? {} : programs;
	const { direct = [], limits = {}, rehearse = false, declarationTokensMax } = given;
	return { direct, limits, rehearse, declarationTokensMax };
}

function checkTools(agent: string, tools: readonly Tool[], programs: ProgramOptions | undefined): void {
	const names = new Set<string>();
	for (const tool of tools) {
		const made = typeof tool?.execute === "function" && typeof tool.version === "string";
		check(made, `agent ${agent} has a tool that \`defineTool\` did not make: ${String(tool?.name)}`);
		check(!names.has(tool.name), `agent ${agent} has two tools named ${tool.name}`);
		check(tool.name !== executeCodeName, `agent ${agent}: the name ${executeCodeName} is taken by the program tool`);
		names.add(tool.name);
	}
	for (const name of programs?.direct ?? [])
		check(names.has(name), `agent ${agent} declares "${name}" as direct, and has no such tool`);
}

function checkLimits(agent: string, limits: object, known: object): void {
	const problem = limitProblem(limits, known);
	check(problem === undefined, `agent ${agent} sets ${problem}`);
}

/** Errors: `agent.invalid`. */
export function checkAgentName(name: unknown): void {
	check(
		typeof name === "string" && /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name),
		`"${String(name).slice(0, 80)}" is no agent name`,
	);
}

/** `sets`: who sets them, where, as the message begins. Errors: `agent.invalid`. */
export function checkOptions(options: object, known: { readonly [name: string]: OptionShape }, sets: string): void {
	const found = optionProblem(options, known);
	if (found) throw new HoldpointError("agent.invalid", `${sets} ${found.problem}`, { hint: found.hint });
}

function check(condition: boolean, message: string): void {
	if (!condition) throw new HoldpointError("agent.invalid", message);
}
