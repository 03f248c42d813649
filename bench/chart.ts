import { figureText } from "./report.ts";

export interface BarGroup {
	readonly title: string;
	readonly unit: string;
	readonly bars: readonly { readonly label: string; readonly value: number; readonly isOurs: boolean }[];
}

const width = 720;
const labelWidth = 170;
const barWidthMax = 440;
const barHeight = 16;
const lineHeight = 24;
const groupGap = 28;

/** Its colours follow the reader's light or dark scheme; the background is whatever it lies on. */
const style = `
	text { font: 13px system-ui, sans-serif; fill: #1f2328 }
	.title { font-weight: 600 }
	.value { font-variant-numeric: tabular-nums }
	.peer { fill: #8c959f }
	.ours { fill: #0969da }
	@media (prefers-color-scheme: dark) {
		text { fill: #e6edf3 }
		.peer { fill: #6e7681 }
		.ours { fill: #4493f7 }
	}
`;

/** Horizontal bars as SVG, each group on a scale of its own that begins at zero. */
export function barChart(title: string, groups: readonly BarGroup[]): string {
	const parts: string[] = [];
	let y = 0;
	for (const group of groups) {
		y += lineHeight;
		parts.push(`<text class="title" x="0" y="${y - 7}">${escaped(`${group.title}, ${group.unit}`)}</text>`);
		const longest = Math.max(...group.bars.map(({ value }) => value));
		for (const { label, value, isOurs } of group.bars) {
			const long = Math.max(1, Math.round((value / longest) * barWidthMax));
			const kind = isOurs ? "ours" : "peer";
			parts.push(
				`<text x="${labelWidth - 10}" y="${y + 13}" text-anchor="end">${escaped(label)}</text>`,
				`<rect class="${kind}" x="${labelWidth}" y="${y}" width="${long}" height="${barHeight}" rx="2"/>`,
				`<text class="value" x="${labelWidth + long + 8}" y="${y + 13}">${figureText(value)}</text>`,
			);
			y += lineHeight;
		}
		y += groupGap - lineHeight + 4;
	}
	const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" role="img" aria-label="${escaped(title)}">`;
	return `${open}\n<title>${escaped(title)}</title>\n<style>${style}</style>\n${parts.join("\n")}\n</svg>\n`;
}

function escaped(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
