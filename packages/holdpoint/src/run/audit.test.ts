import { describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Leaf, LeafLine } from "../audit/verifier/export-lines.ts";
import { signCheckpoint } from "../audit/verifier/note.ts";
import { verifyExport, verifyProof } from "../audit/verifier/verify.ts";
import { pipeline } from "../routing/shapes.ts";
import type { Agent } from "../spec/agent.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Store } from "../spec/store.ts";
import {
	auditKey,
	auditSigner,
	auditStage,
	exportOf,
	hashOf,
	isLeaf,
	leavesIn,
	otherSigner,
	pay,
	payApproved,
	signedLog,
	sixRuns,
	verifyLines,
} from "../testing/audit-scene.ts";
import { storeWithSomebodyElse } from "../testing/somebody-else.ts";
import { ofType, onlyWait, type Stage, stage } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { teamStage } from "../testing/team-stage.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";
import { agentTool } from "./agent-tool.ts";

async function scene() {
	const played = auditStage();
	await sixRuns(played);
	return played;
}

const parse = (line: string) => JSON.parse(line) as LeafLine;

describe("an export", () => {
	test("verifies, and every call that was executed has what its decision asked for", async () => {
		const report = await verifyLines(await exportOf(await scene()));
		expect(report).toMatchObject({ ok: true, findings: [], origin: "audit.example.com/test", executions: 4 });
		expect(report.checkpoints).toBeGreaterThan(3);
		expect(report.payloads.checked).toBe(0);
	});

	test("has a leaf for every event of every journal, in the journal's order", async () => {
		const played = await scene();
		const leaves = (await exportOf(played)).filter(isLeaf).map((line) => parse(line).leaf);
		for (const { run } of await played.harness.runs()) {
			const events = await played.events(run);
			const own = leaves.filter((leaf) => leaf.run === run);
			expect(own.map(({ event }) => event.type)).toEqual(events.map(({ type }) => type));
			expect(own.map(({ n }) => n)).toEqual(events.map((_, at) => at + 1));
		}
	});

	test("shows facts alone, unless payloads are asked for; these are compared with their digests", async () => {
		const played = await scene();
		const bare = (await exportOf(played)).join("\n");
		for (const word of ["customer-7", "amount", '"eve"', "fine with me", "paid 5"])
			expect(bare.includes(word)).toBe(false);
		expect(bare).toContain('"manager"');
		const whole = await exportOf(played, { payloads: true });
		expect(whole.join("\n")).toContain("customer-7");
		const report = await verifyLines(whole);
		expect(report).toMatchObject({ ok: true, payloads: { absent: 0 } });
		expect(report.payloads.checked).toBeGreaterThan(20);
	});

	test("of a log without a leaf verifies too", async () => {
		const played = auditStage();
		expect(await verifyLines(await exportOf(played))).toMatchObject({ ok: true, leaves: 0, checkpoints: 1 });
	});

	test("goes on from a trusted checkpoint, however the stream is cut into pieces", async () => {
		const played = auditStage();
		await payApproved(played, "r1", { by: ["ann"], amount: 50 });
		const since = await played.harness.audit.checkpoint();
		await payApproved(played, "r2", { by: ["ann"], amount: 50 });
		expect(await verifyLines(await exportOf(played), { since })).toMatchObject({ ok: true });
	});
});

/** What somebody may do to an export, each with the name that it must be given. */
interface Mutation {
	readonly name: string;
	readonly kind: string;
	readonly change: (lines: string[], leaves: number[]) => string[];
	/** Where it must be said to be. */
	readonly at?: (lines: readonly string[], leaves: readonly number[]) => number | undefined;
}

function replaced(lines: readonly string[], at: number, change: (line: LeafLine) => unknown): string[] {
	return lines.map((line, i) => (i === at ? JSON.stringify(change(parse(line))) : line));
}

const forged = (line: LeafLine, event: Leaf["event"]): LeafLine => ({ ...line, leaf: { ...line.leaf, event } });
const rehashed = (line: LeafLine): LeafLine => ({ ...line, hash: hashOf(line.leaf) });
/** Numbers the lines anew, as a careful forger would. */
function renumbered(lines: readonly string[]): string[] {
	let i = 0;
	return lines.map((line) => (isLeaf(line) ? JSON.stringify({ ...parse(line), i: i++ }) : line));
}

