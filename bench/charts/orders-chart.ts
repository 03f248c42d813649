import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { loadOrderData, type OrderData, orderDataName, orderDataPath } from "../workloads/orders/order-data.ts";
import { measureOrders, type OrderFigures, type OrderWiring } from "../workloads/orders/run.ts";
import { missingDataReason } from "../workloads/shared-data.ts";

/*
 * Measures the order totals and writes the figures where they are told of: `node bench/charts/orders-chart.ts` makes
 * the chart anew, and the table of its page.
 */

type Published = OrderData["published"];

const guide = resolve(import.meta.dirname, "../../docs/guide");
export const chartFile = resolve(guide, "order-totals.svg");
export const pageFile = resolve(guide, "order-totals.md");

export const wiringTitles: Readonly<Record<OrderWiring, string>> = {
	turns: "one call a turn",
	batches: "parallel batches",
	program: "one program",
};

/** Part of the tokens of `from` that one program saves, in per cent. */
export function tokensSaved(figures: readonly OrderFigures[], from: OrderWiring): number {
	const total = (wiring: OrderWiring) => {
		const found = figures.find((each) => each.wiring === wiring);
		return found ? found.inputTokens + found.outputTokens : Number.NaN;
	};
	return 100 * (1 - total("program") / total(from));
}

interface Bar {
	readonly label: string;
	/** Undefined: there is none, and the text stands alone. */
	readonly value: number | undefined;
	/** What is written at its end. */
	readonly text: string;
	/** Class of its colour. */
	readonly kind: OrderWiring | "published";
}

const rowHeight = 30;
const barHeight = 18;
const labelWidth = 128;

interface Place {
	readonly x: number;
	readonly y: number;
	readonly width: number;
	readonly hasLabels: boolean;
	/** Value of a bar over the whole width. Default: the largest. */
	readonly max?: number;
}

/** Rows of a label, a bar and its value, under a heading. */
function panel(heading: string, bars: readonly Bar[], { x, y, width, hasLabels, max }: Place): string {
	const left = x + (hasLabels ? labelWidth : 0);
	const top = max ?? Math.max(...bars.map(({ value = 0 }) => value));
	const rows = bars.map(({ label, value, text, kind }, i) => {
		const rowY = y + 14 + i * rowHeight;
		const middle = rowY + barHeight / 2 + 4.5;
		const name = hasLabels ? `<text class="label" x="${left - 10}" y="${middle}">${label}</text>` : "";
		if (value === undefined) return `${name}<text class="note" x="${left}" y="${middle}">${text}</text>`;
		const length = Math.max(2, round((width * value) / top));
		const bar = `<rect class="${kind}" x="${left}" y="${rowY}" width="${length}" height="${barHeight}" rx="2"/>`;
		return `${name}${bar}<text x="${round(left + length + 7)}" y="${middle}">${text}</text>`;
	});
	return [`<text class="heading" x="${left}" y="${y}">${heading}</text>`, ...rows].join("\n\t");
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}

const style = `
		text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2328; }
		.heading { font-weight: 600; }
		.label { text-anchor: end; }
		.note { font-size: 12px; fill: #59636e; }
		.turns { fill: #8b949e; } .batches { fill: #4a86d8; } .program { fill: #1f9d55; }
		.published { fill: none; stroke: #8b949e; stroke-width: 1.5; stroke-dasharray: 4 3; }
		@media (prefers-color-scheme: dark) {
			text { fill: #e6edf3; }
			.note { fill: #9aa4af; }
			.batches { fill: #5b9bf0; } .program { fill: #35b56c; }
		}
	`;

