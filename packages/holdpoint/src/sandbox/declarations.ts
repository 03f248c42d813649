/**
 * What the model is told about the tools of its programs: TypeScript declarations made from their JSON Schemas.
 *
 * 1. The text is deterministic and stays near its token budget, because the model pays for it in every turn. It is
 *    told in full, then without the notes on properties, then as an index of one line a tool.
 * 2. Names, descriptions and schemas are hostile (an MCP server wrote them): bounded, one line, comments unbreakable.
 */
import type { ProgramTool } from "./program-tool.ts";
import { schemaType } from "./schema-type.ts";
import { firstSentence, isIdentifier, literalText, plainText, toolAccess } from "./tool-text.ts";

export type { ProgramTool } from "./program-tool.ts";
export { searchTools } from "./search-tools.ts";

export interface ToolDeclarations {
	readonly text: string;
	/** `index`: declarations are had through `tools.$search` and `tools.$describe`. */
	readonly mode: "full" | "index";
}

const tokensMaxDefault = 3_000;
const charsPerToken = 4;
const descriptionChars = { full: 600, brief: 160 };
const sentenceChars = [100, 40];

/** The declarations of all tools, or an index of them where they do not fit the budget. */
export function declareTools(
	tools: readonly ProgramTool[],
	options: { readonly tokensMax?: number | undefined } = {},
): ToolDeclarations {
	const charsMax = (options.tokensMax ?? tokensMaxDefault) * charsPerToken;
	for (const detail of ["full", "brief"] as const) {
		const text = declareAll(tools, detail, charsMax);
		if (text !== undefined) return { text, mode: "full" };
	}
	return { text: indexOf(tools, charsMax), mode: "index" };
}

/** The whole declaration of one tool, under the name by which a program calls it. */
export function describeTool(tool: ProgramTool): string {
	return `${documentation(tool, descriptionChars.full)}${toolAccess(tool.name)}${signature(tool, true)}`;
}

function declareAll(tools: readonly ProgramTool[], detail: "full" | "brief", charsMax: number): string | undefined {
	let text = "declare const tools: {\n";
	for (const tool of tools) {
		const name = isIdentifier(tool.name) ? tool.name : literalText(tool.name);
		text += `${documentation(tool, descriptionChars[detail])}${name}${signature(tool, detail === "full")};\n`;
		if (text.length > charsMax) return undefined;
	}
	return `${text}};`;
}

function documentation(tool: ProgramTool, charsMax: number): string {
	const text = [plainText(tool.description, charsMax), tool.held ? "Held for approval." : ""].filter(Boolean).join(" ");
	return text ? `/** ${text} */\n` : "";
}

function signature(tool: ProgramTool, comments: boolean): string {
	const input = schemaType(tool.inputSchema, { comments });
	const output = tool.outputSchema ? schemaType(tool.outputSchema, { comments }) : "unknown";
	const takesNothing =
		input === "{}" || (input === "Record<string, unknown>" && !tool.inputSchema["additionalProperties"]);
	const optional = Array.isArray(tool.inputSchema["required"]) && tool.inputSchema["required"].length > 0 ? "" : "?";
	return `(${takesNothing ? "" : `args${optional}: ${input}`}): Promise<${output}>`;
}

function indexOf(tools: readonly ProgramTool[], charsMax: number): string {
	const head =
		`// ${tools.length} tools. Their declarations: await tools.$search("words") finds the best ones, ` +
		'await tools.$describe("name") gives one. Call one as await tools.name({ ... }).';
	for (const sentenceMax of sentenceChars) {
		const lines = tools.map((tool) => indexLine(tool, sentenceMax));
		if (sumOf(lines) <= charsMax - head.length) return [head, ...lines].join("\n");
	}
	const names = tools.map((tool) => (isIdentifier(tool.name) ? tool.name : literalText(tool.name)));
	const last = `… and more: await tools.$search("words") finds them.`;
	let room = charsMax - head.length - last.length;
	const shown = names.findIndex((name) => {
		room -= name.length + 1;
		return room < 0;
	});
	return [head, ...(shown < 0 ? names : [...names.slice(0, shown), last])].join("\n");
}

function indexLine(tool: ProgramTool, sentenceMax: number): string {
	const name = isIdentifier(tool.name) ? tool.name : literalText(tool.name);
	const sentence = firstSentence(tool.description, sentenceMax);
	return `${name}${sentence ? ` — ${sentence}` : ""}${tool.held ? " (held for approval)" : ""}`;
}

function sumOf(lines: readonly string[]): number {
	return lines.reduce((sum, line) => sum + line.length + 1, 0);
}
