import { describe, expect, test } from "vitest";
import type { RunEvent } from "../../spec/events.ts";
import { heldLinesOf } from "./call-text.ts";
import { createStyle } from "./style.ts";
import { widthOf } from "./text-width.ts";
import { Timeline } from "./timeline.ts";

const code = "const a = await tools.look({ n: 1 });\nawait tools.pay({ cents: 900 });\nreturn a;";

const story: RunEvent[] = [
	{
		type: "run.started",
		v: 1,
		lib: "0",
		agent: { name: "shop", digest: "d" },
		tools: {},
		principal: "dana",
		input: "please\npay",
	},
	{
		type: "model.answered",
		model: "acme/large",
		content: [
			{ type: "text", text: "I will." },
			{ type: "tool-call", toolCallId: "m1", toolName: "execute_code", input: JSON.stringify({ code }) },
		],
		finish: "tool-calls",
		usage: { inputTokens: 1_200, outputTokens: 30 },
		ms: 800,
	},
	{ type: "call.decided", call: "c1", verdict: "allow", policy: "p", digest: "x" },
	{ type: "call.started", call: "c1", attempt: 1 },
	{ type: "program.started", call: "c1", provider: "wasm", guest: "g", seed: 1, clock: 0 },
	{ type: "call.asked", call: "c1.1", parent: "c1", tool: "look", args: { n: 1 }, line: 1 },
	{ type: "call.decided", call: "c1.1", verdict: "allow", policy: "p", digest: "x" },
	{ type: "call.started", call: "c1.1", attempt: 1 },
	{ type: "call.finished", call: "c1.1", outcome: { ok: { found: true } }, ms: 12 },
	{ type: "program.delivered", call: "c1", answers: ["c1.1"], clock: 1 },
	{ type: "call.asked", call: "c1.2", parent: "c1", tool: "pay", args: { cents: 900 }, line: 2 },
	{ type: "call.decided", call: "c1.2", verdict: "ask", reason: "too much", policy: "p", digest: "y" },
	{ type: "approval.requested", approval: "apr_9", call: "c1.2", expiresAt: 10_000 },
	{
		type: "program.suspended",
		call: "c1",
		delivered: 1,
		asked: 2,
		snapshot: { digest: "s", bytes: 6_100, provider: "wasm", guest: "g", format: 1 },
	},
	{
		type: "approval.resolved",
		approval: "apr_9",
		call: "c1.2",
		answer: "approve",
		by: { id: "kim", via: "os" },
		at: 90_000,
		signal: "s1",
	},
	{ type: "call.started", call: "c1.2", attempt: 1 },
	{ type: "call.finished", call: "c1.2", outcome: { unknown: "the line was cut" } },
	{ type: "call.settled", call: "c1.2", outcome: { ok: { paid: 900 } }, by: { id: "kim", via: "os" }, signal: "s2" },
	{ type: "program.restored", call: "c1", from: "snapshot" },
	{ type: "program.delivered", call: "c1", answers: ["c1.2"], clock: 2 },
	{ type: "call.finished", call: "c1", outcome: { ok: { value: { found: true } } }, ms: 95 },
	{ type: "run.finished", status: "completed", output: "done" },
];

function lines(events: readonly RunEvent[], width = 100, at = (index: number) => index * 10): string[] {
	const timeline = new Timeline({
		run: "run_1",
		style: createStyle(false),
		width,
		heldLines: heldLinesOf(events.map((event) => ({ event }))),
	});
	return events.flatMap((event, index) => timeline.lines(at(index), event));
}

