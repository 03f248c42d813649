/**
 * One WebAssembly instance of the QuickJS build in npm's `quickjs-wasi`, driven through its raw exports.
 *
 * Owns: the twelve imports (a clock that stands still, an interrupt, nothing else that answers), text in and out.
 * Does not own: what runs, for how long, and what becomes of the memory (guest-instance.ts).
 *
 * Invariant: no import lets the guest learn anything of this machine or change anything outside its memory.
 */
import { Instance, type WasmMemory, type WasmModule } from "./webassembly.ts";

export interface EngineExports {
	readonly memory: WasmMemory;
	qjs_init2(intrinsics: number): number;
	qjs_set_max_stack_size(bytes: number): void;
	qjs_set_memory_limit(bytes: number): void;
	qjs_set_interrupt_handler(on: number): void;
	qjs_eval(code: number, length: number, file: number, flags: number): number;
	qjs_call(fn: number, self: number, count: number, values: number): number;
	qjs_new_string(bytes: number, length: number): number;
	qjs_get_undefined(): number;
	qjs_get_prop_uint32(object: number, index: number): number;
	qjs_get_prop_string(object: number, key: number): number;
	qjs_get_string_len(value: number, lengthCell: number): number;
	qjs_free_cstring(text: number): void;
	qjs_get_float64(value: number): number;
	qjs_is_exception(value: number): number;
	qjs_get_exception(): number;
	qjs_free_value(value: number): void;
	qjs_is_job_pending(): number;
	qjs_execute_pending_job(): number;
	wasm_malloc(bytes: number): number;
	wasm_free(address: number): void;
}

interface LinkerExports {
	_initialize(): void;
	readonly __stack_pointer: Engine["stackPointer"];
	readonly __indirect_function_table: Engine["table"];
}

/** What the running guest may ask of its host. */
export interface EngineHooks {
	/** `Date.now()` in the guest. Milliseconds since 1970. */
	clockMs: number;
	/** True ends the running code; asked every ten thousand steps of the interpreter. */
	interrupt: () => boolean;
}

export interface Engine {
	readonly exports: EngineExports;
	/** The module's own set-up, once in the life of a memory. */
	readonly initialize: () => void;
	/** The module's one variable that does not live in its memory. */
	readonly stackPointer: { value: number };
	/** The functions that the module calls by number. */
	readonly table: { readonly length: number };
	readonly hooks: EngineHooks;
}

const badFile = 8;

/** A fresh instance, its memory as the module has it: not initialised. */
export function instantiate(module: WasmModule): Engine {
	const hooks: EngineHooks = { clockMs: 0, interrupt: () => false };
	const nothing = () => 0;
	const instance = new Instance(module, {
		env: {
			host_interrupt: () => (hooks.interrupt() ? 1 : 0),
			host_get_timezone_offset: nothing,
			host_promise_rejection: nothing,
			host_module_normalize: nothing,
			host_module_load: nothing,
			host_call: nothing,
		},
		wasi_snapshot_preview1: {
			clock_time_get: (_id: number, _precision: bigint, address: number) => {
				const view = new DataView((instance.exports as EngineExports).memory.buffer);
				view.setBigUint64(address, BigInt(Math.trunc(hooks.clockMs * 1_000)) * 1_000n, true);
				return 0;
			},
			random_get: nothing,
			fd_write: () => badFile,
			fd_close: () => badFile,
			fd_seek: () => badFile,
			fd_fdstat_get: () => badFile,
		},
	});
	const exports = instance.exports as EngineExports & LinkerExports;
	const { _initialize: initialize, __stack_pointer: stackPointer, __indirect_function_table: table } = exports;
	return { exports, hooks, initialize, stackPointer, table };
}
