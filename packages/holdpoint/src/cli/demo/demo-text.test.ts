import { expect, test } from "vitest";
import { createStyle } from "../render/style.ts";
import { widthOf } from "../render/text-width.ts";
import type { Terminal } from "../terminal.ts";
import { stepLines } from "./demo-text.ts";

test("the heading of a step keeps to the terminal", () => {
	const title = "A person would decide here; without a terminal the demo approves";
	for (const width of [100, 80, 60, 44, 40]) {
		const terminal = { style: createStyle(false), width } as Terminal;
		const lines = stepLines({ terminal, options: {} } as Parameters<typeof stepLines>[0], {
			step: 3,
			title,
			pid: 1234567,
		});
		for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(width);
		expect(lines.at(-1)).toMatch(/─ process 1234567$/);
		expect(lines.join(" ").replaceAll(/ +/g, " ")).toContain(title);
	}
});
