import type { BaseImage } from "./base-image.ts";
import { GuestInstance } from "./guest-instance.ts";
import type { WasmModule } from "./webassembly.ts";

/**
 * The guests of one worker: those that hold a program, those that are ready for one, those that must be cleaned first.
 *
 * Invariant: a guest that held a program is handed out again only after a full reset.
 */
export class GuestShelf {
	readonly #module: WasmModule;
	readonly #base: BaseImage;
	readonly #warm: number;
	readonly #live = new Map<number, GuestInstance>();
	readonly #ready: GuestInstance[] = [];
	readonly #used: GuestInstance[] = [];

	constructor(module: WasmModule, base: BaseImage, warm: number) {
		this.#module = module;
		this.#base = base;
		this.#warm = warm;
	}

	get base(): BaseImage {
		return this.#base;
	}

	/** A fresh guest under this number. */
	take(number: number): GuestInstance {
		const guest = this.#ready.pop() ?? this.#cleaned() ?? new GuestInstance(this.#module, this.#base);
		this.#live.set(number, guest);
		return guest;
	}

	find(number: number): GuestInstance | undefined {
		return this.#live.get(number);
	}

	/** Takes a guest back. Cleaning it is left for a moment in which nobody waits. */
	release(number: number): void {
		const guest = this.#live.get(number);
		if (!guest) return;
		this.#live.delete(number);
		this.#used.push(guest);
	}

	get hasReady(): boolean {
		return this.#ready.length > 0;
	}

	/** Does one piece of housekeeping. False where there is none. */
	tidy(): boolean {
		if (this.#ready.length >= this.#warm) this.#used.length = 0;
		const guest = this.#cleaned() ?? this.#spare();
		if (guest) this.#ready.push(guest);
		return guest !== undefined;
	}

	#cleaned(): GuestInstance | undefined {
		for (let guest = this.#used.pop(); guest; guest = this.#used.pop()) if (guest.reset()) return guest;
		return undefined;
	}

	/** Making one takes as long as many slices, so never while a program may want its next one. */
	#spare(): GuestInstance | undefined {
		if (this.#ready.length > 0 || this.#live.size > 0) return undefined;
		return new GuestInstance(this.#module, this.#base);
	}
}