const nth = (n: number) => (_: readonly string[], leaves: readonly number[]) => parse(_[leaves[n] ?? 0] ?? "").i;

const mutations: readonly Mutation[] = [
	{
		name: "a leaf is altered",
		kind: "altered",
		change: (lines, leaves) => replaced(lines, leaves[20] ?? 0, (line) => forged(line, { type: "call.decided" })),
		at: nth(20),
	},
	{
		name: "a leaf is altered, and its hash with it",
		kind: "altered",
		change: (lines, leaves) =>
			replaced(lines, leaves[20] ?? 0, (line) => rehashed(forged(line, { type: "call.decided" }))),
	},
	{
		name: "the hash beside a leaf is altered",
		kind: "altered",
		change: (lines, leaves) =>
			replaced(lines, leaves[20] ?? 0, (line) => ({ ...line, hash: hashOf({ ...line.leaf, at: 1 }) })),
		at: nth(20),
	},
	{
		name: "a leaf is dropped",
		kind: "dropped",
		change: (lines, leaves) => lines.toSpliced(leaves[20] ?? 0, 1),
		at: nth(20),
	},
	{
		name: "a leaf is dropped, and the others are numbered anew",
		kind: "dropped",
		change: (lines, leaves) => renumbered(lines.toSpliced(leaves[20] ?? 0, 1)),
	},
	{
		name: "the first leaf is dropped",
		kind: "dropped",
		change: (lines, leaves) => lines.toSpliced(leaves[0] ?? 0, 1),
		at: () => 0,
	},
	{
		name: "the last leaf is dropped",
		kind: "dropped",
		change: (lines, leaves) => lines.toSpliced(leaves.at(-1) ?? 0, 1),
		at: (lines, leaves) => parse(lines[leaves.at(-1) ?? 0] ?? "").i,
	},
	{
		name: "a leaf is put in",
		kind: "inserted",
		change: (lines, leaves) => lines.toSpliced(leaves[20] ?? 0, 0, lines[leaves[20] ?? 0] ?? ""),
		at: nth(20),
	},
	{
		name: "a forged leaf is put in, and the others are numbered anew",
		kind: "inserted",
		change: (lines, leaves) => {
			const line = parse(lines[leaves[20] ?? 0] ?? "");
			const made = rehashed({ ...line, leaf: { ...line.leaf, run: "r-forged", n: 1 } });
			return renumbered(lines.toSpliced(leaves[20] ?? 0, 0, JSON.stringify(made)));
		},
	},
	{
		name: "two leaves change places",
		kind: "reordered",
		change: (lines, leaves) => {
			const [a = 0, b = 0] = [leaves[20], leaves[21]];
			return lines.with(a, lines[b] ?? "").with(b, lines[a] ?? "");
		},
		at: nth(20),
	},
	{
		name: "two leaves of a run change places, and the others are numbered anew",
		kind: "reordered",
		change: (lines, leaves) => {
			const [a = 0, b = 0] = [leaves[20], leaves[21]];
			return renumbered(lines.with(a, lines[b] ?? "").with(b, lines[a] ?? ""));
		},
	},
	{ name: "it is cut between two lines", kind: "truncated", change: (lines, leaves) => lines.slice(0, leaves[30]) },
	{ name: "its end is gone", kind: "truncated", change: (lines) => lines.slice(0, -1) },
	{
		name: "its end speaks of other leaves",
		kind: "malformed",
		change: (lines) => lines.with(-1, JSON.stringify({ type: "end", size: 1 })),
	},
	{ name: "its last checkpoint is gone", kind: "truncated", change: (lines) => lines.toSpliced(-2, 1) },
	{
		name: "all checkpoints are gone",
		kind: "truncated",
		change: (lines) => lines.filter((line) => !line.startsWith('{"type":"checkpoint"')),
	},
	{
		name: "a checkpoint's text is altered",
		kind: "altered",
		change: (lines) =>
			lines.map((line) =>
				line.startsWith('{"type":"checkpoint"')
					? line.replace(/\\n(\d+)\\n/, (_, size) => `\\n${Number(size) + 1}\\n`)
					: line,
			),
	},
	{
		name: "what stands beside a checkpoint is altered",
		kind: "altered",
		change: (lines, leaves) =>
			replaced(lines, leaves[3] ?? 0, (line) => forged(line, { type: "x" })).map((line) =>
				line.startsWith('{"type":"checkpoint"') ? JSON.stringify({ ...JSON.parse(line), frontier: [] }) : line,
			),
	},
	{ name: "a line is no JSON", kind: "malformed", change: (lines, leaves) => lines.with(leaves[20] ?? 0, "{") },
	{
		name: "a line has white space",
		kind: "malformed",
		change: (lines, leaves) => lines.with(leaves[20] ?? 0, ` ${lines[leaves[20] ?? 0]}`),
	},
	{
		name: "a line says one thing twice",
		kind: "malformed",
		change: (lines, leaves) =>
			lines.with(leaves[20] ?? 0, (lines[leaves[20] ?? 0] ?? "").replace('"i":', '"i":0,"i":')),
	},
	{ name: "the head is gone", kind: "malformed", change: (lines) => lines.slice(1) },
	{ name: "something follows the end", kind: "malformed", change: (lines) => [...lines, lines[1] ?? ""] },
];

