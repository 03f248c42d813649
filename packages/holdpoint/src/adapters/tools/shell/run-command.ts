import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";

export interface CommandResult {
	/** Its exit code; left out where a signal ended it. */
	readonly exit?: number;
	readonly signal?: string;
	readonly stdout: string;
	readonly stderr: string;
	/** There was more than that of one of them. */
	readonly truncated?: true;
}

export interface CommandOptions {
	readonly cwd: string;
	readonly env: Readonly<Record<string, string>>;
	readonly outputBytesMax: number;
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
}

export type CommandEnd =
	| { readonly kind: "ended"; readonly result: CommandResult }
	| { readonly kind: "stopped"; readonly why: string }
	| { readonly kind: "not-started"; readonly why: string };

/** How long what it left behind may keep its outputs open after its end. Milliseconds. */
const drainMs = 500;

/** Runs a list of words to its end, or kills it with all that is in its process group. Never rejects. */
export function runCommand(words: readonly string[], options: CommandOptions): Promise<CommandEnd> {
	return new Running(words, options).end;
}

class Running {
	readonly end: Promise<CommandEnd>;
	readonly #child: ChildProcess;
	#stopped: string | undefined;

	constructor([program = "", ...args]: readonly string[], options: CommandOptions) {
		const { cwd, env, signal, timeoutMs, outputBytesMax } = options;
		const { promise, resolve } = Promise.withResolvers<CommandEnd>();
		this.#child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
		const { stdout, stderr } = this.#child;
		const [out, err] = [new Head(stdout, outputBytesMax), new Head(stderr, outputBytesMax)];
		const timer = setTimeout(() => this.#stop(`it did not end within ${timeoutMs} ms`), timeoutMs);
		const onAbort = () => this.#stop("its run was stopped, or its time was over");
		signal.addEventListener("abort", onAbort, { once: true });
		if (signal.aborted) onAbort();
		let drain: NodeJS.Timeout | undefined;
		this.#child.once("error", (error) => resolve({ kind: "not-started", why: error.message }));
		this.#child.once("exit", () => {
			this.#killGroup();
			drain = setTimeout(() => {
				for (const stream of [stdout, stderr]) stream?.destroy();
			}, drainMs);
		});
		this.#child.once("close", (code, killedBy) => {
			if (this.#stopped !== undefined) return resolve({ kind: "stopped", why: this.#stopped });
			const status = code === null ? { signal: killedBy ?? "unknown" } : { exit: code };
			const isCut = out.isCut || err.isCut;
			const result = { ...status, stdout: out.text, stderr: err.text, ...(isCut ? { truncated: true as const } : {}) };
			resolve({ kind: "ended", result });
		});
		this.end = promise.finally(() => {
			clearTimeout(timer);
			clearTimeout(drain);
			signal.removeEventListener("abort", onAbort);
		});
	}

	#stop(why: string): void {
		this.#stopped ??= why;
		this.#killGroup();
	}

	#killGroup(): void {
		const { pid } = this.#child;
		if (pid === undefined) return;
		try {
			process.kill(-pid, "SIGKILL");
		} catch {
			// Nothing is left of it.
		}
	}
}

/** The beginning of a stream; the rest is read and thrown away, so that whoever writes goes on. */
class Head {
	isCut = false;
	readonly #parts: Buffer[] = [];
	#bytes = 0;

	constructor(stream: Readable | null, bytesMax: number) {
		stream?.on("data", (part: Buffer) => {
			const room = bytesMax - this.#bytes;
			if (part.length > room) this.isCut = true;
			if (room <= 0) return;
			this.#parts.push(part.subarray(0, room));
			this.#bytes += Math.min(part.length, room);
		});
		stream?.on("error", () => undefined);
	}

	/** Whole characters: what was cut in its middle is left out. */
	get text(): string {
		return new TextDecoder().decode(Buffer.concat(this.#parts), { stream: true });
	}
}
