import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { consoleCutNote, thrownCharsMax } from "./guest.ts";
import {
	deliveryMessage,
	type GuestFacts,
	lineCount,
	readOutbox as read,
	startMessage,
	stoppedOutbox,
} from "./guest-messages.ts";
import { defaultProgramLimits, type ProgramLimits } from "./limits.ts";
import type { ProgramSpec } from "./sandbox.ts";

const program: ProgramSpec = {
	source: "return 1",
	tools: ["search", 'q"uoted\\', "ünï"],
	seed: 1,
	clockMs: 0,
	limits: { ...defaultProgramLimits, valueBytesMax: 20, callsMax: 50 },
	principal: "p",
};

function thrown(change: object): string {
	return `t ${JSON.stringify({ name: "E", message: "m", stack: "", ...change })}`;
}

/** A guest that has asked for two calls, and has an answer to one of them. */
const begun: GuestFacts = { asked: 2, open: 1, lines: 12 };
const readOutbox = (text: string, spec: ProgramSpec = program) => read(text, spec, begun);

afterEach(() => vi.restoreAllMocks());

describe("readOutbox", () => {
	test("reads calls, console and the state", () => {
		const text =
			'c "one\\ntwo"\na 3 12 "search" {"q":"\u2028"}\na 4 0 "q\\"uoted\\\\" null\na 5 0 "search" \nc "three"\no';
		expect(readOutbox(text)).toEqual({
			asks: [
				{ n: 3, tool: "search", args: '{"q":"\u2028"}', line: 12 },
				{ n: 4, tool: 'q"uoted\\', args: "null", line: 0 },
				{ n: 5, tool: "search", args: "", line: 0 },
			],
			console: "one\ntwo\nthree\n",
			state: { kind: "open" },
		});
	});

	test.each([
		["a tool that was not granted", 'a 3 1 "pay" null\no'],
		["a number that was asked before", 'a 2 1 "search" null\no'],
		["a number twice", 'a 3 1 "search" null\na 3 1 "search" null\no'],
		["a number left out", 'a 3 1 "search" null\na 5 1 "search" null\no'],
		["a number that is none", 'a -1 1 "search" null\no'],
		["another way to write a number", 'a 03.0 1 "search" null\no'],
		["a line that is none", 'a 3 x "search" null\no'],
		["no place for arguments", 'a 3 1 "search"\no'],
		["an unknown line", "z 1\no"],
		["console text that is no string", "c {}\no"],
		["no state", 'c "x"'],
		["an unknown state", "x"],
		["a stop of a limit that the guest cannot know", 's fault "x"'],
		["a thrown error without a message", 't {"name":"x"}'],
		["a thrown error that is none", "t null"],
		["a thrown error that is told at too great length", thrown({ message: "x".repeat(4_001) })],
		["a name that is told at too great length", thrown({ name: "x".repeat(4_001) })],
		["a stack that is told at too great length", thrown({ stack: "x".repeat(4_001) })],
		["a stop that is told at too great length", `s calls ${JSON.stringify("x".repeat(4_001))}`],
		["nothing", ""],
	])("refuses %s", (_, text) => {
		expect(() => readOutbox(text)).toThrow();
	});

	test("I8: refuses more calls than the program may make, and more than it may have open", () => {
		const line = (n: number) => `a ${n} 1 "search" null\n`;
		const limited = (limits: Partial<ProgramLimits>) => ({ ...program, limits: { ...program.limits, ...limits } });
		const two = `${line(3)}${line(4)}o`;
		expect(readOutbox(two, limited({ callsMax: 4 })).asks).toHaveLength(2);
		expect(() => readOutbox(two, limited({ callsMax: 3 }))).toThrow();
		expect(readOutbox(two, limited({ openCallsMax: 3 })).asks).toHaveLength(2);
		expect(() => readOutbox(two, limited({ openCallsMax: 2 }))).toThrow("3 calls open");
		expect(() => readOutbox(`${line(3)}${line(4)}r 1`, limited({ openCallsMax: 2 }))).toThrow("3 calls open");
	});

	test("refuses a guest that waits for nothing", () => {
		expect(() => read("o", program, { ...begun, open: 0 })).toThrow("no call of it is open");
		expect(read("r 1", program, { ...begun, open: 0 }).state.kind).toBe("returned");
	});

	test.each([
		["a", 1],
		["a\nb\rc\r\nd\u2028e\u2029f", 6],
		["\n", 2],
	])("%j has as many lines as JavaScript sees", (source, lines) => {
		expect(lineCount(source)).toBe(lines);
	});

	test("any text gives values within the limits, or throws", () => {
		const word = fc.constantFrom(
			"a ",
			"c ",
			"r ",
			"t ",
			"s ",
			"o",
			"1 ",
			"3 ",
			"4 ",
			"99 ",
			'"search" ',
			'"pay" ',
			"null",
			"{}",
			"\n",
			'"',
		);
		const texts = fc.oneof(
			fc.array(fc.oneof(word, fc.string({ maxLength: 5 })), { maxLength: 20 }).map((parts) => parts.join("")),
			fc.string(),
		);
		fc.assert(
			fc.property(texts, (text) => {
				let outbox: ReturnType<typeof readOutbox>;
				try {
					outbox = readOutbox(text);
				} catch {
					return;
				}
				expect(outbox.asks.map(({ n }) => n)).toEqual(outbox.asks.map((_, i) => i + 3));
				for (const ask of outbox.asks) {
					expect(["search", 'q"uoted\\', "ünï", "$search", "$describe"]).toContain(ask.tool);
					expect(ask.line).toBeLessThanOrEqual(12);
					expect(Buffer.byteLength(ask.args)).toBeLessThan(20);
				}
				if (outbox.state.kind === "returned") expect(Buffer.byteLength(outbox.state.value)).toBeLessThan(20);
			}),
			{ numRuns: 2_000 },
		);
	});

	test("a text of millions of lines is given up at the first that is none", () => {
		const endless = "\n".repeat(8_000_000);
		const indexOf = vi.spyOn(String.prototype, "indexOf");
		expect(() => readOutbox(endless)).toThrow("a line that its prelude does not write");
		expect(stoppedOutbox("fault", endless, program.limits).console).toBe("");
		// That is how the end of a line is found.
		const lines = indexOf.mock.calls.filter(([sought]) => sought === "\n").length;
		expect(lines).toBeLessThan(10);
	});

	test("sizes count in bytes, below the limit and at it", () => {
		const state = (value: string) => readOutbox(`r ${value}`).state.kind;
		for (const character of ["x", "é", "€", "😀"]) {
			// With its two quotes it has fewer bytes than the limit of 20; filled up, it has as many.
			const fitting = character.repeat(Math.floor(17 / Buffer.byteLength(character)));
			const room = 18 - Buffer.byteLength(fitting);
			expect(state(`"${fitting}"`)).toBe("returned");
			expect(state(`"${fitting}${"x".repeat(room - 1)}"`)).toBe("returned");
			expect(state(`"${fitting}${"x".repeat(room)}"`)).toBe("stopped");
		}
		expect(readOutbox(`a 3 1 "search" "${"€".repeat(7)}"\no`)).toMatchObject({
			asks: [],
			state: { kind: "stopped", limit: "value" },
		});
	});

	test("an engine that ran out of memory is a stop, not an error of the program", () => {
		const text = 't {"name":"InternalError","message":"out of memory","stack":""}';
		expect(readOutbox(text).state).toMatchObject({ kind: "stopped", limit: "memory" });
	});

	test("the place of an error is that of the program's own text", () => {
		const stack = "    at f (native)\n    at g (<input>:1:21)\n    at <input>:7:3\n    at run (prelude:5:1)\n";
		const text = `t ${JSON.stringify({ name: "E", message: "m", stack })}`;
		expect(readOutbox(text).state).toEqual({
			kind: "threw",
			error: { name: "E", message: "m", line: 1, column: 7, stack: "at g (program:1:21)\nat program:7:3" },
		});
	});
});

