/**
 * A false Hyperlight for tests: no machine and no engine. A program is a list of outboxes, one a slice, as JSON; a guest's
 * memory is what it was sent and how far it is.
 */
import type { HostApi, LoadedSandbox, MemorySnapshot } from "./host-api.ts";

interface Memory extends MemorySnapshot {
	readonly message: string;
	readonly script: readonly string[];
	readonly at: number;
	readonly left: string;
}

/** What an act may do to the machine whose call it takes the place of. */
export interface FakeMachine {
	poison(): void;
	stats: object;
}

type Act = (machine: FakeMachine) => unknown;

export class FakeHostApi implements HostApi {
	readonly SandboxBuilder: HostApi["SandboxBuilder"];
	/** Machines that were booted and not disposed of. */
	readonly alive = new Set<unknown>();
	/** The most that there were. */
	aliveMost = 0;
	/** Kinds of the calls, in order, with `snapshot`, `restore` and `kill`. */
	readonly done: string[] = [];
	readonly #acts = new Map<string, Act>();

	constructor() {
		const boot = (): LoadedSandbox => {
			const sandbox = new FakeSandbox(this);
			this.alive.add(sandbox);
			this.aliveMost = Math.max(this.aliveMost, this.alive.size);
			return sandbox;
		};
		this.SandboxBuilder = class {
			setHeapSize = () => this;
			setScratchSize = () => this;
			setInputBufferSize = () => this;
			setOutputBufferSize = () => this;
			setHostPrintFn = () => this;
			build = async () => ({
				loadRuntime: async () => ({ addHandler: () => {}, getLoadedSandbox: async () => boot() }),
			});
		};
	}

	/** Takes the place of the next call of this kind, `snapshot` and `restore` too: what it returns, or throws. */
	instead(kind: string, act: Act): void {
		this.#acts.set(kind, act);
	}

	/** Undefined: nothing takes its place. */
	act(kind: string): Act | undefined {
		this.done.push(kind);
		const act = this.#acts.get(kind);
		this.#acts.delete(kind);
		return act;
	}
}

class FakeSandbox implements LoadedSandbox, FakeMachine {
	stats: object = { cpuTimeMs: 1 };
	readonly interruptHandle = { kill: () => void this.#api.act("kill") };
	readonly #api: FakeHostApi;
	#memory: Memory = { message: "", script: [], at: 0, left: "" };
	#isPoisoned = false;

	constructor(api: FakeHostApi) {
		this.#api = api;
	}

	poison(): void {
		this.#isPoisoned = true;
	}

	get lastCallStats(): object {
		return this.stats;
	}

	async callHandler(_: string, event: unknown): Promise<unknown> {
		const [kind, text] = event as readonly [string, unknown];
		const act = this.#api.act(kind);
		if (this.#isPoisoned) throw new Error("[ERR_POISONED] The sandbox was poisoned");
		return act ? act(this) : this.#answer(kind, String(text));
	}

	async snapshot(): Promise<MemorySnapshot> {
		this.#api.act("snapshot")?.(this);
		return this.#memory;
	}

	async restore(snapshot: MemorySnapshot): Promise<void> {
		this.#api.act("restore")?.(this);
		this.#memory = snapshot as Memory;
		this.#isPoisoned = false;
	}

	async dispose(): Promise<void> {
		this.#api.alive.delete(this);
	}

	#answer(kind: string, text: string): unknown {
		const memory = this.#memory;
		if (kind === "part") this.#memory = { ...memory, message: memory.message + text };
		if (kind === "start" || kind === "deliver") {
			const script = kind === "start" ? scriptOf(memory.message + text) : memory.script;
			this.#memory = { message: "", script, left: script[memory.at] ?? "o", at: memory.at + 1 };
			throw new Error(
				"[ERR_INTERNAL] Guest error occurred GuestError: Error: Runtime error: Error(\n    WouldBlock,\n)",
			);
		}
		if (kind !== "drain" && kind !== "more") return 0;
		this.#memory = { ...memory, left: memory.left.slice(pieceChars) };
		return (memory.left.length <= pieceChars ? "." : "+") + memory.left.slice(0, pieceChars);
	}
}

const pieceChars = 65_536;

function scriptOf(startMessage: string): readonly string[] {
	const { source } = JSON.parse(startMessage) as { readonly source: string };
	return source === "return 1+2" ? ["r 3"] : (JSON.parse(source) as readonly string[]);
}
