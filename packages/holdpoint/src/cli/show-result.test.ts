import { expect, test } from "vitest";
import type { OpenApproval } from "../run/inbox.ts";
import type { Invocation } from "./command.ts";
import { createStyle } from "./render/style.ts";
import { cardsOf } from "./show-result.ts";

function held(run: string, line: number, isInProgram = true): OpenApproval {
	const source = "first();\nsecond();\nthird();";
	const about = { approval: `apr_${line}`, call: `c1.${line}`, tool: "pay", args: {}, reason: "", ask: {}, digest: "" };
	return {
		...about,
		run,
		agent: "a",
		principal: "p",
		requestedAt: 0,
		expiresAt: 1,
		answeredBy: [],
		unread: [],
		...(isInProgram ? { program: { call: "c1", line, source, done: [] } } : {}),
	};
}

test("a program is shown once for all of its held calls, and each run's by itself", () => {
	const terminal = { style: createStyle(false), width: 80 };
	const invocation = { host: { command: "holdpoint" }, options: {}, terminal } as unknown as Invocation;
	const all = [held("run_1", 1), held("run_1", 3), held("run_2", 2), held("run_3", 1, false)];
	const cards = cardsOf(invocation, all).map((lines) => lines.join("\n"));
	expect(cards.map((card) => card.includes("second();"))).toEqual([true, false, true, false]);
	expect(cards[0]).toMatch(/▶ 1 │ first[\s\S]*▶ 3 │ third/);
	expect(cards[1]).toContain("line 3 of the program above (c1)");
	expect(cards[2]).toContain("line 2 of a program (c1) asks for it:");
});