describe("a mutation is found, and named", () => {
	test.each(mutations)("$name: $kind", async ({ kind, change, at }) => {
		const lines = await exportOf(await scene());
		const leaves = lines.flatMap((line, i) => (isLeaf(line) ? [i] : []));
		const report = await verifyLines(change([...lines], leaves));
		expect(report.ok).toBe(false);
		expect([...new Set(report.findings.map((finding) => finding.kind))]).toEqual([kind]);
		if (at) expect(report.findings.map(({ index }) => index)).toContain(at(lines, leaves));
		// What is wrong in one stretch says nothing of the others.
		if (kind !== "truncated") expect(report.findings.length).toBeLessThan(10);
	});

	test("every single leaf: altered, dropped, doubled, each at its index", async () => {
		const lines = await exportOf(await scene());
		for (const [at, line] of lines.entries()) {
			if (!isLeaf(line)) continue;
			const { i } = parse(line);
			const altered = await verifyLines(replaced(lines, at, (one) => ({ ...one, leaf: { ...one.leaf, at: 1 } })));
			expect(altered.findings).toMatchObject([{ kind: "altered", index: i }]);
			expect((await verifyLines(lines.toSpliced(at, 1))).findings).toMatchObject([{ kind: "dropped", index: i }]);
			expect((await verifyLines(lines.toSpliced(at, 0, line))).findings).toMatchObject([
				{ kind: "inserted", index: i },
			]);
		}
	});

	test("cut in the middle of a line: truncated, and the last line that is whole is named", async () => {
		const lines = await exportOf(await scene());
		const text = `${lines.join("\n")}\n`;
		for (const at of [0.1, 0.5, 0.9, 0.9999]) {
			const { findings } = await verifyExport([text.slice(0, Math.floor(text.length * at))], { key: auditKey });
			expect(findings).toMatchObject([{ kind: "truncated", line: expect.any(Number) }]);
		}
	});

	test("two changes in different stretches are both found where they are", async () => {
		const lines = await exportOf(await scene());
		const leaves = lines.flatMap((line, i) => (isLeaf(line) ? [i] : []));
		const first = replaced(lines, leaves[3] ?? 0, (line) => forged(line, { type: "x" }));
		const report = await verifyLines(first.toSpliced(leaves[40] ?? 0, 1));
		expect(report.findings).toMatchObject([
			{ kind: "altered", index: 3 },
			{ kind: "dropped", index: 40 },
		]);
	});

	test("a payload that is not what it was: altered", async () => {
		const lines = await exportOf(await scene(), { payloads: true });
		const report = await verifyLines(
			lines.map((line) => line.replace('"input":"{\\"amount\\":50', '"input":"{\\"amount\\":49')),
		);
		// What the user asked, and what the model made of it.
		const altered = { kind: "altered", run: "r-approved", message: expect.stringContaining("payload") };
		expect(report.findings).toMatchObject([altered, altered]);
	});
});

