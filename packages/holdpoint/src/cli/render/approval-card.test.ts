import { describe, expect, test } from "vitest";
import type { OpenApproval } from "../../run/inbox.ts";
import type { RehearsalView } from "../../run/rehearsal-view.ts";
import { approvalCard, doneSoFar } from "./approval-card.ts";
import { createStyle } from "./style.ts";
import { widthOf } from "./text-width.ts";

const held: OpenApproval = {
	approval: "apr_1",
	run: "run_1",
	agent: "shop",
	principal: "dana",
	call: "c1.2",
	tool: "refund_order",
	args: { orderId: "O-1", amountCents: 9674 },
	reason: "above the limit",
	ask: { count: 1 },
	requestedAt: 1_000,
	expiresAt: 3_601_000,
	digest: "d",
	answeredBy: [],
	unread: [],
	program: {
		call: "c1",
		line: 3,
		source: "const a = 1;\nconst b = 2;\nawait tools.refund_order({ orderId });\nreturn a;",
		done: [
			{ tool: "get_order", args: {}, outcome: "ok" },
			{ tool: "get_order", args: {}, outcome: "ok" },
			{ tool: "refund_order", args: {}, outcome: "open" },
		],
	},
};

const commands = {
	approve: "holdpoint approve apr_1",
	deny: "holdpoint deny apr_1",
	resume: "holdpoint resume run_1",
	rehearse: "holdpoint rehearse apr_1",
};

function card(approval: OpenApproval, width = 80): string[] {
	return approvalCard(approval, { style: createStyle(false), width, now: 61_000, commands });
}

describe("the card of a held call", () => {
	test("says what, why, for whom, where in the program, what was done, and how to answer", () => {
		const text = card(held).join("\n");
		for (const part of [
			"refund_order is held",
			"amountCents  9674",
			"above the limit",
			"one person must say yes; asked 1 min ago, expires in 59 min",
			"dana, by agent shop, run run_1",
			"▶ 3 │ await tools.refund_order({ orderId });",
			"get_order\u00a0✓×2 · refund_order\u00a0‖",
			commands.approve,
			commands.deny,
		]) {
			expect(text).toContain(part);
		}
	});

	test("names roles, and who has answered", () => {
		const text = card({
			...held,
			ask: { roles: ["manager", "finance"], count: 1 },
			answeredBy: [{ id: "kim", via: "os" }],
		}).join("\n");
		expect(text).toContain("1 manager, 1 finance must say yes");
		expect(text).toContain("kim (os)");
	});

	test("of a program that holds several calls shows it once, with all of their lines", () => {
		const options = { style: createStyle(false), width: 80, now: 61_000, commands };
		const first = approvalCard(held, { ...options, shared: { lines: [3, 1], isShown: false } }).join("\n");
		expect(first).toContain("line 3 of a program (c1) asks for it; every line of a held call is marked:");
		expect(first).toContain("▶ 1 │ const a = 1;");
		expect(first).toContain("▶ 3 │ await tools");
		const second = approvalCard(held, { ...options, shared: { lines: [3, 1], isShown: true } }).join("\n");
		expect(second).toContain("line 3 of the program above (c1) asks for it");
		expect(second).not.toContain("const a");
		expect(second).toContain(commands.approve);
	});

	const row = { version: "1", line: 3, verdict: "ask", approvedBy: [], isSpent: false, isHeld: false } as const;
	const rehearsal: RehearsalView = {
		digest: "-begins-with-a-dash",
		rows: [
			{ ...row, tool: "refund_order", args: { orderId: "O-1" }, reason: "above the limit", isHeld: true },
			{ ...row, tool: "drop_customer", args: {}, reason: "it cannot be undone" },
		],
		totals: [],
		reads: 0,
		end: "returned",
	};

	test("offers to find out what else its program would do, until that is known", () => {
		expect(card(held).join("\n")).toContain(commands.rehearse);
		expect(card({ ...held, rehearsal }).join("\n")).not.toContain(commands.rehearse);
		const { program: _, ...direct } = held;
		expect(card(direct).join("\n")).not.toContain(commands.rehearse);
	});

	test("with a rehearsal says why a row is asked about where that is another reason, and how all of it is answered", () => {
		const text = card({ ...held, rehearsal }).join("\n");
		expect(text.match(/above the limit/g)).toHaveLength(1);
		expect(text).toMatch(/2 +drop_customer \{\}\n│ +it cannot be undone/);
		expect(text).toContain(`${commands.approve} --rows all --seen=-begins-`);
		expect(text).toContain(`${commands.deny} --rows all --seen=-begins-`);
	});

	test("of a program that is shown above shows no list again", () => {
		const options = { style: createStyle(false), width: 80, now: 61_000, commands };
		const second = approvalCard({ ...held, rehearsal }, { ...options, shared: { lines: [3, 3], isShown: true } });
		expect(second.join("\n")).toContain("row 1 of what the program above would do");
		expect(second.join("\n")).not.toContain("drop_customer");
	});

	test("that was answered says how to go on", () => {
		const text = card({ ...held, unread: [{ by: { id: "kim", via: "os" }, answer: "deny" }] }).join("\n");
		expect(text).toContain(commands.resume);
		expect(text).not.toContain(commands.approve);
	});

	test("keeps to the width, and cannot be drawn over by what is held", () => {
		const hostile = "\u001b[5A\u001b[2Kamount 1.00\r";
		const lines = card(
			{ ...held, tool: `refund${hostile}`, reason: hostile.repeat(30), args: { orderId: hostile, amountCents: 1 } },
			60,
		);
		const commandsOf = /holdpoint/;
		for (const line of lines) {
			expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
			if (!commandsOf.test(line)) expect(widthOf(line)).toBeLessThanOrEqual(60);
		}
	});

	test("counts what was done by tool and outcome", () => {
		expect(
			doneSoFar([
				{ tool: "a", args: {}, outcome: "failed" },
				{ tool: "a", args: {}, outcome: "denied" },
				{ tool: "a", args: {}, outcome: "unknown" },
			]),
		).toBe("a\u00a0✗ · a\u00a0⊘ · a\u00a0?");
	});
});
