import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sizeOf } from "../kit/text-size.ts";
import type { ModelMessage } from "../spec/model.ts";
import { headMessage } from "./head.ts";
import { isCut, type Plan, planCompaction, type Room } from "./plan-compaction.ts";
import { cutText, outputText, shownMessage } from "./shown-message.ts";
import { usableSummary } from "./summary.ts";
import { extendView, messageTokens, newView, type View, wholeFrame } from "./view.ts";
import { inputBudget, windowOf } from "./windows.ts";

/** One thing that happens in a conversation. */
type Turn = (
	| { readonly user: number }
	| { readonly text: number }
	| { readonly calls: readonly number[]; readonly thought?: number; readonly args?: number }
) & { readonly isChinese?: boolean };

const size = fc.oneof(
	{ weight: 6, arbitrary: fc.integer({ min: 1, max: 2_000 }) },
	fc.integer({ min: 1, max: 60_000 }),
);
const turn: fc.Arbitrary<Turn> = fc.oneof(
	fc.record({ user: size, isChinese: fc.boolean() }),
	fc.record({ text: size }),
	fc.record({ calls: fc.array(size, { minLength: 1, maxLength: 4 }), isChinese: fc.boolean() }),
	fc.record({ calls: fc.array(size, { minLength: 1, maxLength: 2 }), thought: size, args: size }),
);

function messagesOf(turns: readonly Turn[]): ModelMessage[] {
	let calls = 0;
	return turns.flatMap((one, at): ModelMessage[] => {
		const sign = one.isChinese ? "去" : "r";
		if ("user" in one)
			return [{ role: "user", content: [{ type: "text", text: `user ${at} ${sign.repeat(one.user)}` }] }];
		if ("text" in one) return [{ role: "assistant", content: [{ type: "text", text: "a".repeat(one.text) }] }];
		const ids = one.calls.map(() => `call${++calls}`);
		const { thought = 0, args = 0 } = one;
		const input = (id: string) => ({ of: id, ...(args > 0 ? { plan: "p".repeat(args), steps: [args] } : {}) });
		return [
			{
				role: "assistant",
				content: [
					...(thought > 0 ? [{ type: "reasoning" as const, text: "t".repeat(thought) }] : []),
					...ids.map((id) => ({ type: "tool-call" as const, toolCallId: id, toolName: "t", input: input(id) })),
				],
			},
			{
				role: "tool",
				content: ids.map((id, n) => ({
					type: "tool-result",
					toolCallId: id,
					toolName: "t",
					output: { type: "text", value: sign.repeat(one.calls[n] ?? 0) },
				})),
			},
		];
	});
}

const request = "the very first request";
const summary = "what happened was this and that. ".repeat(400);

const longWords = `the last words ${"w".repeat(60_000)}`;

/** Plays a conversation as a run does: whenever the model is asked, what is shown is made to fit. */
function play(said: readonly ModelMessage[], room: Room, words = longWords) {
	let view = newView(wholeFrame(4_000));
	const shown: { readonly messages: readonly ModelMessage[]; readonly plans: readonly Plan[] }[] = [];
	for (let end = 1; end <= said.length; end++) {
		// A model is asked when no result is missing.
		if (said[end]?.role === "tool") continue;
		const made = madeToFit(view, said.slice(0, end), { room, words });
		view = made.view;
		shown.push({ messages: [...view.messages], plans: made.plans });
	}
	return { view, shown };
}

interface Fitting {
	readonly room: Room;
	/** What the user said last, and what is open. */
	readonly words: string;
}

function madeToFit(start: View, said: readonly ModelMessage[], { room, words }: Fitting) {
	const plans: Plan[] = [];
	let view = start;
	for (;;) {
		extendView(view, said);
		const plan = planCompaction(view, said, room);
		if (plan) plans.push(plan);
		if (!plan || plan.how === "hopeless" || plans.length > 5) return { view, plans };
		view = after(view, plan, words);
	}
}