describe("keys and checkpoints", () => {
	test("a checkpoint of another key is named, and nothing it says is believed", async () => {
		const lines = await exportOf(await scene());
		const other = otherSigner();
		const report = await verifyLines(lines, { key: other.text });
		expect(report.findings[0]).toMatchObject({ kind: "wrong_key", message: expect.stringContaining(auditSigner.id) });
		expect(report).toMatchObject({ ok: false, checkpoints: 0, checkpoint: undefined });
	});

	test("a log that was made anew under another key is not ours", async () => {
		const other = otherSigner();
		const played = auditStage({ harness: { audit: { key: other.secretText } } });
		await sixRuns(played);
		const report = await verifyLines(await exportOf(played));
		expect(report.findings.map(({ kind }) => kind)).toContain("wrong_key");
		expect(report.ok).toBe(false);
	});

	test("a trusted checkpoint of another key is named", async () => {
		const since = signCheckpoint({ origin: auditSigner.name, size: 1, root: Buffer.alloc(32) }, otherSigner());
		const report = await verifyLines(await exportOf(await scene()), { since });
		expect(report.findings).toMatchObject([{ kind: "wrong_key", message: expect.stringContaining("trusted") }]);
	});

	test("an older export: rolled back; without the checkpoint that was kept nobody can know", async () => {
		const played = auditStage();
		await payApproved(played, "r1", { by: ["ann"], amount: 50 });
		const older = await exportOf(played);
		await payApproved(played, "r2", { by: ["ann"], amount: 50 });
		const since = await played.harness.audit.checkpoint();
		expect(await verifyLines(older)).toMatchObject({ ok: true });
		expect((await verifyLines(older, { since })).findings).toMatchObject([{ kind: "rolled_back" }]);
	});

	test("a log that was rolled back and went on in another way: rolled back", async () => {
		const [one, two] = [auditStage(), auditStage()];
		await payApproved(one, "r1", { by: ["ann"], amount: 50 });
		const since = await one.harness.audit.checkpoint();
		await sixRuns(two);
		expect((await verifyLines(await exportOf(two), { since })).findings).toMatchObject([{ kind: "rolled_back" }]);
	});
});

describe("an execution without what its decision asked for is found in a log that its own key signed", () => {
	async function leavesOf(run: string): Promise<Leaf[]> {
		const lines = await exportOf(await scene());
		const leaves = lines.filter(isLeaf).map((line) => parse(line).leaf);
		return leaves.filter((leaf) => leaf.run === run).map((leaf, at) => ({ ...leaf, n: at + 1 }));
	}
	const renumberedRun = (leaves: readonly Leaf[]) => leaves.map((leaf, at) => ({ ...leaf, n: at + 1 }));
	const without = (type: string) => (leaves: readonly Leaf[]) =>
		renumberedRun(leaves.filter(({ event }) => event.type !== type));
	const edit =
		(type: string, facts: Record<string, unknown>, nth = 0) =>
		(leaves: readonly Leaf[]) => {
			let seen = 0;
			return leaves.map((leaf) =>
				leaf.event.type === type && seen++ >= nth ? { ...leaf, event: { ...leaf.event, ...facts } } : leaf,
			);
		};
	const swap = (a: string, b: string) => (leaves: readonly Leaf[]) => {
		const [i, j] = [
			leaves.findLastIndex(({ event }) => event.type === a),
			leaves.findIndex(({ event }) => event.type === b),
		];
		return renumberedRun(leaves.with(i, leaves[j] as Leaf).with(j, leaves[i] as Leaf));
	};

	test.each(["r-allowed", "r-approved", "r-two", "r-edited", "r-denied"])("as it is, %s has none", async (run) => {
		expect((await verifyLines(signedLog(await leavesOf(run)))).findings).toEqual([]);
	});

	test("a run without its beginning is not taken for one that is right", async () => {
		const [first, ...rest] = renumberedRun(without("run.started")(await leavesOf("r-allowed")));
		const { findings } = await verifyLines(signedLog([first as Leaf, ...rest]));
		expect(findings).toEqual([
			expect.objectContaining({
				kind: "dropped",
				run: "r-allowed",
				event: 1,
				message: "Run r-allowed begins without its start",
			}),
		]);
	});

	test("a run that starts anew in its middle does not make what it did before unknown", async () => {
		const leaves = await leavesOf("r-allowed");
		const at = leaves.findIndex(({ event }) => event.type === "call.started");
		const again = [
			leaves[0],
			...leaves.slice(0, at + 1).filter(({ event }) => event.type.startsWith("call.")),
		] as Leaf[];
		const { findings } = await verifyLines(signedLog(renumberedRun(leaves.toSpliced(at + 1, 0, ...again))));
		expect(findings.map(({ kind }) => kind)).toEqual(["inserted", "unapproved_execution"]);
	});

	test.each([
		["no decision", "r-allowed", without("call.decided")],
		["denied by the policy", "r-allowed", edit("call.decided", { verdict: "deny" })],
		["nobody was asked", "r-approved", without("approval.requested")],
		["nobody answered", "r-approved", without("approval.resolved")],
		["the answer came after the start", "r-approved", swap("call.started", "approval.resolved")],
		["the decision came after the start", "r-allowed", swap("call.started", "call.decided")],
		["the answer was a no", "r-approved", edit("approval.resolved", { answer: "deny" })],
		["the answer came too late", "r-approved", edit("approval.resolved", { at: 9e15 })],
		["the answer does not count", "r-approved", edit("call.decided", { approvedBy: ["bob"] }, 1)],
		["the answer was the requester's own", "r-approved", edit("approval.resolved", { excepted: 1 })],
		["other arguments were approved", "r-approved", edit("call.decided", { bound: 2 }, 1)],
		["other arguments than the edited ones", "r-edited", edit("call.decided", { bound: 1 }, 1)],
		["one of two roles", "r-two", edit("approval.resolved", { by: { id: "max", roles: ["manager"] } })],
		["two people of one role", "r-two", edit("approval.resolved", { by: { id: "fin", roles: ["manager"] } }, 1)],
		["more people than answered", "r-approved", edit("call.decided", { ask: { people: 2 } }, 1)],
		[
			"a second start",
			"r-approved",
			(leaves: readonly Leaf[]) =>
				renumberedRun(leaves.flatMap((leaf) => (leaf.event.type === "call.started" ? [leaf, leaf] : [leaf]))),
		],
	])("%s", async (_, run, change) => {
		const report = await verifyLines(signedLog(change(await leavesOf(run))));
		expect(report.findings.length).toBeGreaterThan(0);
		expect(new Set(report.findings.map(({ kind }) => kind))).toEqual(new Set(["unapproved_execution"]));
		expect(report.findings[0]).toMatchObject({ run, call: "c1" });
	});
});

