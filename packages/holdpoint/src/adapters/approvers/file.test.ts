import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Answering } from "../../spec/approver.ts";
import { approversFile } from "./file.ts";

let folder: string;
let path: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-approvers-"));
	path = join(folder, "approvers.json");
});
afterEach(() => {
	vi.restoreAllMocks();
	rmSync(folder, { recursive: true, force: true });
});

const people = { ann: ["manager"], bob: ["manager", "finance"], eve: [] };
const limits = { manager: { refund: { cents: { max: 50_000 }, to: { in: ["card", "bank"] } } } };

function write(value: unknown): void {
	// As careful people do: the file is there as a whole, and is another one.
	writeFileSync(`${path}.new`, typeof value === "string" ? value : JSON.stringify(value));
	renameSync(`${path}.new`, path);
}

function about(args: Answering["args"], change: Partial<Answering> = {}): Answering {
	return { tool: "refund", args, agent: "a", principal: "p", tenant: undefined, answer: "approve", ...change };
}

const by = (id: string) => ({ id, via: "test" });
const within = about({ cents: 50_000, to: "card" });

describe("the approvers file", () => {
	test("gives people their roles, and nobody else a say except a denial", () => {
		write({ people });
		const { of } = approversFile(path);
		expect(of(by("bob"), within)).toEqual({ roles: ["manager", "finance"] });
		expect(of(by("eve"), within)).toEqual({ roles: [] });
		for (const id of ["mallory", "constructor", "__proto__"]) {
			expect(of(by(id), within)).toBe("this person is not among the approvers");
			expect(of(by(id), about({}, { answer: "deny" }))).toEqual({ roles: [] });
		}
	});

	test("a limited role counts up to the last value, and not without the field", () => {
		write({ people, limits });
		const { of } = approversFile(path);
		expect(of(by("ann"), within)).toEqual({ roles: ["manager"] });
		const over = "a manager approves refund only where cents is at most 50000";
		expect(of(by("ann"), about({ cents: 50_001, to: "card" }))).toBe(over);
		expect(of(by("bob"), about({ cents: 50_001, to: "card" }))).toEqual({ roles: ["finance"], note: over });
		expect(of(by("ann"), about({ cents: 1, to: "cash" }))).toContain('to is one of ["card","bank"]');
		for (const args of [{ cents: 1 }, {}, null, [50], { cents: "1", to: "card" }]) {
			expect(of(by("ann"), about(args))).toEqual(expect.stringContaining("only where"));
		}
		expect(of(by("ann"), about({ cents: 99_999 }, { tool: "other" }))).toEqual({ roles: ["manager"] });
	});

	test("is read anew when it changed, with another version", () => {
		write({ people });
		const approvers = approversFile(path);
		const before = approvers.version;
		write({ people: { ...people, ann: ["clerk"] } });
		expect(approvers.of(by("ann"), within)).toEqual({ roles: ["clerk"] });
		expect(approvers.version).not.toBe(before);
		expect(before).toMatch(/^file:.{8}$/);
	});

	test("half-written, wrong or gone, it leaves the one before in force, and warns once", () => {
		const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		write({ people });
		const approvers = approversFile(path);
		const { version } = approvers;
		for (const [at, broken] of ['{ "people": { "ann": [', { people: { ann: "manager" } }, undefined].entries()) {
			if (broken === undefined) rmSync(path);
			else write(broken);
			for (let times = 0; times < 2; times++) expect(approvers.of(by("ann"), within)).toEqual({ roles: ["manager"] });
			expect(approvers.version).toBe(version);
			expect(warn).toHaveBeenCalledTimes(at + 1);
		}
		write({ people: {} });
		expect(approvers.of(by("ann"), within)).toBe("this person is not among the approvers");
	});

	test.each<[unknown, RegExp]>([
		['{\n  "people": {\n    "ann": ["manager"],\n  }\n}', /no JSON.*line 4 column 3/],
		['{\n  "people": {', /no JSON.*line 2 column 14/],
		["", /no JSON.*line 1 column 1/],
		[[], /is no object/],
		[{}, /no `people`/],
		[{ people: { ann: ["manager", 3] } }, /no role at people\["ann"\]\[1\]/],
		[{ people: { "": [] } }, /without a usable id/],
		[{ people, peple: 1 }, /field "peple"; known: people, limits/],
		[{ people, limits: { manger: {} } }, /role that nobody in it has: limits\["manger"\]/],
		[{ people, limits: { manager: [] } }, /no tools at limits\["manager"\]/],
		[
			{ people, limits: { manager: { refund: { cents: { most: 4 } } } } },
			/at limits\["manager"\]\["refund"\]\["cents"\]/,
		],
		["x".repeat(4_194_305), /more than 4194304 characters/],
	])("that is wrong from the start is an error that says where: %j", (value, message) => {
		write(value);
		expect(() => approversFile(path)).toThrow(
			expect.objectContaining({ code: "config.invalid", message: expect.stringMatching(message) }),
		);
	});

	test("that is not there is an error", () => {
		expect(() => approversFile(path)).toThrow(expect.objectContaining({ code: "config.invalid" }));
	});
});