function after(view: View, plan: Exclude<Plan, { how: "hopeless" }>, words: string): View {
	if (plan.how === "clear") return newView({ ...view, clearedTo: plan.clearedTo });
	const { from, clearedTo, cut, partTokensMax } = plan;
	const head =
		from === 0
			? undefined
			: headMessage({
					request,
					latest: words,
					summary,
					folded: from,
					open: [words],
					partTokensMax,
				});
	return newView({ ...view, head, from, clearedTo, cut });
}

function partIds({ role, content }: ModelMessage, type: string): string[] {
	if (role === "system") return [];
	return content.flatMap((part) => (part.type === type && "toolCallId" in part ? String(part.toolCallId) : []));
}

const rooms: fc.Arbitrary<Room> = fc.record({
	budget: fc.integer({ min: 800, max: 20_000 }),
	fixed: fc.integer({ min: 0, max: 300 }),
	ratio: fc.double({ min: 0.5, max: 3, noNaN: true }),
	compactAt: fc.constantFrom(0.5, 0.8, 1),
});
const conversations = fc.array(turn, { minLength: 1, maxLength: 60 });

test("a call and its result are both shown or both folded, and what is shown fits", () => {
	fc.assert(
		fc.property(conversations, rooms, (turns, room) => {
			for (const { messages, plans } of play(messagesOf(turns), room).shown) {
				const idsOf = (type: string) => new Set(messages.flatMap((message) => partIds(message, type)));
				expect(idsOf("tool-result")).toEqual(idsOf("tool-call"));
				if (plans.some(({ how }) => how === "hopeless")) continue;
				const tokens = (room.fixed + messages.reduce((sum, one) => sum + messageTokens(one), 0)) * room.ratio;
				expect(tokens).toBeLessThan(room.budget * room.compactAt);
			}
		}),
		{ numRuns: 300 },
	);
});

test("nothing is hopeless where there is room for 600 tokens", () => {
	fc.assert(
		fc.property(conversations, rooms, (turns, room) => {
			const available = (room.budget * room.compactAt) / room.ratio - room.fixed;
			// A turn of four large results, each with the word on how to read the rest.
			fc.pre(available > 600);
			for (const { plans } of play(messagesOf(turns), room).shown) {
				expect(plans.map(({ how }) => how)).not.toContain("hopeless");
				// One makes room for many turns: not one after the other.
				expect(plans.length).toBeLessThanOrEqual(3);
			}
		}),
		{ numRuns: 300 },
	);
});

test("the same conversation is compacted to the same bytes, and what is compacted stays as it is", () => {
	fc.assert(
		fc.property(conversations, rooms, (turns, room) => {
			const said = messagesOf(turns);
			const once = play(said, room);
			expect(JSON.stringify(play(structuredClone(said), room).shown)).toBe(JSON.stringify(once.shown));
			const again = planCompaction(once.view, said, room);
			expect(again === undefined || again.how === "hopeless").toBe(true);
		}),
		{ numRuns: 150 },
	);
});

test("between two compactions what is shown only grows", () => {
	fc.assert(
		fc.property(conversations, rooms, (turns, room) => {
			const { shown } = play(messagesOf(turns), room);
			for (const [at, { messages, plans }] of shown.entries()) {
				const before = shown[at - 1];
				if (!before || plans.length > 0) continue;
				expect(JSON.stringify(messages.slice(0, before.messages.length))).toBe(JSON.stringify(before.messages));
			}
		}),
		{ numRuns: 150 },
	);
});

test("whatever was folded, the first request stands at the beginning", () => {
	fc.assert(
		fc.property(conversations, rooms, (turns, room) => {
			const said = messagesOf([{ user: 1 }, ...turns]);
			for (const { messages } of play(said, room).shown) {
				const [first] = messages;
				const text = JSON.stringify(first);
				expect(first?.role).toBe("user");
				expect(text.includes(request) || text.includes("user 0")).toBe(true);
			}
		}),
		{ numRuns: 150 },
	);
});