describe("the work of reading is bounded by what the program may write, not by what came", () => {
	/** As much as the largest frame of a micro-VM carries. */
	const charsMax = 64 * 1_048_576;
	const filled = (head: string, part: string, tail = "") =>
		`${head}${part.repeat(Math.floor((charsMax - head.length - tail.length) / part.length))}${tail}`;
	const consoleCharsMax = program.limits.consoleBytesMax + `\n${consoleCutNote}\n`.length;

	/** How much was parsed; a long text is not, lest a failing test take minutes and gigabytes. */
	function watchedParsing(): { texts: number; longest: number } {
		const parsed = { texts: 0, longest: 0 };
		const parse = JSON.parse;
		vi.spyOn(JSON, "parse").mockImplementation((text: string) => {
			parsed.texts++;
			parsed.longest = Math.max(parsed.longest, text.length);
			if (text.length > 1_000_000) throw new Error("this would have been parsed");
			return parse(text);
		});
		return parsed;
	}

	test.each([
		["an error of objects", filled("t [", "{},", "{}]")],
		["an error of lists in lists", filled("t ", "[")],
		["an error of long texts", filled('t {"name":"', "x", '"}')],
		["a stop of objects", filled("s calls [", "{},", "{}]")],
		["a stop of a long text", filled('s calls "', "x", '"')],
	])("%s is refused unread", (_, text) => {
		const parsed = watchedParsing();
		expect(() => readOutbox(text)).toThrow("a longer text than its prelude writes");
		expect(parsed.longest).toBeLessThan(200_000);
	});

	test.each([
		["one line", filled('c "', "x", '"\no')],
		["one line of objects", filled("c [", "{},", "{}]\no")],
		["lines of one character", filled("", 'c "x"\n', "o")],
		["lines of none", filled("", 'c ""\n', "o")],
	])("console text without an end is refused: %s", (_, text) => {
		const parsed = watchedParsing();
		expect(() => readOutbox(text)).toThrow("a longer text than its prelude writes");
		expect(() => stoppedOutbox("slice", text, program.limits)).toThrow("a longer text than its prelude writes");
		expect(parsed.texts).toBeLessThanOrEqual(2 * consoleCharsMax);
		expect(parsed.longest).toBeLessThanOrEqual(6 * consoleCharsMax);
	});

	test("what an honest guest can write at most is read", () => {
		// Each character of it is escaped.
		const worst = "\u0001".repeat(thrownCharsMax);
		expect(readOutbox(thrown({ name: worst, message: worst, stack: worst })).state).toMatchObject({
			kind: "threw",
			error: { name: worst, message: worst },
		});
		expect(readOutbox(`s calls ${JSON.stringify(worst)}`).state).toMatchObject({ message: worst });
		const most = `${"\u0001".repeat(program.limits.consoleBytesMax)}\n${consoleCutNote}`;
		expect(readOutbox(`c ${JSON.stringify(most)}\nr 1`).console).toBe(`${most}\n`);
		expect(() => readOutbox(`c ${JSON.stringify(`${most}x`)}\nr 1`)).toThrow("a longer text");
		const lines = 'c ""\n'.repeat(consoleCharsMax);
		expect(readOutbox(`${lines}r 1`).console).toHaveLength(consoleCharsMax);
		expect(() => readOutbox(`${lines}c ""\nr 1`)).toThrow("a longer text");
	});

	test("any hostile text of some size gives values within the limits, or throws", () => {
		const heads = ["t ", "s calls ", "s value ", "c ", "r ", 'a 3 1 "search" ', "a 3 1 ", "a ", "o", ""];
		const parts = [
			"[",
			"{}",
			"[],",
			'{"name":',
			'"',
			"\\",
			"\\u0000",
			"\n",
			'c ""\n',
			"\ud800",
			"€",
			"9",
			" ",
			"\u2028",
			"-",
		];
		const body = fc
			.tuple(fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 3 }), fc.nat(65_536))
			.map(([some, chars]) => some.join("").repeat(Math.ceil(chars / some.join("").length)));
		const values = fc.json({ maxDepth: 6 });
		const line = fc.tuple(fc.constantFrom(...heads), fc.oneof(body, values)).map((both) => both.join(""));
		const texts = fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join("\n"));
		fc.assert(
			fc.property(texts, (text) => {
				const stopped = textWithin(() => stoppedOutbox("cpu", text, program.limits).console);
				expect(stopped.length).toBeLessThanOrEqual(consoleCharsMax);
				expect(textWithin(() => readOutbox(text).console).length).toBeLessThanOrEqual(consoleCharsMax);
			}),
			{ numRuns: 500 },
		);
	});
});

