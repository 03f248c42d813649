import type { RunResult } from "../spec/result.ts";
import { approver, type BypassDoor, type BypassScene, gatekeeper } from "./bypass-scene.ts";
import { sourceOf, thenEnd } from "./bypass-stories.ts";
import { teamDoors } from "./bypass-team-doors.ts";
import { call, calls, program, type StoryStep } from "./story.ts";

const direct: readonly BypassDoor[] = [
	byModel("called by the model", call("danger", { n: 1 })),
	byModel(
		"called side by side with allowed ones",
		calls(["peek", "danger", "peek"].map((tool, n) => ({ tool, args: { n } }))),
	),
	byModel("called after a resume", call("gate"), call("danger", { n: 1 })),
	byModel(
		"called side by side with one that is approved",
		calls(["gate", "danger"].map((tool, n) => ({ tool, args: { n } }))),
	),
	inProgram("inside a program", `return await tools.danger({ n: 1 }).catch(told);`),
	inProgram(
		"inside the Promise.all of a program",
		`return await Promise.all([tools.peek({}), tools.danger({ n: 1 }).catch(told), tools.peek({})]);`,
	),
	inProgram(
		"inside a program after a resume",
		`await tools.gate({}); return await tools.danger({ n: 1 }).catch(told);`,
	),
	inProgram(
		"inside a program that closed over it before a resume",
		`const later = () => tools["dan" + "ger"]({ n: 1 }); await tools.gate({}); return await later().catch(told);`,
	),
	{
		...inProgram(
			"inside a program that is replayed from its start",
			`await tools.gate({}); return await tools.danger({ n: 1 }).catch(told);`,
		),
		replayed: true,
	},
	inProgram(
		"inside a program that swallows every error",
		`for (let tries = 0; tries < 1; tries++) { try { await tools.danger({ n: 1 }); } catch {} } return "tried";`,
	),
	rehearsed("foreseen in a rehearsal of which another row is approved", { call: "{ n: 1 }", rows: "gate" }),
	rehearsed("foreseen in a rehearsal and answered there", { call: "{ n: 1 }", rows: "answered" }),
	rehearsed("that deviates from the row that a rehearsal foresaw", { call: "{ n }", rows: "all" }),
	{
		name: "called by the model although it is for programs",
		programs: true,
		closed: true,
		play: (scene) => scene.enter([scene.agent(thenEnd(call("danger", { n: 1 }, { undeclared: true })), true)]),
	},
];

export const bypassDoors: readonly BypassDoor[] = [...direct, ...teamDoors];

function byModel(name: string, ...steps: readonly StoryStep[]): BypassDoor {
	return { name, play: (scene) => scene.enter([scene.agent(thenEnd(call("peek"), ...steps))]) };
}

function inProgram(name: string, code: string): BypassDoor {
	return { name, programs: true, play: (scene) => scene.enter([scene.agent(thenEnd(program(sourceOf(code))), true)]) };
}

interface Rehearsed {
	/** Arguments of the danger; `n` is what the gate gave: 1, and 2 in the rehearsal. */
	readonly call: string;
	/** Which rows are approved with the gate: its own, `answered` where the danger is to be approved, or all. */
	readonly rows: "gate" | "answered" | "all";
}

/** The program is held at the gate, and rehearsed: the danger is a row of what it would do. */
function rehearsed(name: string, { call: args, rows }: Rehearsed): BypassDoor {
	const code = `const n = await tools.gate({}).catch(() => 1); return await tools.danger(${args}).catch(told);`;
	const play = (scene: BypassScene): Promise<RunResult> =>
		scene.enter([scene.agent(thenEnd(program(sourceOf(code))), { rehearse: true })], async (harness, gate) => {
			const { approval, rehearsal } = gate;
			const foreseen = rehearsal?.rows.some(({ tool, verdict }) => tool === "danger" && verdict === "ask") ?? false;
			const isAhead = rows === "answered" && scene.answer === "approve" && foreseen;
			if (!rehearsal || (rows !== "all" && !isAhead)) return harness.approve(approval, { by: gatekeeper });
			// Who answers the danger's row answers the gate with it.
			await harness.approve(approval, {
				by: isAhead ? approver : gatekeeper,
				rows: "all",
				rehearsal: rehearsal.digest,
			});
			if (isAhead) await scene.answeredAhead();
			return undefined;
		});
	return { name, programs: true, play };
}
