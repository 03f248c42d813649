/** A few governed runs with an audit log, for this package's own tests. */
import { randomBytes } from "node:crypto";
import type { Leaf, LeafLine } from "../audit/verifier/export-lines.ts";
import { leafHash, MerkleTree } from "../audit/verifier/merkle.ts";
import { signCheckpoint, signerOf } from "../audit/verifier/note.ts";
import type { AuditReport } from "../audit/verifier/verify.ts";
import { verifyExport } from "../audit/verifier/verify.ts";
import type { Approver } from "../spec/events.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";
import { onlyWait, type Stage, type StageOptions, stage } from "./stage.ts";
import { call, say } from "./story.ts";

export const auditSigner = signerOf("audit.example.com/test", new Uint8Array(32).fill(5));
export const auditKey = auditSigner.text;

const rolesOf = ({ id }: Approver): readonly string[] => (id === "max" ? ["manager"] : id === "fin" ? ["finance"] : []);

/** Below 10: allowed. From 500: a manager and somebody of finance. Otherwise anybody. */
export function auditStage(options: Partial<StageOptions> = {}): Stage {
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: jsonSchema<{ amount: number; to: string }>({
			type: "object",
			properties: { amount: { type: "integer" }, to: { type: "string" } },
			required: ["amount", "to"],
		}),
		execute: ({ amount, to }) => `paid ${amount} to ${to}`,
	});
	const policy = {
		version: "p1",
		decide: ({ args }: { readonly args: unknown }) => {
			const { amount } = args as { amount: number };
			if (amount < 10) return { verdict: "allow" } as const;
			const roles = amount >= 500 ? ["manager", "finance"] : [];
			return { verdict: "ask", reason: `money for ${JSON.stringify(args)}`, ask: { roles } } as const;
		},
	};
	const { harness, ...rest } = options;
	return stage({
		story: (ask, n) => (n === 0 ? call("pay", JSON.parse(inputOf(ask.messages))) : say("done")),
		tools: [pay],
		harness: { policy, rolesOf, audit: { key: auditSigner.secretText, everyLeaves: 12 }, ...harness },
		...rest,
	});
}

/** The arguments are the message. */
function inputOf(messages: readonly { readonly role: string; readonly content: unknown }[]): string {
	const asked = messages.findLast(({ role }) => role === "user")?.content as readonly { readonly text: string }[];
	return asked[0]?.text ?? "{}";
}

/** Starts a run that pays. */
export async function pay(scene: Stage, runId: string, args: { readonly amount: number; readonly to: string }) {
	return scene.harness.run(scene.agent, JSON.stringify(args), { runId, principal: "customer-7" });
}

/** Starts a run that waits, takes the answers, and goes on. */
export async function payApproved(
	scene: Stage,
	runId: string,
	{ by, args, amount, to = "shop" }: { by: readonly string[]; args?: unknown; amount: number; to?: string },
) {
	const { approval } = onlyWait(await pay(scene, runId, { amount, to }), "approval");
	for (const id of by) {
		await scene.harness.approve(approval, {
			by: { id, via: "test" },
			reason: "fine with me",
			...(args === undefined ? {} : { args: args as never }),
		});
	}
	return scene.harness.resume(runId);
}

/** Six runs: allowed, approved, approved by two, denied, edited, and one that waits. */
export async function sixRuns(scene: Stage): Promise<void> {
	await pay(scene, "r-allowed", { amount: 5, to: "shop" });
	await payApproved(scene, "r-approved", { by: ["ann"], amount: 50 });
	await payApproved(scene, "r-two", { by: ["max", "fin"], amount: 700 });
	const { approval } = onlyWait(await pay(scene, "r-denied", { amount: 60, to: "eve" }), "approval");
	await scene.harness.deny(approval, { by: { id: "ann", via: "test" }, reason: "not eve" });
	await scene.harness.resume("r-denied");
	await payApproved(scene, "r-edited", { by: ["ann"], amount: 70, args: { amount: 60, to: "shop" } });
	await pay(scene, "r-waits", { amount: 80, to: "shop" });
}

export async function exportOf(
	scene: Pick<Stage, "harness">,
	options: { readonly payloads?: boolean } = {},
): Promise<string[]> {
	const lines: string[] = [];
	for await (const line of scene.harness.audit.export(options)) lines.push(line);
	return lines;
}

export function verifyLines(
	lines: readonly string[],
	{ key = auditKey, since }: { readonly key?: string; readonly since?: string | undefined } = {},
): Promise<AuditReport> {
	return verifyExport([`${lines.join("\n")}\n`], { key, since });
}

export function otherSigner() {
	return signerOf(auditSigner.name, randomBytes(32));
}

export const isLeaf = (line: string): boolean => line.startsWith('{"type":"leaf"');
export const hashOf = (leaf: Leaf): string => leafHash(JSON.stringify(leaf)).toString("base64url");

export function leavesIn(lines: readonly string[]): Leaf[] {
	return lines.filter(isLeaf).map((line) => (JSON.parse(line) as LeafLine).leaf);
}

/** A log that its own key signed, of leaves that somebody made. */
export function signedLog(leaves: readonly Leaf[]): string[] {
	const tree = new MerkleTree();
	const lines = leaves.map((leaf, i) => {
		tree.add(leafHash(JSON.stringify(leaf)));
		return JSON.stringify({ type: "leaf", i, hash: hashOf(leaf), leaf });
	});
	const note = signCheckpoint({ origin: auditSigner.name, size: leaves.length, root: tree.root() }, auditSigner);
	const frontier = tree.frontier.map((one) => Buffer.from(one).toString("base64"));
	const head = { type: "head", format: "holdpoint-audit", v: 1, origin: auditSigner.name, size: leaves.length };
	return [head, { type: "checkpoint", note, frontier }, { type: "end", size: leaves.length }]
		.map((line) => JSON.stringify(line))
		.toSpliced(1, 0, ...lines);
}