/** The chart as SVG, legible on light and on dark ground. */
export function ordersChart(figures: readonly OrderFigures[], published: Published): string {
	const bars = (value: (figure: OrderFigures) => number, text: (value: number) => string): Bar[] =>
		figures.map((figure) => {
			const { wiring } = figure;
			return { label: wiringTitles[wiring], value: value(figure), text: text(value(figure)), kind: wiring };
		});
	const saved = (percent: number, kind: Bar["kind"]): Bar => {
		const label = kind === "published" ? "as published" : wiringTitles[kind];
		return { label, value: percent, text: `${percent.toFixed(1)} %`, kind };
	};
	const unmeasured = (label: string): Bar => ({ label, value: undefined, text: "not measured", kind: "published" });
	const tokens = [
		saved(tokensSaved(figures, "turns"), "turns"),
		saved(tokensSaved(figures, "batches"), "batches"),
		saved(100 * published.reduction.tokens, "published"),
	];
	const time = [
		...tokens.slice(0, 2).map(({ label }) => unmeasured(label)),
		saved(100 * published.reduction.latency, "published"),
	];
	const first = { x: 0, hasLabels: true };
	const content = [
		panel(
			"Model turns",
			bars(({ turns }) => turns, String),
			{ ...first, y: 24, width: 130 },
		),
		panel("Tokens, input and output", bars(totalTokens, thousands), { x: 310, y: 24, width: 130, hasLabels: false }),
		panel(
			"Host time",
			bars(({ hostMs }) => hostMs, milliseconds),
			{ x: 545, y: 24, width: 130, hasLabels: false },
		),
		panel("Tokens that one program saves, against", tokens, { ...first, y: 158, width: 330, max: 100 }),
		panel("Latency that it saves", time, { x: 545, y: 158, width: 130, hasLabels: false, max: 100 }),
		`<text class="note" x="${labelWidth}" y="276">The model is scripted: how long its turns take is not measured.</text>`,
	];
	const title = "Order totals: turns, tokens and host time of one call a turn, parallel batches and one program";
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 290" role="img" aria-label="${title}">
	<title>${title}</title>
	<style>${style}</style>
	${content.join("\n\t")}
</svg>
`;
}

function totalTokens({ inputTokens, outputTokens }: OrderFigures): number {
	return inputTokens + outputTokens;
}

function thousands(value: number): string {
	return value.toLocaleString("en-US");
}

function milliseconds(value: number): string {
	return `${value.toFixed(1)} ms`;
}

/** The figures as a Markdown table, with what they were measured on. */
export function ordersTable(figures: readonly OrderFigures[], published: Published): string {
	const cells = (row: readonly string[]) => `| ${row.join(" | ")} |`;
	const rows = figures.map((figure) => [
		wiringTitles[figure.wiring],
		String(figure.turns),
		String(figure.calls),
		thousands(figure.inputTokens),
		thousands(figure.outputTokens),
		thousands(totalTokens(figure)),
		milliseconds(figure.hostMs),
	]);
	const percent = (value: number) => `${value.toFixed(1)} %`;
	const { traditional, codeact, reduction } = published;
	const others = [
		["traditional", thousands(traditional.tokens), `${traditional.seconds} s`],
		["CodeAct", thousands(codeact.tokens), `${codeact.seconds} s`],
		["saved", percent(100 * reduction.tokens), percent(100 * reduction.latency)],
	];
	return [
		cells(["wiring", "model turns", "tool calls", "input tokens", "output tokens", "tokens", "host time"]),
		cells(["---", "--:", "--:", "--:", "--:", "--:", "--:"]),
		...rows.map(cells),
		"",
		`Host time: Node ${process.versions.node}, ${availableParallelism()} cores, the median of ${rounds} runs after ${warmup} others.`,
		"",
		`One program saves **${percent(tokensSaved(figures, "turns"))}** of the tokens of one call a turn, and **${percent(tokensSaved(figures, "batches"))}** of those of parallel batches.`,
		"",
		"What was published for the same work:",
		"",
		cells(["", "tokens", "time, with the model"]),
		cells(["---", "--:", "--:"]),
		...others.map(cells),
	].join("\n");
}

const rounds = 60;
const warmup = 20;
const between = /(<!-- figures -->)[\s\S]*(<!-- end of figures -->)/;

async function main(): Promise<void> {
	const path = orderDataPath();
	if (!path) throw new Error(`Nothing to measure: ${missingDataReason(orderDataName)}`);
	const data = loadOrderData(path);
	const figures = await measureOrders(data, { rounds, warmup });
	const wrong = figures.find(({ problem }) => problem);
	if (wrong) throw new Error(`The totals of ${wiringTitles[wrong.wiring]} are wrong: ${wrong.problem}`);
	const table = ordersTable(figures, data.published);
	writeFileSync(chartFile, ordersChart(figures, data.published));
	const page = readFileSync(pageFile, "utf8");
	writeFileSync(
		pageFile,
		page.replace(between, (_, open: string, close: string) => `${open}\n\n${table}\n\n${close}`),
	);
	console.log(table);
}

if (import.meta.main) await main();
