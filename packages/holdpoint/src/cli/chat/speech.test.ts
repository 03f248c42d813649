import fc from "fast-check";
import { expect, test } from "vitest";
import { createSpeech } from "./speech.ts";

const speaker = { name: "desk", voice: "desk", width: 30 };

function whole(text: string): string[] {
	return createSpeech(speaker).end(text);
}

test("a line is given when a later one has begun, and the rest at the end", () => {
	const speech = createSpeech(speaker);
	expect(speech.add("The order is on its ")).toEqual([]);
	expect(speech.add("way and ")).toEqual(["desk: The order is on its"]);
	expect(speech.last).toBe("  way and");
	expect(speech.end("The order is on its way and arrives tomorrow.")).toEqual(["  way and arrives tomorrow."]);
});

test("in whatever pieces it comes, what is shown is the same, and nothing in it reaches the terminal", () => {
	const hostile = fc.constantFrom(
		"\u001b[2J",
		"\u001b]0;owned\u0007",
		"\u009b31m",
		"\u202e",
		"\r\n",
		"\n",
		"a b",
		"longer words here ",
		"😀",
	);
	fc.assert(
		fc.property(
			fc.array(hostile, { maxLength: 20 }),
			fc.array(fc.nat({ max: 120 }), { maxLength: 10 }),
			(parts, cuts) => {
				const text = `x${parts.join("")}y`;
				const speech = createSpeech(speaker);
				const places = [0, ...cuts.filter((at) => at < text.length).sort((a, b) => a - b), text.length];
				const lines = places.slice(1).flatMap((to, at) => speech.add(text.slice(places[at], to)));
				lines.push(...speech.end(text));
				expect(lines).toEqual(whole(text));
				expect(lines.join("\n")).not.toMatch(/[\u001b\u009b\u0007\u202e\r]/);
			},
		),
	);
});
