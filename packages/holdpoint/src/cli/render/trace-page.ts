/**
 * The traces of a run as one HTML file: no script, nothing from elsewhere, and every text in it escaped. Where a bar stands
 * is drawn, so that the page needs no styles but its own.
 */

import { hash } from "node:crypto";
import { counted } from "../../kit/counted.ts";
import { text } from "../../server/decision-text.ts";
import type { Span, SpanEvent } from "../../spec/trace.ts";
import type { ShownSegment } from "../shown-trace.ts";
import { dateTime, duration } from "./duration.ts";
import { isCommit, type WaterfallRow, waterfallRows } from "./waterfall.ts";

const depthMax = 8;

const style = `
:root { color-scheme: light dark; --ground: #f6f6f4; --sheet: #ffffff; --ink: #1d1f22; --quiet: #5d636b; --line: #dfe1e0; --edge: #b7791f;
  --work: #3b6fb5; --model: #8250b8; --tool: #1b7a4d; --wait: #b7791f; --commit: #8b9198; --failed: #b8352f; }
@media (prefers-color-scheme: dark) { :root { --ground: #15171a; --sheet: #1d2024; --ink: #e8e9ea; --quiet: #9aa1a9; --line: #33383e; --edge: #e0a83f;
  --work: #6d9fe0; --model: #b58be6; --tool: #4fbf88; --wait: #e0a83f; --commit: #6d747c; --failed: #f0827c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { margin: 0 0 .25rem; font-size: 1.4rem; overflow-wrap: anywhere; } h2 { margin: 0; font-size: 1rem; }
p { margin: 0 0 1rem; color: var(--quiet); }
section { margin: 0 0 1.25rem; padding: 1rem 1.1rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; }
section > p { margin: .1rem 0 .75rem; font-size: .9rem; }
ol { list-style: none; margin: 0; padding: 0; }
li { border-top: 1px solid var(--line); }
summary { display: grid; grid-template-columns: minmax(0, 1fr) minmax(6rem, 42%) 5rem; gap: 0 .75rem; align-items: center; padding: .3rem 0; cursor: pointer; }
summary:focus-visible { outline: 3px solid var(--edge); outline-offset: 1px; }
summary > span::before { content: "▸ "; color: var(--quiet); } [open] > summary > span::before { content: "▾ "; }
summary b { font-weight: 500; } summary span { min-width: 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
summary small { color: var(--quiet); font-size: .85em; margin-left: .4rem; } summary time { text-align: right; color: var(--quiet); font-variant-numeric: tabular-nums; }
${Array.from({ length: depthMax }, (_, at) => `.d${at + 1} { padding-left: ${(at + 1) * 1.1}rem; }`).join(" ")}
svg { display: block; width: 100%; height: 1rem; background: var(--ground); border-radius: 3px; }
.work { fill: var(--work); } .model { fill: var(--model); } .tool { fill: var(--tool); } .wait { fill: var(--wait); } .commit { fill: var(--commit); } .failed { fill: var(--failed); }
dl { margin: 0 0 .6rem; padding: .5rem .75rem; background: var(--ground); border-radius: 6px; font-size: .85rem; }
dl div { display: grid; grid-template-columns: minmax(9rem, 17rem) minmax(0, 1fr); gap: 0 1rem; }
dt { color: var(--quiet); overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; font-family: ui-monospace, monospace; }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0 0 1rem; font-size: .85rem; color: var(--quiet); } .key svg { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem; vertical-align: -.1rem; background: none; }
@media (max-width: 40rem) { summary { grid-template-columns: minmax(0, 1fr) 5rem; } summary svg { grid-column: 1 / -1; grid-row: 2; } dl div { grid-template-columns: 1fr; } }
`;

const policy = `default-src 'none'; style-src 'sha256-${hash("sha256", style, "base64")}'; base-uri 'none'; form-action 'none'`;

const colours: readonly (readonly [kind: WaterfallRow["kind"], says: string])[] = [
	["work", "agent or team"],
	["model", "model"],
	["tool", "tool or program"],
	["wait", "waits for people"],
	["commit", "commit"],
	["failed", "failed or denied"],
];

/** A whole document. */
export function tracePage(run: string, segments: readonly ShownSegment[]): string {
	const key = colours.map(
		([kind, says]) =>
			`<span><svg viewBox="0 0 1 1" aria-hidden="true"><rect class="${kind}" width="1" height="1"/></svg>${says}</span>`,
	);
	return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>Trace of ${text(run)}</title><style>${style}</style></head>
<body><main><h1>Trace of <code>${text(run)}</code></h1>
<p>One part for each segment: from taking the run's lease to letting it go. Open a line to see what it says.</p>
<div class="key">${key.join("")}</div>
${segments.map(segmentPart).join("\n")}
</main></body></html>
`;
}

function segmentPart({ epoch, source, spans }: ShownSegment): string {
	const rows = waterfallRows(spans);
	const [root] = rows;
	if (!root) return "";
	const status = root.span.attributes["holdpoint.run.status"];
	const commits = spans.filter(isCommit).length;
	const facts = [
		dateTime(root.span.start),
		duration(root.ms),
		...(typeof status === "string" ? [status] : []),
		source === "recorded"
			? `recorded as it ran, ${counted(commits, "commit")}`
			: "derived from the journal, without commits",
		`trace ${root.span.traceId}`,
	];
	return `<section aria-label="Segment ${epoch}"><h2>Segment ${epoch}</h2><p>${facts.map(text).join(" · ")}</p>
<ol>
${rows.map((row) => rowPart(row, root.span)).join("\n")}
</ol></section>`;
}

function rowPart({ span, depth, from, to, ms, kind, facts }: WaterfallRow, root: Span): string {
	const after = duration(span.start - root.start);
	const x = Math.min(998, Math.round(from * 1_000));
	const wide = Math.max(2, Math.round((to - from) * 1_000));
	const bar = `<svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="begins after ${after}, takes ${duration(ms)}"><rect class="${kind}" x="${x}" width="${wide}" height="10" rx="2"/></svg>`;
	const said = facts === "" ? "" : `<small>${text(facts)}</small>`;
	return `<li><details><summary><span class="d${Math.min(depth, depthMax)}"><b>${text(span.name)}</b>${said}</span>${bar}<time>${duration(ms)}</time></summary>${attributeList(span, root)}</details></li>`;
}

function attributeList(span: Span, root: Span): string {
	const rows = [
		...Object.entries(span.attributes).map(([name, value]) => pair(name, String(value))),
		...(span.status.message === undefined ? [] : [pair("status", span.status.message)]),
		...span.events.map((event) => pair(`+${duration(event.at - root.start)} ${event.name}`, eventText(event))),
		...span.links.map(({ traceId, spanId }) => pair("link to", `trace ${traceId}, span ${spanId}`)),
		pair("span", span.spanId),
	];
	return `<dl>${rows.join("")}</dl>`;
}

function eventText({ attributes }: SpanEvent): string {
	return Object.entries(attributes)
		.map(([name, value]) => `${name}: ${value}`)
		.join("\n");
}

function pair(name: string, value: string): string {
	return `<div><dt>${text(name)}</dt><dd>${text(value)}</dd></div>`;
}
