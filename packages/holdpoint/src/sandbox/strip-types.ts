/**
 * Removes TypeScript types from a program, every other character staying where it was.
 *
 * Node's own stripper does it, but never on this thread: some 200 characters (`async<T>(a=` twenty times) keep it busy
 * for hours, and 4 KB (`a=>` a thousand times) leave it broken for the rest of the process, which then can load no
 * TypeScript at all. So it runs in a worker thread, one program at a time, and a worker that is late or broken is thrown
 * away. The worker is started by the first program that needs it and goes when none came for a while.
 */
import { Worker } from "node:worker_threads";

export type Stripped =
	| { readonly ok: true; readonly text: string }
	| {
			readonly ok: false;
			/** `unsupported`: TypeScript that makes code, such as `enum`. `fault`: it took too long, or broke. */
			readonly kind: "invalid" | "unsupported" | "fault";
			readonly message: string;
			/** Counted from 1; undefined where it is not known. */
			readonly place: { readonly line: number; readonly column: number } | undefined;
	  };

const timeoutMsDefault = 2_000;
const idleMs = 30_000;

// Plain text, so that no bundler has to carry a second entry. The warning that the stripper is experimental is silenced
// in the worker, whose `process` is its own; the host's warnings stay as they are.
const workerSource = `
const { parentPort } = require("node:worker_threads");
process.emitWarning = () => {};
const { stripTypeScriptTypes } = require("node:module");
stripTypeScriptTypes("");
parentPort.on("message", (source) => {
	try {
		parentPort.postMessage({ text: stripTypeScriptTypes(source) });
	} catch (error) {
		parentPort.postMessage({ code: String(error?.code), message: String(error?.message), stack: String(error?.stack) });
	}
});
parentPort.postMessage({ text: "" });
`;

interface Reply {
	readonly text?: string;
	readonly code?: string;
	readonly message?: string;
	readonly stack?: string;
}

let worker: Worker | undefined;
let idle: NodeJS.Timeout | undefined;
let last: Promise<unknown> = Promise.resolve();

/** Strips a script. Units: `timeoutMs` milliseconds. */
export function stripTypes(source: string, options: { readonly timeoutMs?: number } = {}): Promise<Stripped> {
	const work = last.then(() => stripInWorker(source, options.timeoutMs ?? timeoutMsDefault));
	last = work;
	return work;
}

async function stripInWorker(source: string, timeoutMs: number): Promise<Stripped> {
	clearTimeout(idle);
	try {
		worker ??= await startWorker();
		worker.ref();
		const reply = await ask(worker, { text: source, timeoutMs });
		// It blanks types out, so lengths agree; if they ever did not, positions would be wrong without a sign of it.
		if (reply.text?.length === source.length) return { ok: true, text: reply.text };
		if (reply.code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") return failure("unsupported", reply, source);
		if (reply.code === "ERR_INVALID_TYPESCRIPT_SYNTAX") return failure("invalid", reply, source);
		throw new Error("it is nested too deeply or too long");
	} catch (error) {
		void worker?.terminate();
		worker = undefined;
		return {
			ok: false,
			kind: "fault",
			message: error instanceof Error ? error.message : String(error),
			place: undefined,
		};
	} finally {
		worker?.unref();
		idle = setTimeout(retire, idleMs).unref();
	}
}

function retire(): void {
	void worker?.terminate();
	worker = undefined;
}

async function startWorker(): Promise<Worker> {
	const started = new Worker(workerSource, { eval: true, argv: [], execArgv: [], env: {} });
	// One that nobody waits for may fail too, and an error without a listener would end the process.
	started.on("error", () => {});
	started.once("exit", () => {
		if (worker === started) worker = undefined;
	});
	try {
		await ask(started, {});
		return started;
	} catch (error) {
		void started.terminate();
		throw error;
	}
}

/** Sends a text, or only waits for the worker to say that it is ready. */
function ask(to: Worker, question: { readonly text?: string; readonly timeoutMs?: number }): Promise<Reply> {
	return new Promise((resolve, reject) => {
		const late = () => settle(() => reject(new Error(`it takes more than ${question.timeoutMs} ms`)));
		const timer = question.timeoutMs === undefined ? undefined : setTimeout(late, question.timeoutMs);
		const onMessage = (reply: Reply) => settle(() => resolve(reply));
		const onError = (error: unknown) => settle(() => reject(error));
		const onExit = () => settle(() => reject(new Error("the worker that does it ended")));
		function settle(how: () => void): void {
			clearTimeout(timer);
			to.off("message", onMessage).off("error", onError).off("exit", onExit);
			how();
		}
		to.on("message", onMessage).on("error", onError).on("exit", onExit);
		if (question.text !== undefined) to.postMessage(question.text);
	});
}

/** Node tells the place only in the text of the stack: the line, then the lines around it and carets below the spot. */
function failure(kind: "invalid" | "unsupported", reply: Reply, source: string): Stripped {
	const [head = "", ...shown] = (reply.stack ?? "").split("\n");
	const line = Number(/^.*?:(\d+)$/.exec(head)?.[1]);
	const text = source.split("\n")[line - 1];
	const carets = shown.find((each) => /^\s*\^+\s*$/.test(each));
	const isKnown = text !== undefined && carets !== undefined;
	const place = isKnown ? { line, column: unitAt(text, carets.indexOf("^")) + 1 } : undefined;
	return { ok: false, kind, message: reply.message ?? "", place };
}

const wide =
	/[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;
const without = /[\p{M}\p{Cf}]/u;

/** The caret counts columns of a screen, where tabs stop at each fourth and some characters are wide or have no width. */
function unitAt(line: string, screenColumn: number): number {
	let unit = 0;
	let column = 0;
	for (const char of line) {
		if (column >= screenColumn) break;
		if (char === "\t") column += 4 - (column % 4);
		else if (!without.test(char)) column += wide.test(char) ? 2 : 1;
		unit += char.length;
	}
	return unit;
}