test("a text that is cut says how much is missing, and no sign is torn apart", () => {
	fc.assert(
		fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.integer({ min: 0, max: 100 }), (text, charsMax) => {
			const cut = cutText(text, charsMax);
			if (sizeOf(text) <= charsMax) {
				expect(cut).toBe(text);
				return;
			}
			const match = /^([\s\S]*)\n\[… (\d+) characters are left out here …\]\n([\s\S]*)$/.exec(cut);
			const [, head = "", left = "", tail = ""] = match ?? [];
			expect(text.startsWith(head)).toBe(true);
			expect(text.endsWith(tail)).toBe(true);
			expect(head.length + Number(left) + tail.length).toBe(text.length);
			if (text.isWellFormed()) expect(cut.isWellFormed()).toBe(true);
		}),
	);
});

test("short results are not cleared, failures stay failures, and what fits stays the same object", () => {
	const part = (value: string, type: "text" | "error-text" = "text") =>
		({ type: "tool-result", toolCallId: "c1", toolName: "t", output: { type, value } }) as const;
	const small: ModelMessage = { role: "tool", content: [part("ok")] };
	const bounds = { isCleared: true, resultTokensMax: 100, textTokensMax: undefined };
	expect(shownMessage(small, bounds)).toBe(small);
	const failed: ModelMessage = { role: "tool", content: [part("e".repeat(1_000), "error-text")] };
	expect(shownMessage(failed, { ...bounds, isCleared: false })).toMatchObject({
		content: [{ output: { type: "error-text" } }],
	});
	const json = {
		type: "tool-result",
		toolCallId: "c",
		toolName: "t",
		output: { type: "json", value: { a: 1 } },
	} as const;
	expect(outputText(json)).toBe('{"a":1}');
});

test("a cut is never before a result", () => {
	const said = messagesOf([{ calls: [1, 1] }, { user: 1 }]);
	expect(said.map((_, place) => isCut(said, place))).toEqual([true, false, true]);
});

test("windows of well-known models, by the longest name that fits", () => {
	expect([windowOf("claude-x"), windowOf("gpt-4"), windowOf("gpt-4o-mini"), windowOf("openai/gpt-4.1-nano")]).toEqual([
		200_000, 8_192, 128_000, 1_047_576,
	]);
	const small = [
		"o1-mini",
		"o1-preview-2024-09-12",
		"gpt-5-chat-latest",
		"claude-2.0",
		"gemini-1.0-pro",
		"mistral-tiny",
	];
	expect(small.map(windowOf)).toEqual([128_000, 128_000, 128_000, 100_000, 32_760, 32_000]);
	expect(["o1", "gpt-5", "claude-2.1", "gpt-3.5-turbo-instruct"].map(windowOf)).toEqual([
		200_000, 400_000, 200_000, 4_096,
	]);
	expect(windowOf("nobody-knows")).toBe(128_000);
	expect(inputBudget(8_000, undefined)).toBe(6_000);
	expect(inputBudget(200_000, undefined)).toBe(183_616);
	expect(inputBudget(8_000, 1_000)).toBe(7_000);
	expect([
		inputBudget(8_000, 1_000, 500),
		inputBudget(8_000, 1_000, 3_000),
		inputBudget(8_000, undefined, 9_000),
	]).toEqual([7_000, 5_000, 2_000]);
});

test("a summary is words, and no more of them than were asked for", () => {
	expect(usableSummary("  ok  ", 100)).toBeUndefined();
	expect(usableSummary("█".repeat(1_000), 100)).toBeUndefined();
	expect(usableSummary("Refunded order 7.", 100)).toBe("Refunded order 7.");
	expect(usableSummary("three words here ".repeat(100), 50)?.length).toBeLessThan(300);
});

