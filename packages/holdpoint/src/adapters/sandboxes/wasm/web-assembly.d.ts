/**
 * Node has `WebAssembly`; of TypeScript's libraries only those of the browser declare it, with everything else that
 * Node has not. This is the part that the sandbox uses.
 */
declare namespace WebAssembly {
	interface ValueTypeMap {
		i32: number;
		i64: bigint;
		f32: number;
		f64: number;
		externref: unknown;
	}

	type ExportValue = ((...args: never[]) => unknown) | Global | Memory | Table;
	type Exports = Record<string, ExportValue>;
	type ImportValue = ExportValue | number;
	type Imports = Record<string, Record<string, ImportValue>>;

	class Module {
		constructor(bytes: Uint8Array | ArrayBuffer);
		static exports(module: Module): { name: string; kind: string }[];
		static imports(module: Module): { module: string; name: string; kind: string }[];
	}

	class Instance {
		constructor(module: Module, imports?: Imports);
		readonly exports: Exports;
	}

	class Memory {
		constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
		readonly buffer: ArrayBuffer;
		/** Pages of 64 KiB. Returns how many there were. */
		grow(pages: number): number;
	}

	class Table {
		readonly length: number;
		get(index: number): unknown;
		set(index: number, value?: unknown): void;
		grow(by: number): number;
	}

	class Global<T extends keyof ValueTypeMap = keyof ValueTypeMap> {
		value: ValueTypeMap[T];
		valueOf(): ValueTypeMap[T];
	}

	class CompileError extends Error {}
	class LinkError extends Error {}
	class RuntimeError extends Error {}

	function compile(bytes: Uint8Array | ArrayBuffer): Promise<Module>;
	function instantiate(module: Module, imports?: Imports): Promise<Instance>;
	function validate(bytes: Uint8Array | ArrayBuffer): boolean;
}
