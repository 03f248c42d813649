import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deliveryMessage, readOutbox, startMessage, stoppedOutbox } from "./guest-messages.ts";
import { defaultProgramLimits } from "./limits.ts";
import type { ProgramSpec } from "./sandbox.ts";

const program: ProgramSpec = {
	source: "return 1",
	tools: ["search", 'q"uoted\\', "ünï"],
	seed: 1,
	clockMs: 0,
	limits: { ...defaultProgramLimits, valueBytesMax: 20, callsMax: 50 },
	principal: "p",
};

describe("readOutbox", () => {
	test("reads calls, console and the state", () => {
		const text =
			'c "one\\ntwo"\na 3 12 "search" {"q":"\u2028"}\na 4 0 "q\\"uoted\\\\" null\na 5 0 "search" \nc "three"\no';
		expect(readOutbox(text, program)).toEqual({
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
		["a tool that was not granted", 'a 1 1 "pay" null\no'],
		["a number out of order", 'a 2 1 "search" null\na 2 1 "search" null\no'],
		["a number above the limit of calls", 'a 51 1 "search" null\no'],
		["a number that is none", 'a -1 1 "search" null\no'],
		["a line that is none", 'a 1 x "search" null\no'],
		["no place for arguments", 'a 1 1 "search"\no'],
		["an unknown line", "z 1\no"],
		["console text that is no string", "c {}\no"],
		["no state", 'c "x"'],
		["an unknown state", "x"],
		["a stop of a limit that the guest cannot know", 's fault "x"'],
		["a thrown error without a message", 't {"name":"x"}'],
		["nothing", ""],
	])("refuses %s", (_, text) => {
		expect(() => readOutbox(text, program)).toThrow();
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
					outbox = readOutbox(text, program);
				} catch {
					return;
				}
				for (const ask of outbox.asks) {
					expect(["search", 'q"uoted\\', "ünï", "$search", "$describe"]).toContain(ask.tool);
					expect(ask.n).toBeLessThanOrEqual(50);
					expect(Buffer.byteLength(ask.args)).toBeLessThan(20);
				}
				if (outbox.state.kind === "returned") expect(Buffer.byteLength(outbox.state.value)).toBeLessThan(20);
			}),
			{ numRuns: 2_000 },
		);
	});

	test("a text of millions of lines is given up at the first that is none", () => {
		const endless = "\n".repeat(8_000_000);
		expect(() => readOutbox(endless, program)).toThrow("a line that its prelude does not write");
		expect(stoppedOutbox("fault", endless).console).toBe("");
	});

	test("sizes count in bytes, below the limit and at it", () => {
		const state = (value: string) => readOutbox(`r ${value}`, program).state.kind;
		for (const character of ["x", "é", "€", "😀"]) {
			// With its two quotes it has fewer bytes than the limit of 20; filled up, it has as many.
			const fitting = character.repeat(Math.floor(17 / Buffer.byteLength(character)));
			const room = 18 - Buffer.byteLength(fitting);
			expect(state(`"${fitting}"`)).toBe("returned");
			expect(state(`"${fitting}${"x".repeat(room - 1)}"`)).toBe("returned");
			expect(state(`"${fitting}${"x".repeat(room)}"`)).toBe("stopped");
		}
		expect(readOutbox(`a 1 1 "search" "${"€".repeat(7)}"\no`, program)).toMatchObject({
			asks: [],
			state: { kind: "stopped", limit: "value" },
		});
	});

	test("an engine that ran out of memory is a stop, not an error of the program", () => {
		const text = 't {"name":"InternalError","message":"out of memory","stack":""}';
		expect(readOutbox(text, program).state).toMatchObject({ kind: "stopped", limit: "memory" });
	});

	test("the place of an error is that of the program's own text", () => {
		const stack = "    at f (native)\n    at g (<input>:1:21)\n    at <input>:7:3\n    at run (prelude:5:1)\n";
		const text = `t ${JSON.stringify({ name: "E", message: "m", stack })}`;
		expect(readOutbox(text, program).state).toEqual({
			kind: "threw",
			error: { name: "E", message: "m", line: 1, column: 7, stack: "at g (program:1:21)\nat program:7:3" },
		});
	});
});

describe("stoppedOutbox", () => {
	test("keeps the console and drops everything else", () => {
		expect(stoppedOutbox("slice", 'c "x"\na 1 1 "search" null\nr 1')).toEqual({
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
