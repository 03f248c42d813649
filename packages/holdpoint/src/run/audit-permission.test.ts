import { describe, expect, test } from "vitest";
import type { Leaf, LeafLine } from "../audit/verifier/export-lines.ts";
import type { Approver } from "../spec/events.ts";
import type { GrantTerms } from "../spec/governance.ts";
import {
	auditStage,
	exportOf,
	hashOf,
	isLeaf,
	leavesIn,
	pay,
	payApproved,
	signedLog,
	sixRuns,
	verifyLines,
} from "../testing/audit-scene.ts";
import { ofType, onlyWait } from "../testing/stage.ts";

const parse = (line: string) => JSON.parse(line) as LeafLine;
const wrongIn = (run: string, why: string) => [
	{ kind: "unapproved_execution", run, call: "c1", message: expect.stringContaining(why) },
];
const findingsIn = async (leaves: readonly Leaf[]) => (await verifyLines(signedLog(leaves))).findings;

describe("roles that change between an answer and the decision that counts on it", () => {
	/** A manager answers, then the two people change their places, then the other one answers. */
	async function changed() {
		const roles: { [id: string]: string[] } = { max: ["manager"], fin: ["finance"] };
		const scene = auditStage({ harness: { rolesOf: ({ id }: Approver) => roles[id] ?? [] } });
		const { approval } = onlyWait(await pay(scene, "r1", { amount: 700, to: "shop" }), "approval");
		await scene.harness.approve(approval, { by: { id: "max", via: "test" } });
		expect(await scene.harness.resume("r1")).toMatchObject({ status: "waiting" });
		[roles["max"], roles["fin"]] = [["finance"], ["manager"]];
		await scene.harness.approve(approval, { by: { id: "fin", via: "test" } });
		expect(await scene.harness.resume("r1")).toMatchObject({ status: "completed" });
		return scene;
	}

	test("are written down with the decision, and a verifier counts these", async () => {
		const scene = await changed();
		const [, decided] = ofType(await scene.events("r1"), "call.decided");
		expect(decided).toMatchObject({ approvedBy: ["max", "fin"], approvedAs: [["finance"], ["manager"]] });
		const leaves = leavesIn(await exportOf(scene));
		expect(await findingsIn(leaves)).toEqual([]);

		const at = leaves.findIndex(({ event }) => "approvedAs" in event);
		const withRoles = (approvedAs: unknown) => {
			const leaf = leaves[at] as Leaf;
			return leaves.with(at, { ...leaf, event: { ...leaf.event, approvedAs } });
		};
		for (const lost of [[["finance"], []], [["finance"], ["finance"]], [["finance"]], [5, "manager"]])
			expect(await findingsIn(withRoles(lost))).toMatchObject(wrongIn("r1", "lacks the yes of manager"));
	});

	test("cost nothing where they did not change", async () => {
		const scene = auditStage();
		await sixRuns(scene);
		for (const { run } of await scene.harness.runs())
			for (const decided of ofType(await scene.events(run), "call.decided"))
				expect(decided).not.toHaveProperty("approvedAs");
	});
});

