/** The part of WebAssembly that a guest needs. The compiler has typings of it only together with those of browsers. */
export interface WasmMemory {
	readonly buffer: ArrayBuffer;
	grow(pages: number): number;
}

/** A compiled module. Opaque. */
export type WasmModule = object;

interface WasmApi {
	readonly Module: new (bytes: Uint8Array) => WasmModule;
	readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: object };
}

export const { Module, Instance }: WasmApi = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly;