describe("what is laid down for every run", () => {
	test("is in the log: a grant, that it was revoked, a kill switch; whom and what it covers is not", async () => {
		const played = auditStage();
		const { approval } = onlyWait(await pay(played, "r1", { amount: 50, to: "eve" }), "approval");
		await played.harness.approve(approval, { by: { id: "ann", via: "test" }, always: { scope: "principal" } });
		await played.harness.resume("r1");
		expect(await pay(played, "r2", { amount: 50, to: "eve" })).toMatchObject({ status: "completed" });
		const [grant] = (await played.harness.governance.standing()).grants;
		await played.harness.governance.revoke(grant?.id ?? "", { by: "max" });
		await played.harness.governance.switchOff({ of: "tool", name: "pay", reason: "stolen card of eve", by: "max" });
		const lines = await exportOf(played);
		const facts = lines
			.filter(isLeaf)
			.flatMap((line) => (parse(line).leaf.n === undefined ? [parse(line).leaf.event] : []));
		expect(facts).toEqual([
			{ type: "policy.changed", version: "p1", by: expect.any(String) },
			expect.objectContaining({
				type: "grant.given",
				grant: grant?.id,
				tool: "pay",
				by: [expect.objectContaining({ id: "ann" })],
			}),
			{ type: "grant.revoked", grant: grant?.id, by: "max" },
			{ type: "switch.thrown", of: "tool", name: "pay", by: "max" },
		]);
		for (const word of ["customer-7", '"eve"', "stolen"]) expect(lines.join("\n").includes(word)).toBe(false);
		expect(await verifyLines(lines)).toMatchObject({ ok: true, executions: 2 });
		expect((await verifyLines(await exportOf(played, { payloads: true }))).findings).toEqual([]);

		const leaves = lines.filter(isLeaf).map((line) => parse(line).leaf);
		const revoked = leaves.findIndex(({ event }) => event.type === "grant.revoked");
		const used = leaves.findIndex(({ run }) => run === "r2");
		const late = signedLog([...leaves.slice(0, used), leaves[revoked] as Leaf, ...leaves.slice(used, revoked)]);
		expect((await verifyLines(late)).findings).toMatchObject([{ kind: "unapproved_execution", run: "r2", call: "c1" }]);
		const given = leaves.map((leaf) =>
			leaf.event.type === "grant.given" && leaf.n === undefined
				? { ...leaf, event: { ...leaf.event, expiresAt: 1 } }
				: leaf,
		);
		expect((await verifyLines(signedLog(given))).findings).toMatchObject([{ kind: "unapproved_execution", run: "r2" }]);
	});
});

