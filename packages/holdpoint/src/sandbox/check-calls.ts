import type { SchemaIssue } from "../kit/json-schema-misfit.ts";
import { schemaValidator } from "../kit/json-schema-validator.ts";
import { isWhollyKnown, type MaybeJson } from "../kit/maybe-json.ts";
import { guestBuiltins } from "../spec/guest-messages.ts";
import type { Examination, ToolUse } from "./examine-program.ts";
import { keyAt, literalValue, nodeAt } from "./literal-value.ts";
import { nearestNames } from "./nearest-names.ts";
import { certainlyRefuses, judgesBySchemaAlone } from "./own-validator.ts";
import { type ProgramProblem, problemsMax } from "./program-problems.ts";
import type { ProgramTool } from "./program-tool.ts";
import { plainText, toolAccess } from "./tool-text.ts";

/** A problem that still stands at an offset of the text. */
export interface FoundProblem {
	readonly offset: number;
	readonly code: ProgramProblem["code"];
	readonly message: string;
}

const namedMax = 12;
/** What every program may ask, in more forms than a schema says, and what the engine itself reads: no tools. */
const otherNames: ReadonlySet<string> = new Set([...guestBuiltins, "then", "toJSON"]);
const nothing = Object.create(null) as MaybeJson;

export interface CheckOptions {
	/** False: what a call is made with is not what the program says. */
	readonly judgeArguments: boolean;
}

/** Calls of tools that do not exist, and arguments that cannot fit. */
export function checkCalls(
	examination: Examination,
	tools: ReadonlyMap<string, ProgramTool>,
	{ judgeArguments }: CheckOptions,
): FoundProblem[] {
	const found: FoundProblem[] = [];
	const undecided = new Set<ProgramTool>();
	for (const use of examination.uses) {
		if (found.length >= problemsMax) break;
		if (otherNames.has(use.name)) continue;
		const tool = tools.get(use.name);
		if (tool) found.push(...(judgeArguments ? checkArguments(use, tool, undecided) : []));
		else if (use.reads && !examination.inspects) found.push(unknownTool(use, tools));
	}
	return found;
}

function unknownTool(use: ToolUse, tools: ReadonlyMap<string, ProgramTool>): FoundProblem {
	const nearest = nearestNames(use.name, [...tools.keys()]);
	const hint = nearest.length > 0 ? `Did you mean ${nearest.map(toolAccess).join(" or ")}?` : whatThereIs(tools);
	const message = `${plainText(toolAccess(use.name), 120)} is not a tool of this program. ${hint}`;
	return { offset: use.at.start, code: "unknown-tool", message };
}

function whatThereIs(tools: ReadonlyMap<string, ProgramTool>): string {
	const own = [...tools.keys()].filter((name) => !name.startsWith("$"));
	if (own.length > namedMax && tools.has("$search")) return `tools.$search("words") finds those that are`;
	const names = own.slice(0, namedMax).map((name) => plainText(name, 60));
	const more = own.length > names.length ? ` and ${own.length - names.length} more` : "";
	return names.length === 0 ? "It has none" : `It has ${names.join(", ")}${more}`;
}

function checkArguments(use: ToolUse, tool: ProgramTool, undecided: Set<ProgramTool>): FoundProblem[] {
	const { call } = use;
	const [argument] = call?.arguments ?? [];
	if (!call || argument?.type === "SpreadElement" || undecided.has(tool)) return [];
	// A call without arguments is one without fields to a tool that takes an object, and null to any other.
	const sent: readonly MaybeJson[] = argument ? [literalValue(argument)] : [nothing, null];
	if (!sent.every(isWhollyKnown) && !judgesBySchemaAlone(tool)) return [];
	const check = misfitOf(tool, sent);
	// A schema that needs too long for one value, or that its tool does not keep to, is not asked again.
	if (check === "undecided") undecided.add(tool);
	if (check === "undecided" || check === "fits") return [];
	return check.map((issue) => {
		const at = !argument
			? use.at
			: issue.keyword === "additionalProperties"
				? keyAt(argument, issue.path)
				: nodeAt(argument, issue.path);
		return { offset: at.start, code: "argument", message: argumentMessage(use.name, issue) };
	});
}

/** Why the tool would refuse whichever of these it is sent. */
function misfitOf(tool: ProgramTool, sent: readonly MaybeJson[]): readonly SchemaIssue[] | "fits" | "undecided" {
	const validator = schemaValidator(tool.inputSchema, { formats: false });
	const checks = sent.map((value) => validator.checkPartly(value));
	if (checks.some(({ kind }) => kind === "fits")) return "fits";
	const [first] = checks;
	if (first?.kind !== "misfit" || checks.some(({ kind }) => kind === "unchecked")) return "undecided";
	return sent.every((value) => certainlyRefuses(tool, value)) ? first.issues : "undecided";
}

function argumentMessage(name: string, { path, message }: SchemaIssue): string {
	const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${plainText(step, 60)}`)).join("");
	return `${plainText(toolAccess(name), 120)}: ${steps ? `args${steps}: ` : ""}${message}`;
}
