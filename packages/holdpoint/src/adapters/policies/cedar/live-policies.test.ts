import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { PolicyRequest } from "../../../spec/policy.ts";
import { fakeClock } from "../../../testing/fake-clock.ts";
import { defineTool } from "../../../tools/define-tool.ts";
import { jsonSchema } from "../../../tools/json-schema.ts";
import { type CedarPolicyOptions, type CedarReport, cedarPolicy } from "./cedar-policy.ts";

const root = mkdtempSync(join(tmpdir(), "holdpoint-cedar-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: jsonSchema({ type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] }),
	execute: () => null,
});
const agents = [{ name: "clerk", tools: [pay] }];
const permit = "permit(principal, action, resource);\n";
const below = (cents: number) =>
	`@id("cap") forbid(principal, action == H::Action::"call:pay", resource) when { context.args.cents > ${cents} };\n`;

function ofCents(cents: number): PolicyRequest {
	const { name, version, effect, tags } = pay;
	return {
		run: "r",
		call: "c1",
		principal: "ann",
		tenant: undefined,
		session: undefined,
		agent: "clerk",
		depth: 0,
		provenance: { via: "model" },
		tool: { name, version, effect, tags },
		args: { cents },
		approvedBy: [],
	};
}

let folders = 0;

async function scene(options: Partial<CedarPolicyOptions> = {}) {
	const folder = mkdtempSync(join(root, `${++folders}-`));
	// Long before the files were written: what changed is seen twice before it counts.
	const clock = fakeClock({ startMs: 0 });
	const reports: CedarReport[] = [];
	const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
	put("a.cedar", permit);
	put("b.cedar", below(100));
	const policy = cedarPolicy({ folder, clock, report: (event) => reports.push(event), ...options });
	await policy.ready(agents);
	const verdict = (cents: number) => policy.decide(ofCents(cents)).verdict;
	/** Enough for files that were left alone to count. */
	const settle = () => {
		clock.advance(1_000);
		verdict(0);
		clock.advance(1_000);
	};
	return { folder, clock, reports, put, policy, verdict, settle };
}