describe("in a small room", () => {
	const room: Room = { budget: 2_000, fixed: 1_000, ratio: 1, compactAt: 0.8 };
	const lookups = (count: number, chars: number) => Array.from({ length: count }, (): Turn => ({ calls: [chars] }));

	test("one large result is shown in part, and later ones as they are", () => {
		const { shown } = play(messagesOf([{ user: 10 }, { calls: [40_000] }, ...lookups(3, 600)]), room, "do it");
		const last = shown.map(({ messages }) => JSON.stringify(messages.at(-1)));
		expect(last.map((text) => text.includes("left out here"))).toEqual([false, true, false, false, false]);
	});

	test("arguments keep their fields, a thought is whole or left out, and words stand for what does not fit at all", () => {
		const plan = "p".repeat(8_000);
		const said: ModelMessage[] = [
			{
				role: "assistant",
				content: [
					{ type: "reasoning", text: "t".repeat(8_000) },
					{ type: "reasoning", text: "short", providerOptions: { maker: { signature: "s".repeat(800) } } },
					{ type: "tool-call", toolCallId: "c1", toolName: "t", input: { mode: "execute", plan } },
					{ type: "tool-call", toolCallId: "c2", toolName: "t", input: Array.from({ length: 900 }, (_, n) => n) },
				],
			},
		];
		const [message] = said;
		const bounds = { isCleared: false, resultTokensMax: 100, textTokensMax: 100 };
		const shown = message && shownMessage(message, bounds);
		expect(shown?.content).toEqual([
			{ type: "reasoning", text: "short", providerOptions: { maker: { signature: "s".repeat(800) } } },
			{
				type: "tool-call",
				toolCallId: "c1",
				toolName: "t",
				input: {
					mode: "execute",
					plan: expect.stringMatching(/^p{280}\n\[… 7600 characters are left out here …\]\np{120}$/),
				},
			},
			{ type: "tool-call", toolCallId: "c2", toolName: "t", input: { leftOut: expect.stringMatching(/^\[0,1,2,/) } },
		]);
		const thought: ModelMessage = { role: "assistant", content: [{ type: "reasoning", text: "t".repeat(800) }] };
		expect(shownMessage(thought, bounds).content).toEqual([{ type: "text", text: "[A thought is left out here.]" }]);

		const results = messagesOf([{ user: 10 }, { calls: Array.from({ length: 12 }, () => 400) }]);
		const last = JSON.stringify(play(results, { ...room, budget: 1_850 }).view.messages.at(-1));
		expect(last.match(/\[101 tokens: read_result/g)).toHaveLength(12);
	});

	test("old results are cleared also where instructions and tools take most of it", () => {
		const { shown } = play(messagesOf([{ user: 10 }, ...lookups(12, 500)]), room);
		expect(shown.flatMap(({ plans }) => plans)[0]?.how).toBe("clear");
	});
});

test("no result is cleared that the model has not read yet", () => {
	fc.assert(
		fc.property(conversations, rooms, (turns, room) => {
			for (const { messages } of play(messagesOf(turns), room).shown) {
				const last = messages.at(-1);
				if (last?.role === "tool") expect(JSON.stringify(last)).not.toContain("[Cleared to save room");
			}
		}),
		{ numRuns: 300 },
	);
});

test("what a head's other parts leave is for the user's own words, the first before the last", () => {
	const parts = { folded: 4, partTokensMax: 100, open: [] };
	const words = (chars: number) => "w".repeat(chars);
	const textsOf = (head: Parameters<typeof headMessage>[0]) => {
		const { content } = headMessage(head);
		return Array.isArray(content) ? content.map((part) => (part.type === "text" ? part.text : "")) : [];
	};
	const [request] = textsOf({ ...parts, request: words(1_200), latest: undefined, summary: words(400) });
	expect(request).toBe(words(1_200));
	const [first, , latest] = textsOf({ ...parts, request: words(600), latest: words(600), summary: words(2_000) });
	expect(first).toBe(words(600));
	expect(latest).toBe(`[The user's last words]\n${words(600)}`);
	const long = textsOf({
		...parts,
		request: words(9_000),
		latest: words(9_000),
		summary: words(9_000),
		open: [words(9_000)],
	});
	for (const text of long) expect(text).toContain("characters are left out here");
	expect(long.join("").length).toBeLessThan(4 * 400 + 60 * 4 + 4 * 50);
});
