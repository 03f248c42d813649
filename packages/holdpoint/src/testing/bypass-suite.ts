/**
 * That no door leads around a policy, as cases that any test runner can run.
 *
 * For each door (the model itself, calls side by side, after a resume, inside a program, in its `Promise.all`, after a
 * rehearsal, …) and each answer that is no permission (denied; asked and unanswered, refused, or too late; approved by who
 * may not any more; a policy that throws; a budget that is used up; a stranger's words; a kill switch; a grant that holds
 * no longer): the tool does not run. That the doors are real is shown by the cases where it runs exactly once.
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
import type { Harness } from "../run/harness.ts";
import type { RunResult } from "../spec/result.ts";
import type { SandboxProvider } from "../spec/sandbox.ts";
import { bypassDoors } from "./bypass-doors.ts";
import { approver, type BypassDoor, type Knocking, type MakeHarness, openOf, Scene } from "./bypass-scene.ts";
import { allowed, type Verdict, verdicts } from "./bypass-verdicts.ts";

export interface BypassCase {
	readonly name: string;
	/** Errors: an AssertionError where the door is open. */
	run(makeHarness: MakeHarness): Promise<void>;
}

export interface BypassOptions {
	/** For the doors inside of programs; without one they are left out. */
	readonly sandbox?: SandboxProvider;
	/** Default: all that there are. */
	readonly doors?: readonly BypassDoor[];
}

/** Every door with every verdict. */
export function bypassSuite({ sandbox, doors = bypassDoors }: BypassOptions = {}): readonly BypassCase[] {
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

async function knock(knocking: Knocking<Verdict>): Promise<void> {
	const { door, verdict } = knocking;
	const scene = new Scene(knocking);
	await verdict.before?.(scene);
	const earlier = scene.ran.length;
	const first = await door.play(scene);
	const asksFirst = verdict.answer !== undefined && !scene.isAnswered;
	const mayHaveRun = asksFirst ? 0 : verdict.runs;
	assert.equal(scene.ran.length - earlier, mayHaveRun, "nothing that is asked about runs before the answer");
	let result = await answered(scene, first, verdict);
	if (verdict.ends === "waiting") {
		for (let again = 0; again < 2; again++) result = await (await scene.open()).resume(result.run);
	}
	assert.equal(result.status, verdict.ends, JSON.stringify(result));
	assert.equal(scene.ran.length - earlier, verdict.runs, "how often the tool ran");
	await assertRecorded(await scene.open(), verdict);
}

/** A door that must not exist stays shut whatever the policy says. */
async function knockAtWall(knocking: Knocking): Promise<void> {
	const scene = new Scene(knocking);
	const { status } = await knocking.door.play(scene);
	assert.equal(status, "completed");
	assert.deepEqual(scene.ran, []);
}

async function answered(scene: Scene, result: RunResult, { answer, meanwhile }: Verdict): Promise<RunResult> {
	if (scene.isAnswered || (answer === undefined && !meanwhile)) return result;
	const harness = await scene.open();
	const held = await openOf(harness, "danger");
	assert.ok(held, "somebody is asked");
	if (answer === "approve") await harness.approve(held.approval, { by: approver });
	if (answer === "deny") await harness.deny(held.approval, { by: approver, reason: "no" });
	await meanwhile?.(scene);
	return (await scene.open()).resume(result.run);
}

/** What did not run was decided so, and what ran was started: the journal says both. */
async function assertRecorded(harness: Harness, { decided, runs }: Verdict): Promise<void> {
	const { state, events } = await harness.show("bypass");
	const calls = [...state.calls.values()].filter((call) => call.tool === "danger").map((call) => call.id);
	assert.equal(calls.length, 1, "the door was tried");
	const about = events.flatMap(({ event }) => ("call" in event && event.call === calls[0] ? event : []));
	const decisions = about.flatMap((event) => (event.type === "call.decided" ? event.verdict : []));
	assert.equal(decisions.at(-1), decided, `it was decided ${decisions}`);
	assert.ok(decided === "allow" || !decisions.includes("allow"), `it was decided ${decisions}`);
	assert.equal(about.filter((event) => event.type === "call.started").length, runs);
}