describe("files that change", () => {
	test("count for every later decision, with their own version", async () => {
		const { put, policy, verdict, settle, reports } = await scene();
		const before = policy.version;
		expect(verdict(150)).toBe("deny");
		put("b.cedar", below(200));
		settle();
		expect(verdict(150)).toBe("allow");
		expect(policy.version).not.toBe(before);
		expect(reports).toEqual([{ type: "policy.reloaded", version: policy.version, before }]);
		put("b.cedar", below(100));
		settle();
		expect(verdict(150)).toBe("deny");
		expect(policy.version).toBe(before);
	});

	test("are a new file, and one that is gone, too", async () => {
		const { folder, put, verdict, settle } = await scene();
		put("c.cedar", '@id("none") forbid(principal, action, resource);');
		settle();
		expect(verdict(1)).toBe("deny");
		rmSync(join(folder, "c.cedar"));
		settle();
		expect(verdict(1)).toBe("allow");
	});

	test("count only when they have been left alone", async () => {
		const { put, verdict, clock } = await scene();
		for (let cents = 200; cents < 210; cents++) {
			put("b.cedar", below(cents));
			clock.advance(199);
			expect(verdict(150)).toBe("deny");
		}
		clock.advance(199);
		expect(verdict(150)).toBe("deny");
		clock.advance(1);
		clock.advance(50);
		expect(verdict(150)).toBe("allow");
	});

	test("that were left alone long ago count at once", async () => {
		const clock = fakeClock();
		const { put, verdict } = await scene({ clock });
		expect(verdict(150)).toBe("deny");
		put("b.cedar", below(200));
		clock.advance(50);
		expect(verdict(150)).toBe("allow");
	});

	test.each([
		["half a policy", 'permit(principal, action, resource);\nforbid(principal, action == H::Action::"ca'],
		["what does not fit the tools", below(100).replace("cents", "amount")],
		["what is no UTF-8", Buffer.from([0xff, 0xfe, 0x00])],
	])("with %s keep the old set, say so once, and are taken when they are mended", async (_, text) => {
		const { folder, put, policy, verdict, settle, reports } = await scene();
		const before = policy.version;
		writeFileSync(join(folder, "b.cedar"), text);
		settle();
		expect(verdict(150)).toBe("deny");
		expect(verdict(50)).toBe("allow");
		settle();
		expect(policy.version).toBe(before);
		expect(reports).toMatchObject([{ type: "policy.refused", version: before, problems: [{}] }]);
		expect(policy.refused).toMatch(/^cedar:/);
		put("b.cedar", below(200));
		settle();
		expect(verdict(150)).toBe("allow");
		expect(reports.map(({ type }) => type)).toEqual(["policy.refused", "policy.reloaded"]);
		expect(policy.refused).toBeUndefined();
	});

	test("that are all gone keep the old set", async () => {
		const { folder, verdict, settle, reports } = await scene();
		rmSync(folder, { recursive: true });
		settle();
		expect(verdict(150)).toBe("deny");
		expect(verdict(50)).toBe("allow");
		expect(reports).toMatchObject([{ type: "policy.refused" }]);
	});

	test("are not looked at where nobody wants it", async () => {
		const { put, verdict, settle } = await scene({ watch: false });
		put("b.cedar", below(200));
		settle();
		expect(verdict(150)).toBe("deny");
	});

	test("whatever the clock does, a decision is that of one whole set, and the last one wins", async () => {
		const { folder, verdict, policy, clock, settle } = await scene();
		const versions = new Map<number, string>();
		const write = (limit: number, isHalf: boolean) => {
			const whole = permit + below(limit);
			// A whole set in one file, renamed into its place; or half a one, written over it.
			const path = join(folder, "next");
			writeFileSync(path, isHalf ? whole.slice(0, -4) : whole);
			renameSync(path, join(folder, "b.cedar"));
			rmSync(join(folder, "a.cedar"), { force: true });
		};
		const step = fc.record({
			limit: fc.constantFrom(100, 200, 300),
			isHalf: fc.boolean(),
			ms: fc.constantFrom(0, 10, 60, 500, 5_000),
		});
		fc.assert(
			fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
				for (const { limit, isHalf, ms } of steps) {
					write(limit, isHalf);
					clock.advance(ms);
					const allowed = [50, 150, 250, 350].filter((cents) => verdict(cents) === "allow").length;
					// The set is 100, 200 or 300: 1, 2 or 3 of the amounts are below it, and each has one version.
					expect([1, 2, 3]).toContain(allowed);
					const known = versions.get(allowed);
					if (known === undefined || allowed === 1) versions.set(allowed, policy.version);
					else expect(policy.version).toBe(known);
				}
				write(300, false);
				settle();
				expect(verdict(250)).toBe("allow");
			}),
			{ numRuns: 25 },
		);
	});
});

describe("agents that come later", () => {
	test("are validated with the set that decides, not with files that are being written", async () => {
		const { put, policy, verdict } = await scene();
		put("b.cedar", "forbid(");
		await policy.ready([...agents, { name: "other", tools: [pay] }]);
		expect(verdict(150)).toBe("deny");
		expect(policy.decide({ ...ofCents(50), agent: "other" }).verdict).toBe("allow");
	});

	test("a folder that is not there is an error that names it", async () => {
		const policy = cedarPolicy({ folder: join(root, "nowhere") });
		await expect(policy.ready(agents)).rejects.toMatchObject({
			code: "policy.invalid",
			message: expect.stringContaining("nowhere"),
		});
	});
});

describe("a shadow's files", () => {
	test("are read anew, and mended ones are taken", async () => {
		const shadowFolder = mkdtempSync(join(root, "shadow-"));
		writeFileSync(join(shadowFolder, "a.cedar"), "permit(");
		const { verdict, clock, reports } = await scene({ shadow: { folder: shadowFolder } });
		const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
		expect(reports.map(({ type }) => type)).toEqual(["shadow.refused"]);
		writeFileSync(join(shadowFolder, "a.cedar"), permit);
		for (let look = 0; look < 3; look++) {
			verdict(150);
			await turn();
			clock.advance(1_000);
		}
		expect(reports.at(-1)).toMatchObject({ type: "shadow.differs", shadow: { decision: { verdict: "allow" } } });
	});
});
