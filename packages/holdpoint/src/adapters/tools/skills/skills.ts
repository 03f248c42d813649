import { limitProblem } from "../../../kit/limit-problem.ts";
import { reasonOf } from "../../../kit/reason-of.ts";
import { defaultSkillLimits, type SkillLimits } from "../../../spec/limits.ts";
import type { Labels, Tool } from "../../../spec/tool.ts";
import { defineTool } from "../../../tools/define-tool.ts";
import { jsonSchema } from "../../../tools/json-schema.ts";
import { wholeText } from "../rooted/read-text.ts";
import { invalid, RootFolder } from "../rooted/root-folder.ts";
import type { SkillHead } from "./frontmatter.ts";
import { readHeads, readSkill, type SkillText } from "./skill-folder.ts";

export type { SkillLimits } from "../../../spec/limits.ts";
export type { SkillHead } from "./frontmatter.ts";

export interface SkillsOptions {
	/** Holds a folder for each skill, with its `SKILL.md`. Format: agentskills.io. */
	readonly folder: string;
	/** Default: trusted, and everyone may read them: they are instructions of yours. */
	readonly labels?: Labels;
	readonly limits?: Partial<SkillLimits>;
}

export interface Skills {
	/** For the agent's instructions: what there is and when to read it. */
	readonly index: string;
	/** For the agent: reads a skill, or a file of one. Nothing of them is ever executed. */
	readonly tool: Tool;
	readonly skills: readonly SkillHead[];
}

/**
 * Skills of a folder. The index says their names and descriptions; the tool gives the rest when it is asked for.
 * Errors: `tool.invalid`, with everything that is wrong with the folder.
 */
export async function skills(options: SkillsOptions): Promise<Skills> {
	const what = `skills({ folder: ${JSON.stringify(options.folder)} })`;
	const problem = limitProblem(options.limits ?? {}, defaultSkillLimits);
	if (problem) throw invalid(what, `limits sets ${problem}`);
	const limits = { ...defaultSkillLimits, ...options.limits };
	const depthMax = limits.skillDepthMax + 1;
	const root = new RootFolder({ root: options.folder, limits: { pathCharsMax: 1_024, depthMax }, what });
	try {
		const heads = await readHeads(root, limits);
		if (heads.length === 0) throw new Error("it has no skill");
		return {
			index: indexOf(heads, limits.indexTokensMax),
			tool: skillTool(root, heads, { limits, labels: options.labels }),
			skills: heads,
		};
	} catch (error) {
		throw invalid(what, reasonOf(error), error);
	}
}

interface SkillArguments {
	readonly name: string;
	readonly file?: string;
}

function skillTool(
	root: RootFolder,
	heads: readonly SkillHead[],
	{ limits, labels }: { readonly limits: SkillLimits; readonly labels: Labels | undefined },
): Tool {
	const names = heads.map(({ name }) => name);
	return defineTool({
		name: "skill",
		description: "Reads a skill, or a file of it.",
		effect: "read",
		labels: labels ?? { integrity: "trusted", readers: ["everyone"], audience: [] },
		input: jsonSchema<SkillArguments>({
			type: "object",
			properties: { name: { type: "string" }, file: { type: "string" } },
			required: ["name"],
			additionalProperties: false,
		}),
		output: jsonSchema<SkillText>({
			type: "object",
			properties: {
				name: { type: "string" },
				file: { type: "string" },
				text: { type: "string" },
				files: { type: "array", items: { type: "string" } },
				truncated: { type: "boolean" },
			},
			required: ["name", "text"],
			additionalProperties: false,
		}),
		async execute({ name, file }, { signal }) {
			if (!names.includes(name))
				throw new Error(`There is no skill ${JSON.stringify(name.slice(0, 80))}: ${names.join(", ")}`);
			if (file === undefined) return readSkill(root, name, { limits, signal });
			const segments = root.segmentsOf(file, false);
			if (segments.length === 0) throw new Error("file names no file");
			return { name, file, text: await wholeText(root, [name, ...segments], limits.skillBytesMax) };
		},
	});
}

/** At least one token for so many bytes, as a careful guess for any tokenizer. */
const bytesPerToken = 3;
const lead = "Skills. Before a task that one of them is about, read it with the tool skill:";

/** Names always; descriptions as far as they fit, each cut to the same length. Errors: where even the names are too long. */
function indexOf(heads: readonly SkillHead[], tokensMax: number): string {
	const write = (charsMax: number): string =>
		[lead, ...heads.map((head) => `- ${head.name}: ${shortened(head.description, charsMax)}`)].join("\n");
	const fits = (text: string): boolean => Buffer.byteLength(text) <= tokensMax * bytesPerToken;
	const longest = Math.max(...heads.map(({ description }) => description.length));
	// The largest length that fits.
	let [low, high] = [0, longest];
	while (low < high) {
		const middle = Math.ceil((low + high) / 2);
		if (fits(write(middle))) low = middle;
		else high = middle - 1;
	}
	if (low < Math.min(descriptionCharsMin, longest)) {
		throw new Error(`its ${heads.length} skills do not fit into ${tokensMax} tokens (indexTokensMax)`);
	}
	return write(low);
}

/** Below that a description says nothing any more. */
const descriptionCharsMin = 40;

/** On one line: a description is no place for a second instruction. */
function shortened(description: string, charsMax: number): string {
	const line = description.replace(/\s+/g, " ");
	return line.length <= charsMax
		? line
		: `${line
				.slice(0, Math.max(0, charsMax - 1))
				.trimEnd()
				.toWellFormed()}…`;
}