describe("a grant that may cover so many calls", () => {
	/** `r1` is approved for good, `r2` is covered, `r3` is asked about. */
	async function used(terms: Partial<GrantTerms> = {}) {
		const scene = auditStage();
		const args = { amount: 50, to: "eve" };
		const { approval } = onlyWait(await pay(scene, "r1", args), "approval");
		const always = { scope: "principal", usesMax: 1, ...terms } as const;
		await scene.harness.approve(approval, { by: { id: "ann", via: "test" }, always });
		await scene.harness.resume("r1");
		expect(await pay(scene, "r2", args)).toMatchObject({ status: "completed" });
		const [grant] = (await scene.harness.governance.standing()).grants;
		return { scene, args, id: grant?.id ?? "", leaves: leavesIn(await exportOf(scene)) };
	}
	const ofRun = (leaves: readonly Leaf[], run: string) => leaves.filter((leaf) => leaf.run === run);
	const again = (leaves: readonly Leaf[], run: string) => ofRun(leaves, "r2").map((leaf) => ({ ...leaf, run }));

	test("and was used so often is right; used once more it is found, and named", async () => {
		const { scene, args, id, leaves } = await used();
		expect(await pay(scene, "r3", args)).toMatchObject({ status: "waiting" });
		expect((await verifyLines(await exportOf(scene))).findings).toEqual([]);
		expect(await findingsIn([...leaves, ...again(leaves, "r9")])).toMatchObject(
			wrongIn("r9", `the grant ${id} may cover 1`),
		);
	});

	test("is not renewed by being given a second time", async () => {
		const { leaves } = await used();
		const given = leaves.find(({ n, event }) => n === undefined && event.type === "grant.given") as Leaf;
		expect(await findingsIn([...leaves, given, ...again(leaves, "r9")])).toMatchObject(wrongIn("r9", "may cover 1"));
	});

	test("is used once by a call that is repeated", async () => {
		const { leaves } = await used();
		const own = ofRun(leaves, "r2");
		const at = own.findIndex(({ event }) => event.type === "call.decided");
		const [decided, started] = own.slice(at, at + 2) as [Leaf, Leaf];
		const second = { ...started, event: { ...started.event, attempt: 2 } };
		const repeated = own.toSpliced(at + 2, 0, decided, second).map((leaf, index) => ({ ...leaf, n: index + 1 }));
		expect(await findingsIn([...leaves.filter(({ run }) => run !== "r2"), ...repeated])).toEqual([]);
	});

	test("covers no other tool", async () => {
		const { id, leaves } = await used();
		const other = leaves.map((leaf) =>
			leaf.n === undefined && leaf.event.type === "grant.given"
				? { ...leaf, event: { ...leaf.event, tool: "refund" } }
				: leaf,
		);
		expect(await findingsIn(other)).toMatchObject(wrongIn("r2", `the grant ${id} is for another tool`));
	});

	test("and any number where it does not say", async () => {
		const { leaves } = await used({ usesMax: undefined as never });
		expect(await findingsIn([...leaves, ...again(leaves, "r8"), ...again(leaves, "r9")])).toEqual([]);
	});
});

