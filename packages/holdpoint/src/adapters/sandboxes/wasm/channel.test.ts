import { describe, expect, test } from "vitest";
import { askForWake, channelBytes, controlWords, takeWake } from "./channel.ts";

describe("the wake of the host", () => {
	test("is taken once, by whoever comes first", () => {
		const words = controlWords(new SharedArrayBuffer(channelBytes));
		expect(takeWake(words, 1)).toBe(false);
		askForWake(words, 1);
		expect(takeWake(words, 1)).toBe(true);
		expect(takeWake(words, 1)).toBe(false);
	});

	test("for the next reply is not taken by a worker that was late with the one before", () => {
		const words = controlWords(new SharedArrayBuffer(channelBytes));
		askForWake(words, 8);
		expect(takeWake(words, 7)).toBe(false);
		expect(takeWake(words, 8)).toBe(true);
	});
});
