import type { SandboxProvider } from "holdpoint";

type Guest = Awaited<ReturnType<SandboxProvider["start"]>>;

/** A sandbox of which others know when its programs stand still: whoever takes until then lets them overtake. */
export class WatchedSandbox implements SandboxProvider {
	readonly name: string;
	readonly guest: string;
	readonly format: number;
	private readonly inner: SandboxProvider;
	private readonly slices = new Set<Promise<unknown>>();

	constructor(inner: SandboxProvider) {
		this.inner = inner;
		this.name = inner.name;
		this.guest = inner.guest;
		this.format = inner.format;
	}

	/** Resolves when no program runs of those that run now. */
	async stands(): Promise<void> {
		await Promise.allSettled(this.slices);
	}

	probe(): ReturnType<SandboxProvider["probe"]> {
		return this.inner.probe();
	}

	async start(...args: Parameters<SandboxProvider["start"]>): Promise<Guest> {
		return this.watched(await this.inner.start(...args));
	}

	async restore(...args: Parameters<SandboxProvider["restore"]>): Promise<Guest> {
		return this.watched(await this.inner.restore(...args));
	}

	close(): Promise<void> {
		return this.inner.close();
	}

	private watched(guest: Guest): Guest {
		return {
			advance: (...args) => {
				const slice = guest.advance(...args);
				this.slices.add(slice);
				const over = () => this.slices.delete(slice);
				slice.then(over, over);
				return slice;
			},
			snapshot: () => guest.snapshot(),
			dispose: () => guest.dispose(),
		};
	}
}
