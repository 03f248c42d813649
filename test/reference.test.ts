import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { errorCodes } from "../packages/holdpoint/src/spec/errors.ts";
import {
	defaultFetchLimits,
	defaultFileLimits,
	defaultLimits,
	defaultProgramLimits,
	defaultShellLimits,
	defaultSkillLimits,
	defaultTeamLimits,
	fixedLimits,
} from "../packages/holdpoint/src/spec/limits.ts";
import { referencePages } from "../scripts/write-reference.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(root + path, "utf8");

describe("the reference pages", () => {
	it.each([...referencePages()])("%s says what the code says (else: node scripts/write-reference.ts)", (path, text) => {
		expect(read(path)).toBe(text);
	});

	it("name every error code, every limit and every event", () => {
		for (const code of Object.keys(errorCodes)) expect(read("docs/reference/errors.md")).toContain(`| \`${code}\` |`);
		const outside = [defaultFileLimits, defaultShellLimits, defaultFetchLimits, defaultSkillLimits];
		const all = [defaultLimits, defaultProgramLimits, defaultTeamLimits, ...outside, fixedLimits];
		for (const limit of all.flatMap(Object.keys)) {
			expect(read("docs/reference/limits.md")).toMatch(new RegExp(`\\| \`${limit}\` \\| [\\d,]+ \\| \\S`));
		}
		const types = [...read("packages/holdpoint/src/spec/events.ts").matchAll(/readonly type: "([a-z.]+)"/g)];
		expect(types.length).toBeGreaterThan(20);
		for (const [, type] of types) expect(read("docs/reference/events.md")).toContain(`## \`${type}\``);
	});

	it("say something about every field of an event, and define every type that they name", () => {
		const page = read("docs/reference/events.md");
		const rows = [...page.matchAll(/^\| `(\w+)`[^|]* \| `((?:\\\||[^|])*)` \| (.*) ?\|$/gm)];
		expect(rows.length).toBeGreaterThan(90);
		expect(rows.filter(([, , , text]) => !text?.trim()).map(([row]) => row)).toEqual([]);
		const names = rows.flatMap(([, , type]) => type?.replace(/"[^"]*"/g, "").match(/\b[A-Z]\w+/g) ?? []);
		expect(names).toContain("Outcome");
		for (const name of names.filter((one) => one !== "Partial")) expect(page).toContain(`### \`${name}\``);
	});

	it("name no error code that no code raises", () => {
		const source = sourceFiles().map(read).join("\n");
		expect(Object.keys(errorCodes).filter((code) => !source.includes(`"${code}"`))).toEqual([]);
	});
});

function sourceFiles(): string[] {
	const folder = "packages/holdpoint/src/";
	const files = readdirSync(root + folder, { recursive: true, encoding: "utf8" });
	return files
		.filter((file) => /(?<!\.test)\.ts$/.test(file) && file !== "spec/errors.ts")
		.map((file) => folder + file);
}