/** Empty where it throws an Error. */
function textWithin(read: () => string): string {
	try {
		return read();
	} catch (error) {
		expect(error).toBeInstanceOf(Error);
		return "";
	}
}

describe("stoppedOutbox", () => {
	test("keeps the console and drops everything else", () => {
		expect(stoppedOutbox("slice", 'c "x"\na 1 1 "search" null\nr 1', program.limits)).toEqual({
			asks: [],
			console: "x\n",
			state: { kind: "stopped", limit: "slice", message: expect.stringContaining("too long") },
		});
	});
});

describe("messages to the guest", () => {
	test("a start names the builtins after the granted tools", () => {
		expect(JSON.parse(startMessage(program))).toMatchObject({
			tools: [...program.tools, "$search", "$describe"],
			seed: 1,
		});
	});

	test("a delivery can be taken apart by its lengths, whatever the payloads hold", () => {
		fc.assert(
			fc.property(fc.array(fc.string({ maxLength: 15 }), { maxLength: 5 }), (values) => {
				const limits = { ...program.limits, valueBytesMax: 1_000 };
				const answers = values.map((value, i) => ({ n: i + 1, ok: JSON.stringify(value) }));
				const message = deliveryMessage(answers, limits);
				const split = message.indexOf("\n");
				const header = JSON.parse(message.slice(0, split)) as number[];
				let at = split + 1;
				values.forEach((value, i) => {
					expect(header.slice(i * 3, i * 3 + 2)).toEqual([i + 1, 0]);
					const end = at + (header[i * 3 + 2] ?? 0);
					expect(JSON.parse(message.slice(at, end))).toBe(value);
					at = end;
				});
				expect(at).toBe(message.length);
			}),
		);
	});

	test("a result above the limit becomes a failure that says so", () => {
		const message = deliveryMessage([{ n: 1, ok: JSON.stringify("x".repeat(30)) }], program.limits);
		expect(message).toContain('"code":"tool.result_too_large"');
		expect(message).not.toContain("xxx");
	});
});
