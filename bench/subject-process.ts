import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type Ask, type Reply, replyMark } from "./subject.ts";

export interface SubjectFile {
	/** Absolute. */
	readonly path: string;
	readonly nodeFlags: readonly string[];
	readonly arguments: readonly string[];
	/** How long one answer may take. Units: milliseconds. */
	readonly timeoutMs: number;
}

const outputCharsMax = 4_000;
/** Time to end in good order. */
const farewellMs = 2_000;

/** A process that serves rows (`subject.ts`), as the one who asks sees it. One ask at a time. */
export class SubjectProcess {
	readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
	readonly #timeoutMs: number;
	readonly #gone: Promise<void>;
	#settle: ((reply: Reply) => void) | undefined;
	#errors = "";
	#over: string | undefined;

	constructor({ path, nodeFlags, arguments: args, timeoutMs }: SubjectFile) {
		this.#timeoutMs = timeoutMs;
		// A group of its own: a peer may start processes, too.
		this.#child = spawn(process.execPath, [...nodeFlags, path, ...args], {
			stdio: ["pipe", "pipe", "pipe"],
			detached: true,
		});
		createInterface({ input: this.#child.stdout }).on("line", (line) => {
			if (line.startsWith(replyMark)) this.#reply(JSON.parse(line.slice(replyMark.length)) as Reply);
		});
		this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
			this.#errors = (this.#errors + text).slice(-outputCharsMax);
		});
		// It may be dead when it is asked; its exit says so.
		this.#child.stdin.on("error", () => undefined);
		this.#child.on("error", (error) => this.#end(error.message));
		// What it started holds its pipes.
		this.#child.on("exit", () => this.#kill());
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#gone = promise;
		this.#child.on("close", (code, signal) => {
			this.#end(`it ended (${signal ?? code}): ${this.#errors.trim()}`);
			resolve();
		});
	}

	async ask(ask: Ask): Promise<Reply> {
		if (this.#over !== undefined) return { error: this.#over };
		const { promise, resolve } = Promise.withResolvers<Reply>();
		const late = setTimeout(() => this.#end(`no answer within ${this.#timeoutMs} ms`), this.#timeoutMs);
		this.#settle = resolve;
		this.#child.stdin.write(`${JSON.stringify(ask)}\n`);
		try {
			return await promise;
		} finally {
			clearTimeout(late);
		}
	}

	/** Ends the process, with whatever it started, and waits until it is gone. */
	async close(): Promise<void> {
		const late = setTimeout(() => this.#kill(), farewellMs);
		// It ends by itself when nobody can ask any more.
		this.#child.stdin.end();
		await this.#gone;
		clearTimeout(late);
	}

	#kill(): void {
		if (this.#child.pid === undefined) return;
		try {
			process.kill(-this.#child.pid, "SIGKILL");
		} catch {
			// Nothing of the group is left.
		}
	}

	#reply(reply: Reply): void {
		const settle = this.#settle;
		this.#settle = undefined;
		settle?.(reply);
	}

	#end(why: string): void {
		this.#over ??= why;
		this.#kill();
		this.#reply({ error: this.#over });
	}
}