describe("a payload that is taken out of an export", () => {
	async function scene() {
		const played = auditStage();
		await sixRuns(played);
		return played;
	}
	const stripped = (line: string): string => {
		const { salt: _, payload: __, shown: ___, ...rest } = parse(line);
		return JSON.stringify(rest);
	};
	const hasPayload = (line: string) => isLeaf(line) && parse(line).leaf.payload !== undefined;

	test("is found at its leaf, one by one, and all of them", async () => {
		const lines = await exportOf(await scene(), { payloads: true });
		for (const [at, line] of lines.entries()) {
			if (!hasPayload(line)) continue;
			const { i, leaf } = parse(line);
			const { findings } = await verifyLines(lines.with(at, stripped(line)));
			expect(findings).toMatchObject([{ kind: "dropped", index: i, run: leaf.run }]);
		}
		const all = await verifyLines(lines.map((line) => (isLeaf(line) ? stripped(line) : line)));
		expect(all.findings.map(({ kind, run }) => `${kind} ${run}`).sort()).toEqual(
			["r-allowed", "r-approved", "r-denied", "r-edited", "r-two", "r-waits"].map((run) => `dropped ${run}`),
		);
	});

	test("also where only its salt is, and whatever the head says", async () => {
		const lines = await exportOf(await scene(), { payloads: true });
		const at = lines.findIndex(hasPayload);
		const { payload: _, ...saltOnly } = parse(lines[at] ?? "");
		expect((await verifyLines(lines.with(at, JSON.stringify(saltOnly)))).findings).toMatchObject([{ kind: "dropped" }]);
		const [head = "", ...rest] = lines;
		const bare = JSON.stringify({ ...JSON.parse(head), payloads: undefined });
		const report = await verifyLines([bare, ...rest.with(at - 1, stripped(lines[at] ?? ""))]);
		expect(report.findings.length).toBeGreaterThan(0);
	});

	test("of a run that was erased is missed by nobody, and of another one it is", async () => {
		const played = await scene();
		await played.harness.audit.erase({ run: "r-approved", by: "dpo" });
		const lines = await exportOf(played, { payloads: true });
		const report = await verifyLines(lines);
		expect(report.findings).toEqual([]);
		expect(report.payloads).toMatchObject({ absent: expect.any(Number), shown: 0 });
		expect(report.payloads.absent).toBeGreaterThan(5);
		// An erasure accounts for the run that it names, and for what was there by then.
		const leaves = leavesIn(lines);
		const erased = leaves.findIndex(({ event }) => event.type === "run.erased");
		const other = leaves.with(erased, { ...(leaves[erased] as Leaf), run: "r-two" });
		expect((await verifyLines(withPayloads(other))).findings).toMatchObject([{ kind: "dropped", run: "r-approved" }]);
		const early = [leaves[erased] as Leaf, ...leaves.toSpliced(erased, 1)];
		expect((await verifyLines(withPayloads(early))).findings).toMatchObject([{ kind: "dropped", run: "r-approved" }]);

		/** The leaves as they are, each with the payload that it had. */
		function withPayloads(all: readonly Leaf[]): string[] {
			const shown = new Map(lines.filter(isLeaf).map((line) => [hashOf(parse(line).leaf), parse(line)]));
			const made = signedLog(all).map((line) => {
				if (!isLeaf(line)) return line;
				const { salt, payload } = shown.get(parse(line).hash) ?? {};
				return JSON.stringify({ ...parse(line), salt, payload });
			});
			return made.with(0, JSON.stringify({ ...JSON.parse(made[0] ?? ""), payloads: true }));
		}
	});

	test("of a run that is erased while it is exported is accounted for by the leaf behind", async () => {
		const played = await scene();
		const lines: string[] = [];
		let erasing: Promise<void> | undefined;
		for await (const line of played.harness.audit.export({ payloads: true })) {
			lines.push(line);
			erasing ??= played.harness.audit.erase({ run: "r-two", by: "dpo" });
			await erasing;
		}
		const report = await verifyLines(lines);
		expect(report.findings).toEqual([]);
		expect(leavesIn(lines).map(({ event }) => event.type)).toContain("run.erased");
		expect(lines.join("\n")).not.toContain("700");
	});

	test("of a run whose rows are gone without an erasure is found", async () => {
		const played = await scene();
		const salts = { ...played.store.audit, leaves: withoutSalts(played.store.audit.leaves) };
		const tampered = played.again({ store: { ...played.store, audit: salts } });
		const { findings } = await verifyLines(await exportOf(tampered, { payloads: true }));
		expect(findings).toMatchObject([{ kind: "dropped", run: "r-two" }]);
	});

	test("a payload that was never there, or that facts alone should not have, is no payload", async () => {
		const facts = await exportOf(await scene());
		const at = facts.findIndex(hasPayload);
		const shown = JSON.stringify({ ...parse(facts[at] ?? ""), shown: { input: "forged" } });
		expect((await verifyLines(facts.with(at, shown))).findings).toMatchObject([{ kind: "altered" }]);
		const whole = await exportOf(await scene(), { payloads: true });
		const none = whole.findIndex((line) => isLeaf(line) && !hasPayload(line));
		const added = JSON.stringify({ ...parse(whole[none] ?? ""), shown: { input: "forged" } });
		expect((await verifyLines(whole.with(none, added))).findings).toMatchObject([{ kind: "altered" }]);
	});

	test("a payload without its salt is proven by nothing, also of a run that was erased", async () => {
		const played = await scene();
		await played.harness.audit.erase({ run: "r-approved", by: "dpo" });
		const lines = await exportOf(played, { payloads: true });
		const at = lines.findIndex((line) => hasPayload(line) && parse(line).leaf.run === "r-approved");
		const forged = JSON.stringify({ ...parse(lines[at] ?? ""), payload: { input: "forged" } });
		expect((await verifyLines(lines.with(at, forged))).findings).toMatchObject([{ kind: "altered" }]);
	});

	test("a store whose leaf was changed is exported all the same, and the change is found", async () => {
		const played = await scene();
		const { audit } = played.store;
		await played.harness.audit.checkpoint();
		const leaves: Leaves = async (query) =>
			(await audit.leaves(query)).map((one) => (one.index === 7 ? { ...one, body: "no leaf" } : one));
		const tampered = played.again({ store: { ...played.store, audit: { ...audit, leaves } } });
		const report = await verifyLines(await exportOf(tampered, { payloads: true }));
		expect(report.findings[0]).toMatchObject({ kind: "malformed" });
	});

	test("what is shown without what is sensitive is counted apart from what is proven", async () => {
		const played = auditStage();
		await payApproved(played, "r1", { by: ["ann"], amount: 50 });
		const lines = await exportOf(played, { payloads: true });
		const at = lines.findIndex(hasPayload);
		const { salt: _, payload, ...rest } = parse(lines[at] ?? "");
		const report = await verifyLines(lines.with(at, JSON.stringify({ ...rest, shown: payload })));
		expect(report).toMatchObject({ ok: true, payloads: { shown: 1, absent: 0 } });
	});
});

type Leaves = ReturnType<typeof auditStage>["store"]["audit"]["leaves"];

function withoutSalts(leaves: Leaves): Leaves {
	return async (query) =>
		(await leaves(query)).map((leaf) => (leaf.body.includes('"r-two"') ? { ...leaf, salt: undefined } : leaf));
}
