/**
 * That no door leads around a policy, as cases that any test runner can run.
 *
 * For each door (the model itself, calls side by side, after a resume, inside a program, in its `Promise.all`, …) and
 * each answer that is no permission (denied, asked and unanswered, asked and refused, a policy that throws, a budget that
 * is closed): the tool does not run. That the doors are real is shown by two more columns: allowed, and asked and approved, where it runs
 * exactly once.
 *
 * @example
 * for (const { name, run } of bypassSuite({ sandbox })) {
 * 	test(name, () => {
 * 		const store = myStore();
 * 		return run((options) => createHarness({ ...options, store }));
 * 	});
 * }
 */
import assert from "node:assert/strict";
import type { HarnessOptions } from "../holdpoint.ts";
import { defineAgent } from "../run/define-agent.ts";
import type { Harness } from "../run/harness.ts";
import type { Agent } from "../spec/agent.ts";
import type { Budget } from "../spec/budget.ts";
import type { Decision } from "../spec/policy.ts";
import type { RunResult } from "../spec/result.ts";
import type { SandboxProvider } from "../spec/sandbox.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";
import { type Door, doors } from "./bypass-doors.ts";
import { scriptedModel } from "./scripted-model.ts";

/** Called more than once in a case, as if by one process after the other: every harness has the same store. */
export type MakeHarness = (options: HarnessOptions) => Harness | Promise<Harness>;

export interface BypassCase {
	readonly name: string;
	/** Errors: an AssertionError where the door is open. */
	run(makeHarness: MakeHarness): Promise<void>;
}

export interface BypassOptions {
	/** For the doors inside of programs; without one they are left out. */
	readonly sandbox?: SandboxProvider;
}

/** Every door with every verdict. */
export function bypassSuite(options: BypassOptions = {}): readonly BypassCase[] {
	const { sandbox } = options;
	return doors.flatMap((door) => {
		if (door.programs && !sandbox) return [];
		if (door.closed) {
			const name = `${door.name}: even where it is allowed, it never runs`;
			return { name, run: (makeHarness: MakeHarness) => knockAtWall({ door, verdict: allowed, makeHarness, sandbox }) };
		}
		return verdicts.map((verdict) => ({
			name: `${door.name}: ${verdict.name}`,
			run: (makeHarness: MakeHarness) => knock({ door, verdict, makeHarness, sandbox }),
		}));
	});
}

interface Verdict {
	readonly name: string;
	decide(): Decision;
	/** What a person says, where one is asked. */
	readonly answer?: "approve" | "deny";
	readonly waits: boolean;
	readonly runs: 0 | 1;
	/** What stands beside the policy. */
	readonly budgets?: readonly Budget[];
}

const ask = (): Decision => ({ verdict: "ask", reason: "a person must say so" });

const allowed: Verdict = { name: "allowed, it runs once", decide: () => ({ verdict: "allow" }), waits: false, runs: 1 };

/** No call has what it adds up. */
const closedBudget: Budget = { name: "closed", counts: { tool: "danger", sum: "amount" }, max: 1 };

const verdicts: readonly Verdict[] = [
	{ name: "denied, it never runs", decide: () => ({ verdict: "deny", reason: "never" }), waits: false, runs: 0 },
	{ name: "asked and unanswered, it never runs", decide: ask, waits: true, runs: 0 },
	{ name: "asked and refused, it never runs", decide: ask, answer: "deny", waits: false, runs: 0 },
	{ name: "with a policy that throws, it never runs", decide: broken, waits: false, runs: 0 },
	{ ...allowed, name: "allowed, and closed by a budget, it never runs", runs: 0, budgets: [closedBudget] },
	{ name: "asked and approved, it runs once", decide: ask, answer: "approve", waits: false, runs: 1 },
	allowed,
];

function broken(): never {
	throw new Error("this policy is broken");
}

interface Knocking {
	readonly door: Door;
	readonly verdict: Verdict;
	readonly makeHarness: MakeHarness;
	readonly sandbox: SandboxProvider | undefined;
}

async function knock(knocking: Knocking): Promise<void> {
	const { verdict } = knocking;
	const { open, ran, first } = await approach(knocking);
	assert.equal(ran.length, verdict.answer ? 0 : verdict.runs, "nothing that is asked about runs before the answer");
	let result = verdict.answer ? await answer(first, { open, verdict: verdict.answer }) : first;
	if (verdict.waits) for (let again = 0; again < 2; again++) result = await (await open()).resume(result.run);
	assert.equal(result.status, verdict.waits ? "waiting" : "completed", JSON.stringify(result));
	assert.equal(ran.length, verdict.runs, `the tool ran ${ran.length} times`);
	await assertRecorded(await open(), verdict);
}

