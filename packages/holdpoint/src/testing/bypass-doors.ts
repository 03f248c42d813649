import { call, calls, program, type Story, type StoryStep, say } from "./story.ts";

/** A way on which a model could come to the tool `danger`. `peek` is allowed; `gate` is held and approved. */
export interface Door {
	readonly name: string;
	readonly programs: boolean;
	readonly story: Story;
	/** Each process finds a snapshot that it cannot restore, so that the program is replayed from its start. */
	readonly replayed?: true;
	/** It must not exist: nobody is even asked. */
	readonly closed?: true;
}

export const doors: readonly Door[] = [
	{ name: "called by the model", programs: false, story: then(call("danger", { n: 1 })) },
	{
		name: "called side by side with allowed ones",
		programs: false,
		story: then(calls(["peek", "danger", "peek"].map((tool, n) => ({ tool, args: { n } })))),
	},
	{ name: "called after a resume", programs: false, story: then(call("gate"), call("danger", { n: 1 })) },
	{
		name: "called side by side with one that is approved",
		programs: false,
		story: then(calls(["gate", "danger"].map((tool, n) => ({ tool, args: { n } })))),
	},
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
			`await tools.peek({}); await tools.gate({}); return await tools.danger({ n: 1 }).catch(told);`,
		),
		replayed: true,
	},
	inProgram(
		"inside a program that swallows every error",
		`for (let tries = 0; tries < 1; tries++) { try { await tools.danger({ n: 1 }); } catch {} } return "tried";`,
	),
	{
		name: "called by the model although it is for programs",
		programs: true,
		story: then(call("danger", { n: 1 }, { undeclared: true })),
		closed: true,
	},
];

/** The steps, and then an end, however often the model is asked. */
function then(...steps: readonly StoryStep[]): Story {
	return (_, n) => steps[n] ?? say("I have tried.");
}

function inProgram(name: string, code: string): Door {
	const source = `const told = (error) => error.name + ": " + error.message;\n${code}`;
	return { name, programs: true, story: then(program(source)) };
}
