/**
 * One virtual machine of Hyperlight's, with our guest in it.
 *
 * Owns: the calls that make up a slice, their deadlines, and what an error of Hyperlight's means. What comes out of the
 * guest is hostile: it is bounded here and read by whoever asked for the slice.
 */
import type { SliceEnd, SliceOrder } from "../guest-image/guest-seat.ts";
import { bufferBytes, guestScript, handlerName, pieceChars } from "./guest-script.ts";
import type { HostApi, LoadedSandbox, MemorySnapshot } from "./host-api.ts";
import { SliceCalls, Stop } from "./slice-calls.ts";

const mebibyte = 1_048_576;
/** Beside the heap: the guest's stack, the buffers, and the pages of the engine itself. */
const scratchMiB = 24;
/** A piece of the outbox, with its mark; a guest that sends more is broken. */
const replyCharsMax = pieceChars + 1;
/** What a slice may say in all. */
const outboxCharsMax = 64 * mebibyte;

export class HyperlightMachine {
	readonly memoryMiB: number;
	/** As it was before any program. */
	readonly base: MemorySnapshot;
	readonly #sandbox: LoadedSandbox;

	private constructor(sandbox: LoadedSandbox, base: MemorySnapshot, memoryMiB: number) {
		this.#sandbox = sandbox;
		this.base = base;
		this.memoryMiB = memoryMiB;
	}

	/** `base`: that of another machine of this size, which fits this one too. Errors: an Error of Hyperlight's. */
	static async boot(api: HostApi, memoryMiB: number, base?: MemorySnapshot): Promise<HyperlightMachine> {
		const builder = new api.SandboxBuilder()
			.setHeapSize(memoryMiB * mebibyte)
			.setScratchSize((memoryMiB + scratchMiB) * mebibyte)
			.setInputBufferSize(bufferBytes)
			.setOutputBufferSize(bufferBytes)
			// Programs can reach a module of the engine that prints, and it would print to our standard output.
			.setHostPrintFn(() => 0);
		const engine = await (await builder.build()).loadRuntime();
		engine.addHandler(handlerName, guestScript);
		const sandbox = await engine.getLoadedSandbox();
		return new HyperlightMachine(sandbox, base ?? (await sandbox.snapshot()), memoryMiB);
	}

	/** Everything that was there before is gone. */
	async reset(to: MemorySnapshot = this.base): Promise<void> {
		await this.#sandbox.restore(to);
	}

	snapshot(): Promise<MemorySnapshot> {
		return this.#sandbox.snapshot();
	}

	/** Idempotent, never rejects. A call that still runs is stopped first. */
	async dispose(): Promise<void> {
		this.#sandbox.interruptHandle.kill();
		await this.#sandbox.dispose().catch(() => undefined);
	}

	/** Where it is `gone`, the machine must be reset. Never rejects: whatever Hyperlight says against it is an end. */
	async slice(order: SliceOrder): Promise<SliceEnd> {
		const calls = new SliceCalls(this.#sandbox, order);
		try {
			const pieces = piecesOf(order.message);
			const last = pieces.pop() ?? "";
			for (const piece of pieces) await calls.make(["part", piece]);
			const unknown = await calls.begin([order.isFirst ? "start" : "deliver", last, order.clockMs]);
			const outbox = unknown === 0 ? await outboxOf(calls) : "";
			return { stop: undefined, cpuMs: calls.cpuMs, unknownCall: unknown, outbox };
		} catch (error) {
			return { gone: calls.stopOf(error) };
		} finally {
			calls.end();
		}
	}
}

/** Texts of at most `pieceChars`; no pair of surrogates is cut in two. */
export function piecesOf(text: string): string[] {
	const pieces: string[] = [];
	for (let from = 0; from < text.length; ) {
		let to = Math.min(text.length, from + pieceChars);
		if (to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to--;
		pieces.push(text.slice(from, to));
		from = to;
	}
	return pieces;
}

async function outboxOf(calls: SliceCalls): Promise<string> {
	let text = "";
	for (let call: "drain" | "more" = "drain"; ; call = "more") {
		const piece = await calls.make([call]);
		const isPiece = typeof piece === "string" && piece.length <= replyCharsMax && /^(?:\.|\+.)/s.test(piece);
		if (!isPiece) throw new Error("the guest sent no piece of text");
		text += piece.slice(1);
		if (text.length > outboxCharsMax) throw new Stop("value");
		if (piece.startsWith(".")) return text;
	}
}