/** A door that must not exist stays shut whatever the policy says. */
async function knockAtWall(knocking: Knocking): Promise<void> {
	const { ran, first } = await approach(knocking);
	assert.equal(first.status, "completed", JSON.stringify(first));
	assert.deepEqual(ran, []);
}

interface Approach {
	readonly open: Open;
	/** Calls in which the tool really ran. */
	readonly ran: readonly string[];
	/** How the run stands when the door has been tried and nobody has said anything yet. */
	readonly first: RunResult;
}

async function approach({ door, verdict, makeHarness, sandbox }: Knocking): Promise<Approach> {
	const ran: string[] = [];
	const agent = agentFor(door, ran);
	const policy = ({ tool }: { readonly tool: { readonly name: string } }): Decision => {
		if (tool.name === "danger") return verdict.decide();
		return tool.name === "gate" ? ask() : { verdict: "allow" };
	};
	let processes = 0;
	const open = () => {
		const guest = door.replayed && sandbox ? { ...sandbox, guest: `build ${++processes}` } : sandbox;
		return makeHarness({ agents: [agent], policy, sandbox: guest ?? "off", budgets: verdict.budgets ?? [] });
	};
	const started = await (await open()).run(agent, "Go through the door.", { runId: "bypass" });
	return { open, ran, first: await passGates(started, open) };
}

function agentFor(door: Door, ran: string[]): Agent {
	const input = jsonSchema({ type: "object" });
	const tool = (name: string, effect: "read" | "write" | "destructive") =>
		defineTool({
			name,
			description: `The tool ${name}.`,
			input,
			effect,
			execute: (_, { call }) => {
				if (name === "danger") ran.push(call);
				return `${name} ran`;
			},
		});
	return defineAgent({
		name: "knocker",
		instructions: "Try every door.",
		model: scriptedModel(door.story, { countTokens: false }),
		tools: [tool("peek", "read"), tool("gate", "write"), tool("danger", "destructive")],
		programs: door.programs,
	});
}

type Open = () => Harness | Promise<Harness>;

/** Gates are held and approved, each time by another process, so that the door itself comes after a resume. */
async function passGates(result: RunResult, open: Open): Promise<RunResult> {
	let now = result;
	for (let round = 0; round < 5; round++) {
		const gate = approvalOf(now, "gate");
		if (gate === undefined) return now;
		const harness = await open();
		await harness.approve(gate, { by: { id: "gatekeeper", via: "test" } });
		now = await harness.resume(now.run);
	}
	throw new assert.AssertionError({ message: "the gates never end" });
}

async function answer(result: RunResult, how: { open: Open; verdict: "approve" | "deny" }): Promise<RunResult> {
	const held = approvalOf(result, "danger");
	if (held === undefined) return result;
	const harness = await how.open();
	const by = { id: "approver", via: "test" };
	await (how.verdict === "approve" ? harness.approve(held, { by }) : harness.deny(held, { by, reason: "no" }));
	return (await how.open()).resume(result.run);
}

function approvalOf(result: RunResult, tool: string): string | undefined {
	const waits = result.status === "waiting" ? result.waits : [];
	const found = waits.find((wait) => wait.kind === "approval" && wait.tool === tool);
	return found?.kind === "approval" ? found.approval : undefined;
}

/** What did not run was decided so, and what ran was started: the journal says both. */
async function assertRecorded(harness: Harness, verdict: Verdict): Promise<void> {
	const { state, events } = await harness.show("bypass");
	const calls = [...state.calls.values()].filter((call) => call.tool === "danger").map((call) => call.id);
	assert.equal(calls.length, 1, "the door was tried");
	const about = events.flatMap(({ event }) => ("call" in event && event.call === calls[0] ? event : []));
	const decisions = about.flatMap((event) => (event.type === "call.decided" ? event.verdict : []));
	const expected = verdict.decide === ask ? "ask" : verdict.runs === 1 ? "allow" : "deny";
	assert.ok(
		decisions.length > 0 && decisions.every((decision) => decision === expected),
		`it was decided ${decisions}`,
	);
	assert.equal(about.filter((event) => event.type === "call.started").length, verdict.runs);
}
