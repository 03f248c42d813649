/** Where each span of a segment stands: how deep, from when to when; and the same as lines of a terminal. */
import { counted, numberText } from "../../kit/counted.ts";
import type { Span } from "../../spec/trace.ts";
import { duration } from "./duration.ts";
import { inlineText } from "./safe-text.ts";
import type { Style } from "./style.ts";
import { clip, padEnd, padStart, widthOf } from "./text-width.ts";

export interface WaterfallRow {
	readonly span: Span;
	/** 0: the root. */
	readonly depth: number;
	/** Of the segment's time: 0 to 1. */
	readonly from: number;
	readonly to: number;
	/** Milliseconds. */
	readonly ms: number;
	readonly kind: SpanSort;
	/** What matters of its attributes, in few words. */
	readonly facts: string;
}

export type SpanSort = "work" | "model" | "tool" | "wait" | "commit" | "failed";

/** `spans`: the root first, children after their parents. */
export function waterfallRows(spans: readonly Span[]): readonly WaterfallRow[] {
	const [root] = spans;
	if (!root) return [];
	const whole = Math.max(1, endOf(root) - root.start);
	const place = (at: number) => Math.min(1, Math.max(0, (at - root.start) / whole));
	const depths = new Map<string, number>();
	return spans.map((span) => {
		const depth = span.parentSpanId === undefined ? 0 : (depths.get(span.parentSpanId) ?? 0) + 1;
		depths.set(span.spanId, depth);
		const [from, to] = [place(span.start), place(endOf(span))];
		return { span, depth, from, to, ms: endOf(span) - span.start, kind: sortOf(span), facts: factsOf(span) };
	});
}

export function isCommit({ name }: Pick<Span, "name">): boolean {
	return name === "holdpoint.checkpoint";
}

function endOf({ start, end }: Span): number {
	return end ?? start;
}

function sortOf(span: Span): SpanSort {
	if (span.status.code === "error") return "failed";
	if (isCommit(span)) return "commit";
	if (span.name.startsWith("holdpoint.approval")) return "wait";
	const operation = span.attributes["gen_ai.operation.name"];
	if (operation === "chat") return "model";
	return operation === "execute_tool" ? "tool" : "work";
}

function factsOf({ attributes, status, parentSpanId }: Span): string {
	const facts: string[] = [];
	const add = (name: string, say: (value: string | number) => string) => {
		const value = attributes[name];
		// A model that reports no tokens says 0.
		if (typeof value === "string" || (typeof value === "number" && value > 0)) facts.push(say(value));
	};
	if (status.code === "error") add("error.type", (type) => String(type));
	if (attributes["gen_ai.operation.name"] === "chat") {
		add("gen_ai.usage.input_tokens", (tokens) => `${counted(Number(tokens), "token")} in`);
		add("gen_ai.usage.output_tokens", (tokens) => `${numberText(Number(tokens))} out`);
		add("holdpoint.cost.usd", (usd) => `$${Number(usd).toFixed(4)}`);
	}
	const isOpen = attributes["holdpoint.approval.outcome"] === "open";
	add("holdpoint.approval.outcome", (answer) => (isOpen ? "waits" : String(answer)));
	add("holdpoint.call.id", (call) => String(call));
	add("holdpoint.approval.waited_s", (seconds) => `after ${duration(Number(seconds) * 1_000)}`);
	if (attributes["holdpoint.continued"] === true) facts.push("goes on from before");
	const isOver = attributes["holdpoint.unfinished"] !== true || parentSpanId === undefined;
	// What waits is not over.
	if (!isOver && !isOpen) facts.push("not over");
	return facts.join(" · ");
}

const durationColumns = 8;
const barColumnsMin = 8;
const labelShareMax = 0.6;
const nameColumnsMin = 22;

/** One line for each span. Where a label does not fit, words of the conventions go first, then the end of the name. */
export function waterfallLines(
	rows: readonly WaterfallRow[],
	{ style, width }: { readonly style: Style; readonly width: number },
): string[] {
	const most = Math.min(Math.floor(width * labelShareMax), width - barColumnsMin - durationColumns - 2);
	const plain = rows.map((row) => labelOf(row, inlineText(row.span.name, 200)));
	const fit = plain.every((label) => columnsOf(label) <= most);
	const labels = fit ? plain : rows.map((row) => labelOf(row, shortName(inlineText(row.span.name, 200))));
	const columns = Math.min(most, Math.max(...labels.map(columnsOf)));
	const barColumns = Math.max(barColumnsMin, width - columns - durationColumns - 2);
	return rows.map((row, at) => {
		const { name, facts } = fitted(labels[at] as Label, columns);
		const gap = " ".repeat(Math.max(0, columns - columnsOf({ name, facts })));
		const bar = colourOf(style, row.kind)(barOf(row, barColumns));
		const took = style.dim(padStart(duration(row.ms), durationColumns));
		return `${name}${facts === "" ? "" : style.dim(`  ${facts}`)}${gap} ${bar} ${took}`.trimEnd();
	});
}

interface Label {
	/** Indented by its depth. */
	readonly name: string;
	readonly facts: string;
}

function labelOf({ depth, facts }: WaterfallRow, name: string): Label {
	return { name: "  ".repeat(Math.min(depth, 8)) + name, facts: inlineText(facts, 200) };
}

function columnsOf({ name, facts }: Label): number {
	return widthOf(name) + (facts === "" ? 0 : 2 + widthOf(facts));
}

/** Of a tool's span its name is left, and of one of ours what it is. */
function shortName(name: string): string {
	return name.replace(/^(?:holdpoint\.|execute_tool )/, "");
}

/** What a span came to is worth more than the end of a long name; how long it waited is worth least. */
function fitted(label: Label, columns: number): Label {
	if (columnsOf(label) <= columns) return label;
	const nameMax = Math.max(nameColumnsMin, columns - widthOf(label.facts) - 2);
	const name = clip(label.name, Math.min(nameMax, columns));
	const left = columns - widthOf(name) - 2;
	return { name, facts: left > 0 ? clip(label.facts, left) : "" };
}

function barOf({ from, to }: WaterfallRow, columns: number): string {
	const first = Math.min(columns - 1, Math.floor(from * columns));
	const last = Math.max(first + 1, Math.round(to * columns));
	const isPoint = to - from < 1 / columns;
	return padEnd(" ".repeat(first) + (isPoint ? "▏" : "█".repeat(last - first)), columns);
}

function colourOf(style: Style, kind: SpanSort): (text: string) => string {
	const colours: Record<SpanSort, (text: string) => string> = {
		work: style.blue,
		model: style.magenta,
		tool: style.green,
		wait: style.yellow,
		commit: style.dim,
		failed: style.red,
	};
	return colours[kind];
}