describe("a grant in the log", () => {
	test("covers calls of its tool and its agent only, whomever else it is for", async () => {
		const played = auditStage();
		const { approval } = onlyWait(await pay(played, "r1", { amount: 50, to: "eve" }), "approval");
		await played.harness.approve(approval, { by: { id: "ann", via: "test" }, always: { scope: "agent" } });
		await played.harness.resume("r1");
		const other = { principal: "customer-8", runId: "r2" };
		expect(await played.harness.run(played.agent, '{"amount":50,"to":"eve"}', other)).toMatchObject({
			status: "completed",
		});
		const lines = await exportOf(played);
		expect(await verifyLines(lines)).toMatchObject({ ok: true, findings: [] });

		const leaves = lines.filter(isLeaf).map((line) => parse(line).leaf);
		const isGiven = ({ n, event }: Leaf) => event.type === "grant.given" && n === undefined;
		expect(leaves.find(isGiven)?.event).toMatchObject({ tool: "pay", agent: "tester", scope: "agent" });
		const changed = (facts: object) =>
			signedLog(leaves.map((leaf) => (isGiven(leaf) ? { ...leaf, event: { ...leaf.event, ...facts } } : leaf)));
		const wrong = [{ kind: "unapproved_execution", run: "r2", call: "c1" }];
		expect((await verifyLines(changed({ tool: "look" }))).findings).toMatchObject(wrong);
		expect((await verifyLines(changed({ agent: "another" }))).findings).toMatchObject(wrong);
		// A log of before grants said so.
		expect((await verifyLines(changed({ agent: undefined, scope: undefined }))).findings).toEqual([]);
	});
});

describe("a grant of an agent that works for others", () => {
	test("covers that agent's calls, in a team and inside of a call, and nobody else's", async () => {
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: jsonSchema<{ amount: number }>({ type: "object", properties: { amount: { type: "integer" } } }),
			execute: () => "paid",
		});
		const played = teamStage({
			cast: {
				boss: [call("ask_clerk", { task: "pay" }), say("done")],
				clerk: { tools: [pay], story: [call("pay", { amount: 50 }), say("paid")] },
			},
			team: ({ boss, clerk }) =>
				pipeline([{ ...(boss as Agent), tools: [agentTool(clerk as Agent)] }], { name: "office" }),
			harness: { audit: { key: auditSigner.secretText, everyLeaves: 12 } },
		});
		const held = onlyWait(await played.harness.run(played.team, "go", { runId: "r1" }), "approval");
		await played.harness.approve(held.approval, { by: { id: "ann", via: "test" }, always: { scope: "agent" } });
		await played.harness.resume("r1");
		expect(await played.harness.run(played.team, "go", { runId: "r2" })).toMatchObject({ status: "completed" });
		const lines = await exportOf(played);
		expect(await verifyLines(lines)).toMatchObject({ ok: true, findings: [] });
		const leaves = lines.filter(isLeaf).map((line) => parse(line).leaf);
		const decided = ({ run, event }: Leaf) => run === "r2" && event.type === "call.decided" && event["call"] === "c2";
		expect(leaves.find(decided)?.event).toMatchObject({ tool: "pay", agent: "clerk" });
		const changed = signedLog(
			leaves.map((leaf) => (decided(leaf) ? { ...leaf, event: { ...leaf.event, agent: "boss" } } : leaf)),
		);
		expect((await verifyLines(changed)).findings).toMatchObject([
			{ kind: "unapproved_execution", run: "r2", call: "c2" },
		]);
	});
});