describe("the timeline", () => {
	test("tells the run in the order of its journal", () => {
		const text = lines(story).join("\n");
		const parts = [
			"asked  agent shop · for dana",
			"│ please",
			"acme/large · 800 ms · 1,200 tokens in, 30 out",
			"│ I will.",
			"program c1",
			"▶ 2 │ await tools.pay({ cents: 900 });",
			"✓ look {n: 1} → {found: true}  12 ms",
			"‖ held  pay {cents: 900} · line 2",
			"too much · apr_9",
			"■ frozen at line 2  6.1 KB",
			"✓ approved by kim (os)",
			"? pay {cents: 900}",
			"nobody knows whether it happened: the line was cut",
			"c1.2 is settled by kim",
			"{paid: 900}",
			"▶ goes on at line 2  from its snapshot",
			"✓ program c1 → {value: {found: true}}  95 ms",
			"✓ completed  1 model answer · 2 calls · 1,230 tokens",
		];
		let from = 0;
		for (const part of parts) {
			const found = text.indexOf(part, from);
			expect(found, `${part} after ${text.slice(0, from)}`).toBeGreaterThanOrEqual(from);
			from = found + part.length;
		}
	});

	test("shows a long silence as one", () => {
		const text = lines(story, 100, (index) => (index < 14 ? index : 7_200_000 + index)).join("\n");
		expect(text.match(/⋮ 2 h\n.*approved by kim/)).not.toBeNull();
	});

	test("goes on with a run of which it saw the beginning only later", () => {
		const timeline = new Timeline({ run: "run_1", style: createStyle(false), width: 100 });
		timeline.past(story.slice(0, 14).map((event) => ({ event })));
		const text = story
			.slice(14)
			.flatMap((event) => timeline.lines(0, event))
			.join("\n");
		expect(text).toContain("pay {cents: 900}");
		expect(text).not.toContain("look");
	});

	test("says who denied and why, what was changed, and what was refused", () => {
		const events: RunEvent[] = [
			...story.slice(0, 14),
			{
				type: "approval.refused",
				approval: "apr_9",
				by: "mallory",
				why: "it was given for other arguments",
				signal: "s0",
			},
			{
				type: "approval.resolved",
				approval: "apr_9",
				call: "c1.2",
				answer: "edit",
				by: { id: "kim", via: "os" },
				at: 1,
				args: { cents: 5 },
				signal: "s1",
			},
			{ type: "call.finished", call: "c1.2", outcome: { denied: "no budget", by: "policy" } },
		];
		const text = lines(events).join("\n");
		expect(text).toContain("the answer of mallory was refused");
		expect(text).toContain("it was given for other arguments");
		expect(text).toContain("changed and approved by kim (os)");
		expect(text).toContain("with {cents: 5}");
		expect(text).toContain("denied by policy: no budget");
	});

	test("shows a program that was refused before it ran", () => {
		const events: RunEvent[] = [
			...story.slice(0, 4),
			{ type: "call.finished", call: "c1", outcome: { failed: "line 1: no such tool", code: "program.invalid" } },
		];
		const text = lines(events).join("\n");
		expect(text).toContain("✗ program c1");
		expect(text).toContain("2 │ await tools.pay({ cents: 900 });");
		expect(text).toContain("no such tool");
	});

	test("nothing that models, tools or people wrote reaches the terminal raw, nor leaves the width", () => {
		const evil = `\u001b[2J\u001b]0;x\u0007\u202e\r${"w".repeat(300)}`;
		const hostile = JSON.parse(JSON.stringify(story), (key, value: unknown) =>
			typeof value === "string" && ["input", "text", "reason", "principal", "unknown", "tool"].includes(key)
				? evil
				: value,
		) as RunEvent[];
		for (const width of [70, 60, 44]) {
			const found = lines(hostile, width);
			expect(found.length).toBeGreaterThan(20);
			for (const line of [...found, ...lines(story, width)]) {
				expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
				expect(widthOf(line), line).toBeLessThanOrEqual(width);
			}
		}
	});

	test("a tool keeps its whole name on a narrow terminal", () => {
		const named = JSON.parse(JSON.stringify(story).replaceAll('"look"', '"look_at_orders"')) as RunEvent[];
		expect(lines(named, 44).join("\n")).toContain("✓ look_at_orders");
	});

	test("a call without a result shows its arguments as far as the line goes", () => {
		const args = { orderId: "O-4001", amountCents: 9_674, reason: "broken" };
		const events = story.map((event) =>
			event.type === "call.asked" && event.call === "c1.2"
				? { ...event, args }
				: event.type === "call.finished" && event.call === "c1.2"
					? { ...event, outcome: { denied: "no" } }
					: event,
		);
		expect(lines(events).join("\n")).toContain('⊘ pay {orderId: "O-4001", amountCents: 9674, reason: "broken"}');
	});
});
