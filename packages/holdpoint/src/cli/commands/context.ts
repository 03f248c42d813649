import { counted, numberText } from "../../kit/counted.ts";
import type { ContextPart, ContextView } from "../../run/show-context.ts";
import { HoldpointError } from "../../spec/errors.ts";
import type { ModelMessage } from "../../spec/model.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { findRun, newestRun } from "../find-run.ts";
import { openInbox, using } from "../open-harness.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Style } from "../render/style.ts";
import { type Cell, tableLines } from "../render/table.ts";
import { clip } from "../render/text-width.ts";
import type { Terminal } from "../terminal.ts";

/** What a model was shown at one of a run's answers, by share of what it may be shown. */
export async function context(invocation: Invocation): Promise<number> {
	const { terminal, positionals, options } = invocation;
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const [given] = positionals;
		const run = given === undefined ? await newestRun(store) : await findRun(store, given);
		const turn = turnOption(textOption({ options }, "turn"));
		const view = await harness.context(run, turn === undefined ? {} : { turn });
		const { redactor } = await harness.show(run);
		const said = view.messages.map((message) => redactor.value(message as never) as unknown as ModelMessage);
		const provided = view.provided.map(({ name, text }) => ({ name, text: redactor.text(text) }));
		terminal.answer({ ...view, provided, messages: said }, () => [
			...contextLines(view, terminal),
			...(options["messages"] === true ? messageLines({ provided, messages: said }, terminal) : []),
		]);
		return exitCodes.done;
	});
}

/** Errors: `usage.invalid`. */
function turnOption(text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	const turn = Number(text);
	if (/^\d{1,9}$/.test(text) && turn >= 1) return turn;
	throw new HoldpointError(
		"usage.invalid",
		`--turn takes the number of an answer, and ${JSON.stringify(text.slice(0, 40))} is none`,
		{
			hint: "1 is the first answer of the run.",
		},
	);
}

const names: { readonly [Kind in ContextPart["kind"]]: string } = {
	instructions: "instructions and tools",
	provided: "given by",
	folded: "older messages, folded",
	user: "the user's words",
	agent: "the agent's words and calls",
	results: "results of tools",
};
const signs = ["█", "▓", "▒", "░"];
const barMax = 72;

export function contextLines(view: ContextView, { style, width }: Pick<Terminal, "style" | "width">): string[] {
	const { run, turn, turns, agent, tokens, budget, compactions, parts } = view;
	const whole = Math.max(tokens, budget ?? tokens, 1);
	const of = budget === undefined ? "" : ` of ${numberText(budget)} (${percent(tokens, budget)})`;
	const times = compactions === 0 ? "" : ` · compacted ${compactions === 1 ? "once" : `${compactions} times`} before`;
	return [
		`${style.bold(run)}  answer ${turn} of ${turns}, by ${inlineText(agent, 64)}`,
		style.dim(`${counted(tokens, "token")}${of}${times}`),
		"",
		barOf(parts, { whole, columns: Math.min(barMax, width - 2), style }),
		"",
		...tableLines(rowsOf(view, style, whole), { style, width, head: ["", "tokens", "share", "what"] }),
	];
}

interface Bar {
	readonly whole: number;
	readonly columns: number;
	readonly style: Style;
}

/** Every part that is there is seen, be it ever so small; what is free is dots. */
function barOf(parts: readonly ContextPart[], { whole, columns, style }: Bar): string {
	let bar = "";
	let left = columns;
	for (const [at, { tokens }] of parts.entries()) {
		if (tokens === 0) continue;
		const cells = Math.min(left, Math.max(1, Math.round((tokens / whole) * columns)));
		bar += paint(at, style)((signs[at % signs.length] ?? "█").repeat(cells));
		left -= cells;
	}
	return `  ${bar}${style.dim("·".repeat(left))}`;
}

function paint(at: number, style: Style): (text: string) => string {
	const colours = [style.blue, style.magenta, style.yellow, style.green, style.cyan, style.red];
	return colours[at % colours.length] ?? style.dim;
}

function rowsOf({ parts, budget, tokens }: ContextView, style: Style, whole: number): Cell[][] {
	const rows = parts.map(({ kind, name, tokens: own }, at): Cell[] => [
		{ text: `  ${signs[at % signs.length] ?? ""}`, colour: paint(at, style) },
		{ text: numberText(own).padStart(7) },
		{ text: percent(own, whole).padStart(5) },
		{ text: name === undefined ? names[kind] : `${names[kind]} ${name}` },
	]);
	if (budget === undefined || budget <= tokens) return rows;
	const free = budget - tokens;
	return [
		...rows,
		[
			{ text: "  ·" },
			{ text: numberText(free).padStart(7) },
			{ text: percent(free, whole).padStart(5) },
			{ text: "free" },
		],
	];
}

function percent(part: number, whole: number): string {
	const share = (part / whole) * 100;
	return share > 0 && share < 1 ? "<1 %" : `${Math.round(share)} %`;
}

const lineCharsMax = 2_000;

function messageLines(
	{ provided, messages }: Pick<ContextView, "provided" | "messages">,
	{ style, width }: Terminal,
): string[] {
	const line = (who: string, text: string) => clip(`${who.padEnd(9)} ${inlineText(text, lineCharsMax)}`, width);
	return [
		"",
		...provided.map(({ name, text }) => style.dim(line(name, text))),
		...messages.flatMap((message) => {
			if (message.role === "system") return [];
			return message.content.flatMap((part) => {
				if (part.type === "text") return line(message.role === "user" ? "user" : "agent", part.text);
				if (part.type === "tool-call") return line("call", `${part.toolName}(${JSON.stringify(part.input)})`);
				if (part.type === "tool-result") return line("result", `${part.toolName}: ${JSON.stringify(part.output)}`);
				return line(message.role, `[${part.type}]`);
			});
		}),
	];
}