describe("a grant that ends while a call is being started", () => {
	/** The call is decided with it, and it ends before anything begins. */
	async function started(ends: (scene: Stage, grant: string) => unknown) {
		const { store, meanwhile } = storeWithSomebodyElse();
		const played = auditStage({ store });
		const { approval } = onlyWait(await pay(played, "r1", { amount: 50, to: "eve" }), "approval");
		const always = { scope: "principal", expiresInMs: 1_000 } as const;
		await played.harness.approve(approval, { by: { id: "ann", via: "test" }, always });
		await played.harness.resume("r1");
		const [grant] = (await played.harness.governance.standing()).grants;
		meanwhile(() => ends(played, grant?.id ?? ""));
		await pay(played, "r2", { amount: 50, to: "eve" });
		return played;
	}

	const isOfCall = ({ run, event }: Leaf) => run === "r2" && event["call"] === "c1";

	test.each<[string, (scene: Stage, grant: string) => unknown, boolean]>([
		["revoked", (scene, grant) => scene.again().harness.governance.revoke(grant, { by: "max" }), false],
		["over", (scene) => scene.clock.advance(1_000), true],
	])("is heard of before it begins: nothing is done, and the log says so (%s)", async (_, ends, isAfter) => {
		const played = await started(ends);
		const outcomes = ofType(await played.events("r2"), "call.finished").map(({ outcome }) => outcome);
		expect(outcomes).toMatchObject([{ denied: expect.stringContaining("meanwhile") }]);
		const lines = await exportOf(played);
		expect((await verifyLines(lines)).findings).toEqual([]);

		const leaves = lines.filter(isLeaf).map((line) => parse(line).leaf);
		const decided = leaves.findIndex((leaf) => isOfCall(leaf) && leaf.event.type === "call.decided");
		expect(leaves[decided]?.event).toMatchObject({ grants: [expect.any(String)] });
		const finished = leaves.findIndex((leaf) => isOfCall(leaf) && leaf.event.type === "call.finished");
		// It ended after it was written that the call is started.
		if (isAfter) return;
		const wrong = [{ kind: "unapproved_execution", run: "r2", call: "c1" }];
		const done = leaves.with(finished, {
			...leaves[finished],
			event: { ...leaves[finished]?.event, outcome: "ok" },
		} as Leaf);
		expect((await verifyLines(signedLog(done))).findings).toMatchObject(wrong);
		expect((await verifyLines(signedLog(leaves.slice(0, finished)))).findings).toMatchObject(wrong);
		expect((await verifyLines(signedLog(leaves.toSpliced(finished, 1)))).findings).toMatchObject(wrong);
	});
});

describe("a proof of one event", () => {
	test("verifies alone, and for no other leaf, payload, key or log", async () => {
		const played = await scene();
		const proof = await played.harness.audit.prove({ run: "r-two", event: 5 }, { payloads: true });
		expect(proof.leaf).toMatchObject({ run: "r-two", n: 5 });
		const sent = JSON.parse(JSON.stringify(proof));
		expect(verifyProof(sent, auditKey)).toBeUndefined();
		expect(verifyProof({ ...sent, index: sent.index + 1 }, auditKey)?.kind).toBe("altered");
		expect(verifyProof({ ...sent, leaf: { ...sent.leaf, at: 1 } }, auditKey)?.kind).toBe("altered");
		expect(verifyProof({ ...sent, proof: sent.proof.slice(1) }, auditKey)?.kind).toBe("altered");
		expect(verifyProof({ ...sent, payload: { other: true }, salt: "x" }, auditKey)?.kind).toBe("altered");
		const { salt: _, ...unsalted } = sent;
		expect(verifyProof({ ...unsalted, payload: { forged: true } }, auditKey)?.kind).toBe("altered");
		expect(verifyProof(sent, otherSigner().text)?.kind).toBe("wrong_key");
		expect(verifyProof({ ...sent, checkpoint: sent.checkpoint.replace("\n", "x\n") }, auditKey)?.kind).toBe("altered");
		for (const wrong of [null, [], {}, { ...sent, v: 2 }, { ...sent, proof: [1] }, { ...sent, leaf: 5 }])
			expect(verifyProof(wrong, auditKey)?.kind).toBe("malformed");
	});

	test("of every leaf verifies", async () => {
		const played = await scene();
		const leaves = (await exportOf(played)).filter(isLeaf).length;
		for (let index = 0; index < leaves; index++) {
			expect(verifyProof(await played.harness.audit.prove(index), auditKey)).toBeUndefined();
		}
		await expect(played.harness.audit.prove(leaves)).rejects.toMatchObject({ code: "audit.unknown" });
		await expect(played.harness.audit.prove({ run: "r-two", event: 99 })).rejects.toMatchObject({
			code: "audit.unknown",
		});
	});
});

