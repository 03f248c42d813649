import { describe, expect, test } from "vitest";
import type { Span } from "../../spec/trace.ts";
import { createStyle } from "./style.ts";
import { widthOf } from "./text-width.ts";
import { waterfallLines, waterfallRows } from "./waterfall.ts";

const plain = { kind: "internal", status: { code: "unset" }, events: [], links: [], traceId: "t" } as const;
let spans: Span[] = [];

/** Each stands under the one before it of a smaller depth. */
function span(depth: number, name: string, attributes: Span["attributes"] = {}): void {
	const parentSpanId = depth === 0 ? {} : { parentSpanId: `d${depth - 1}` };
	spans.push({
		...plain,
		spanId: `d${depth}`,
		...parentSpanId,
		name,
		start: spans.length,
		end: 20,
		attributes,
	} as Span);
}

function linesAt(width: number): string[] {
	const lines = waterfallLines(waterfallRows(spans), { style: createStyle(false), width });
	for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
	return lines;
}

function held(): void {
	spans = [];
	span(0, "invoke_agent shop");
	span(1, "execute_tool execute_code", { "holdpoint.call.id": "c1", "holdpoint.unfinished": true });
	span(2, "execute_tool refund_order", { "holdpoint.call.id": "c1.8" });
	span(2, "holdpoint.approval refund_order", {
		"holdpoint.call.id": "c1.9",
		"holdpoint.approval.outcome": "open",
		"holdpoint.unfinished": true,
	});
	span(2, "holdpoint.approval send_message_to_customer", {
		"holdpoint.call.id": "c1.10",
		"holdpoint.approval.outcome": "approve",
		"holdpoint.approval.waited_s": 5_400,
	});
}

describe("a waterfall", () => {
	test.each([80, 100, 120])("at %i columns says of each call which it is and what it came to", (width) => {
		held();
		const text = linesAt(width).join("\n");
		for (const what of ["c1 · not over", "refund_order  waits · c1.9", "approve · c1.10"]) expect(text).toContain(what);
		// What waits is not over: that needs no word of its own.
		expect(text).not.toContain("c1.9 · not over");
	});

	test("where names do not fit, words of the conventions go, and then the end of the name", () => {
		held();
		expect(linesAt(160)[3]).toMatch(/^ {4}holdpoint\.approval refund_order {2}waits · c1\.9 /);
		const narrow = linesAt(80);
		expect(narrow[2]).toMatch(/^ {4}refund_order {2}c1\.8 /);
		expect(narrow[3]).toMatch(/^ {4}approval refund_order {2}waits · c1\.9 /);
		expect(narrow[4]).toMatch(/^ {4}approval send_mes… {2}approve · c1\.10 · after…/);
		expect(linesAt(160)[4]).toContain("approve · c1.10 · after 1 h 30 min");
		expect(linesAt(40)[3]).toMatch(/^ {4}approval refund_o/);
	});

	test("short labels leave their room to the bars", () => {
		spans = [];
		span(0, "invoke_agent a");
		span(1, "chat m", { "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 4_439 });
		const [root = "", chat = ""] = linesAt(80);
		expect(chat).toMatch(/^ {2}chat m {2}4,439 tokens in/);
		expect(root).toMatch(/█{30,}/);
	});
});
