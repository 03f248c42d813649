import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
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

/**
 * Runs a list of words to its end, or kills it with all that is in its process group. They write to descriptor 3 when their
 * command begins. Errors: see `placesToFill`; nothing was started then.
 */
export function runCommand(words: readonly string[], options: CommandOptions): Promise<CommandEnd> {
	return new Running(words, options).end;
}

/**
 * What this process was given by whoever started it and what is not closed by itself, a command would have, too: `/dev/null`
 * is put into all their places. Node closes what it opens itself. Errors: where there are more than can be replaced.
 */
function placesToFill(): number {
	const open = readdirSync("/proc/self/fd").map(Number).filter(isInherited);
	const places = Math.max(0, ...open.map((descriptor) => descriptor - lastOwn));
	if (places > placesMax)
		throw new Error(`this process has inherited descriptor ${places + lastOwn}, which commands would have, too`);
	return places;
}

const lastOwn = 3;
const placesMax = 4_096;
const closeOnExec = 0o2000000;

function isInherited(descriptor: number): boolean {
	if (descriptor <= lastOwn) return false;
	try {
		const [, flags = "0"] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")) ?? [];
		return (Number.parseInt(flags, 8) & closeOnExec) === 0;
	} catch (error) {
		// That was the one by which the folder was read.
		return (error as NodeJS.ErrnoException).code !== "ENOENT";
	}
}

/** Errors: see `placesToFill`. */
function start([program = "", ...args]: readonly string[], { cwd, env }: CommandOptions): ChildProcess {
	const nothing = openSync("/dev/null", "r+");
	try {
		const others = Array.from({ length: placesToFill() }, () => nothing);
		return spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe", "pipe", ...others] });
	} finally {
		closeSync(nothing);
	}
}

class Running {
	readonly end: Promise<CommandEnd>;
	readonly #child: ChildProcess;
	#stopped: string | undefined;

	constructor(words: readonly string[], options: CommandOptions) {
		const { signal, timeoutMs, outputBytesMax } = options;
		const { promise, resolve } = Promise.withResolvers<CommandEnd>();
		this.#child = start(words, options);
		const { stdout, stderr } = this.#child;
		// Where this process has no more descriptors there are no streams at all, and only the error.
		const { [lastOwn]: beginning } = (this.#child.stdio ?? []) as readonly (Readable | null | undefined)[];
		let hasBegun = false;
		beginning?.on("data", () => {
			hasBegun = true;
		});
		beginning?.on("error", () => undefined);
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
				for (const stream of [stdout, stderr, beginning]) stream?.destroy();
			}, drainMs);
		});
		this.#child.once("close", (code, killedBy) => {
			if (this.#stopped !== undefined) return resolve({ kind: "stopped", why: this.#stopped });
			if (!hasBegun) return resolve({ kind: "not-started", why: err.text.trim() || `exit code ${code}, ${killedBy}` });
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
