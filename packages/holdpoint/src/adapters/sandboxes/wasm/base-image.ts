import { hash } from "node:crypto";
import { guestPrelude } from "../../../spec/guest.ts";
import { type Engine, type EngineExports, instantiate } from "./engine.ts";
import type { WasmModule } from "./webassembly.ts";

/**
 * The memory of a guest that ran the prelude and nothing else, and the addresses in it that the host uses. Made with a
 * fixed clock, so that it is the same bytes on every machine: a snapshot is what differs from it.
 */
export interface BaseImage {
	readonly memory: Uint8Array;
	/** Where the stack of the module ends: its value whenever no guest code runs. All below it is zero. */
	readonly stackPointer: number;
	/** The parts of the memory that hold anything, ascending; between them all is zero. */
	readonly content: readonly Range[];
	readonly tableLength: number;
	/** Addresses of values that live in the image, so that they hold in every guest. */
	readonly start: number;
	readonly deliver: number;
	readonly drain: number;
	readonly undefined: number;
	/** A word for lengths and a one-element argument list. */
	readonly cell: number;
	/** Room for one incoming text; cleared before a snapshot, so that no message costs bytes in it. */
	readonly mailbox: number;
	/** SHA-256 over the image, the prelude and the module. Shape: 64 hexadecimal digits. */
	readonly digest: string;
}

export interface Range {
	readonly from: number;
	readonly to: number;
}

export const mailboxBytes = 65_536;

/** All of JavaScript but `WeakRef` and `FinalizationRegistry`, which show when the collector ran. */
const intrinsics = 0xffff_ffff & ~(1 << 9);
/** More lets deep recursion meet the stack of the host first, which leaves an instance broken. */
const stackBytesMax = 65_536;
/** Free memory in every guest: a program that stays within it never grows its instance, so it is reset in place. */
const slackBytes = 1_048_576;

/** Boots the engine and takes its memory. Errors: an Error where the module is not the one this code was written for. */
export function bootBaseImage(moduleBytes: Uint8Array, module: WasmModule): BaseImage {
	const engine = instantiate(module);
	const { exports } = engine;
	engine.initialize();
	if (exports.qjs_init2(intrinsics) !== 0) throw new Error("The JavaScript engine did not start");
	exports.qjs_set_max_stack_size(stackBytesMax);
	exports.qjs_set_interrupt_handler(1);
	const port = evaluate(engine, guestPrelude, "prelude");
	const addresses = {
		start: exports.qjs_get_prop_uint32(port, 0),
		deliver: exports.qjs_get_prop_uint32(port, 1),
		drain: exports.qjs_get_prop_uint32(port, 2),
		undefined: exports.qjs_get_undefined(),
		cell: exports.wasm_malloc(8),
		mailbox: exports.wasm_malloc(mailboxBytes),
	};
	exports.wasm_free(exports.wasm_malloc(slackBytes));
	const memory = new Uint8Array(exports.memory.buffer).slice();
	const stackPointer = engine.stackPointer.value;
	// What a finished call left on the stack or in the mailbox is nothing that a guest needs.
	memory.fill(0, 0, stackPointer);
	memory.fill(0, addresses.mailbox, addresses.mailbox + mailboxBytes);
	const digest = hash(
		"sha256",
		Buffer.concat([hash("sha256", moduleBytes, "buffer"), Buffer.from(guestPrelude), memory]),
	);
	return {
		memory,
		content: contentOf(memory),
		stackPointer,
		tableLength: engine.table.length,
		...addresses,
		digest,
	};
}

function contentOf(memory: Uint8Array): Range[] {
	const pageBytes = 4_096;
	const ranges: { from: number; to: number }[] = [];
	for (let from = 0; from < memory.length; from += pageBytes) {
		const to = from + pageBytes;
		if (memory.subarray(from, to).every((byte) => byte === 0)) continue;
		const last = ranges.at(-1);
		if (last?.to === from) last.to = to;
		else ranges.push({ from, to });
	}
	return ranges;
}

function evaluate(engine: Engine, source: string, file: string): number {
	const { exports } = engine;
	const code = writeText(exports, source);
	const name = writeText(exports, file);
	const value = exports.qjs_eval(code, Buffer.byteLength(source), name, 0);
	exports.wasm_free(code);
	exports.wasm_free(name);
	if (exports.qjs_is_exception(value) !== 0) throw new Error("The prelude of the guest failed");
	return value;
}

function writeText(exports: EngineExports, text: string): number {
	const bytes = Buffer.from(`${text}\0`);
	const address = exports.wasm_malloc(bytes.length);
	new Uint8Array(exports.memory.buffer).set(bytes, address);
	return address;
}
