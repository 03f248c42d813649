/**
 * What happens to a model-written program before it runs: it is read, checked against the tools that it may call, and
 * made into the body of an async function for the guest.
 *
 * Owns: the order of the checks and the bounds of what is reported. Does not own: running anything.
 *
 * 1. No false alarm: whatever is reported would certainly fail, or could not be shown as what it is. What is computed is
 *    not judged.
 * 2. Lines are those of the model's text in everything that is returned, the code inside a Markdown block counting alone,
 *    and the engine counts the lines of the body alike.
 *
 * This file loads the JavaScript parser: import it lazily, when a program is there.
 */
import { checkCalls, type FoundProblem } from "./check-calls.ts";
import { type Examination, examineProgram } from "./examine-program.ts";
import { codeInside } from "./fenced-code.ts";
import { finishProgram } from "./finish-program.ts";
import { lineSeparators } from "./line-separators.ts";
import { noModules, type ParsedProgram, parseProgram } from "./parse-program.ts";
import { type ProgramProblem, problemsMax } from "./program-problems.ts";
import type { ProgramTool } from "./program-tool.ts";
import { placeOf } from "./wrapped-program.ts";

export { formatProblems, type ProgramProblem } from "./program-problems.ts";

export type PreparedProgram =
	| {
			readonly ok: true;
			/** Plain JavaScript: the body of an async function. */
			readonly body: string;
			/** Tools that the text names, in the order in which it does. */
			readonly calls: readonly string[];
			/** It may call others as well: it looks at `tools` itself, or computes a name. */
			readonly callsOthers: boolean;
	  }
	| {
			readonly ok: false;
			/** Sorted by place. */
			readonly problems: readonly ProgramProblem[];
	  };

export interface PrepareOptions {
	readonly sourceBytesMax: number;
	/** Something may replace arguments before they are validated, so that those of the program tell nothing. */
	readonly argumentsMayChange?: boolean;
}

/** Reads a program in JavaScript or TypeScript, and finds what is certainly wrong with it. */
export async function prepareProgram(
	source: string,
	tools: readonly ProgramTool[],
	options: PrepareOptions,
): Promise<PreparedProgram> {
	// Alike everywhere in a program; but the engine does not count every carriage return that stands alone.
	const code = codeInside(source).replace(/\r(?!\n)/g, "\n");
	const tooLong = sizeProblem(code, options);
	if (tooLong) return { ok: false, problems: [tooLong] };
	const parsed = await parseProgram(code);
	if (!parsed.ok) return { ok: false, problems: [parsed.problem] };
	const { text, statements } = parsed.program;
	const examination = examineProgram(statements);
	const byName = new Map(tools.map((tool) => [tool.name, tool]));
	const calls = checkCalls(examination, byName, { judgeArguments: !options.argumentsMayChange });
	const found = [...modulesIn(examination), ...separatorsIn(parsed.program), ...calls];
	if (found.length > 0) return { ok: false, problems: placed(found, text) };
	const named = examination.uses.map(({ name }) => name).filter((name) => byName.has(name));
	const body = finishProgram(parsed.program);
	// The sandbox counts what runs, and a `return` may have been added.
	const grown = sizeProblem(body, options);
	if (grown) return { ok: false, problems: [grown] };
	return { ok: true, body, calls: [...new Set(named)], callsOthers: examination.inspects || examination.computes };
}

function sizeProblem(code: string, { sourceBytesMax }: PrepareOptions): ProgramProblem | undefined {
	const bytes = Buffer.byteLength(code);
	if (bytes < sourceBytesMax) return undefined;
	const message = `The program has ${bytes} bytes as it runs; fewer than ${sourceBytesMax} are allowed (sourceBytesMax)`;
	return { line: 1, column: 1, code: "too-long", message };
}

function modulesIn({ modules }: Examination): FoundProblem[] {
	return modules.map(({ start }) => ({ offset: start, code: "forbidden", message: noModules }));
}

function separatorsIn({ text, statements }: ParsedProgram): FoundProblem[] {
	return lineSeparators(text, statements).map((offset) => {
		const name = `U+${text.charCodeAt(offset).toString(16)}`;
		return { offset, code: "forbidden", message: `${name} ends a line without showing it: use an ordinary line end` };
	});
}

function placed(found: readonly FoundProblem[], text: string): ProgramProblem[] {
	const sorted = found.toSorted((a, b) => a.offset - b.offset).slice(0, problemsMax);
	return sorted.map(({ offset, code, message }) => ({ ...placeOf(text, offset), code, message }));
}