describe("where it is off", () => {
	test("nothing is written, and asking for it is an error", async () => {
		const played = stage({ story: [say("hello")] });
		await played.harness.run(played.agent, "hi");
		expect(await played.store.audit.head()).toEqual({ size: 0, checkpoint: undefined });
		await expect(played.harness.audit.key()).rejects.toMatchObject({ code: "audit.off" });
	});

	test("a harness that was told nothing goes on with the log that the store has", async () => {
		const played = await scene();
		const { size } = await played.store.audit.head();
		const again = auditStage({ store: played.store, clock: played.clock, harness: { audit: undefined } as never });
		await payApproved(again, "r-later", { by: ["ann"], amount: 50 });
		expect((await played.store.audit.head()).size).toBeGreaterThan(size);
	});

	test("a run that began before there was a log is in it whole once it goes on", async () => {
		const before = auditStage({ harness: { audit: false } });
		const result = await before.harness.run(before.agent, JSON.stringify({ amount: 50, to: "shop" }), { runId: "r1" });
		expect(result.status).toBe("waiting");
		const after = auditStage({ store: before.store, clock: before.clock });
		const [held] = await after.harness.approvals();
		await after.harness.approve(held?.approval ?? "", { by: { id: "ann", via: "test" } });
		await after.harness.resume("r1");
		const report = await verifyLines(await exportOf(after, { payloads: true }));
		expect(report).toMatchObject({ ok: true, executions: 1, leaves: 1 + (await after.events("r1")).length });
	});

	const ann = { by: { id: "ann", via: "test" } } as const;

	/** One process of a store, with an audit log and without. */
	function processes(store?: Store) {
		const on = auditStage(store ? { store } : {});
		return { on, off: auditStage({ store: on.store, clock: on.clock, harness: { audit: false } }) };
	}

	test("what a process that keeps none did is added by the next one that keeps it, without a gap", async () => {
		const { on, off } = processes();
		await pay(on, "r1", { amount: 700, to: "shop" });
		const [held] = await off.harness.approvals();
		await off.harness.approve(held?.approval ?? "", { by: { id: "max", via: "test" } });
		expect(await off.harness.resume("r1")).toMatchObject({ status: "waiting" });
		await on.harness.approve(held?.approval ?? "", { by: { id: "fin", via: "test" } });
		expect(await on.harness.resume("r1")).toMatchObject({ status: "completed" });
		expect(await verifyLines(await exportOf(on))).toMatchObject({ ok: true, executions: 1, openRuns: 0 });
	});

	test("that a run has no end in the log is said, and its end is added where it is asked for", async () => {
		const { on, off } = processes();
		await pay(on, "r1", { amount: 50, to: "shop" });
		const [held] = await off.harness.approvals();
		await off.harness.approve(held?.approval ?? "", ann);
		expect(await off.harness.resume("r1")).toMatchObject({ status: "completed" });
		expect(await verifyLines(await exportOf(on))).toMatchObject({ ok: true, executions: 0, openRuns: 1 });
		await on.harness.resume("r1");
		const report = await verifyLines(await exportOf(on, { payloads: true }));
		expect(report).toMatchObject({ ok: true, executions: 1, openRuns: 0, payloads: { absent: 0 } });
		const { size } = await on.store.audit.head();
		await on.harness.resume("r1");
		expect((await on.store.audit.head()).size).toBe(size);
	});

	test.each([1, 2, 3])("a process that dies with %i leaves of a run added leaves no gap", async (added) => {
		const inner = memoryStore();
		let isDying = false;
		const commit: Store["commit"] = async (run, epoch, writes) => {
			if (!isDying) return inner.commit(run, epoch, writes);
			await inner.commit(run, epoch, writes.slice(0, added));
			throw new HoldpointError("store.failed", "killed");
		};
		const { on, off } = processes({ ...inner, commit });
		await pay(off, "r1", { amount: 50, to: "shop" });
		const [held] = await off.harness.approvals();
		await off.harness.approve(held?.approval ?? "", ann);
		isDying = true;
		await expect(on.harness.resume("r1")).rejects.toThrow("killed");
		isDying = false;
		expect((await on.store.audit.head()).size).toBe(added);
		expect(await on.harness.resume("r1")).toMatchObject({ status: "completed" });
		const lines = await exportOf(on);
		expect(await verifyLines(lines)).toMatchObject({ ok: true, executions: 1 });
		const own = leavesIn(lines).filter(({ run }) => run === "r1");
		expect(own.map(({ event }) => event.type)).toEqual((await on.events("r1")).map(({ type }) => type));
	});
});
