import { HoldpointError } from "../spec/errors.ts";
import type { Store } from "../spec/store.ts";

export interface CrashPlan {
	/** The crash comes at this commit of all that carry an entry: 1, 2, … Default: never, they are only counted. */
	readonly at?: number;
	/** `before`: the commit does not happen. `after`: it is durable, and its caller never hears of it. */
	readonly when?: "before" | "after";
	/**
	 * For a real death: `() => process.kill(process.pid, "SIGKILL")`. Whatever is asked from then on waits for its promise
	 * and then fails: one that never resolves makes a play stand still. Default: it fails at once.
	 */
	readonly crash?: () => unknown;
}

export interface CrashingStore extends Store {
	/** Commits with an entry that were asked for so far: run once without `at` to know how many there are to crash at. */
	readonly commits: number;
	readonly crashed: boolean;
}

/**
 * A store whose process dies at one chosen commit: for tests that crash a run at each of its commits in turn and
 * compare how it ends. Resume with a harness of its own on the inner store, as another process would.
 *
 * Invariant: after the crash nothing more is written through it.
 * Errors: `store.failed` for whatever is asked after the crash.
 */
export function crashingStore(store: Store, plan: CrashPlan = {}): CrashingStore {
	const { at = Number.POSITIVE_INFINITY, when = "before", crash } = plan;
	let commits = 0;
	let crashed = false;
	let death: unknown;

	async function die(): Promise<never> {
		crashed = true;
		death = crash?.();
		await death;
		throw new HoldpointError("store.failed", `The process crashed ${when} commit ${at}, as planned`);
	}

	/** Passes on what is asked while the process lives. */
	function alive<Args extends readonly unknown[], T>(
		ask: (...args: Args) => Promise<T>,
	): (...args: Args) => Promise<T> {
		return async (...args) => {
			if (!crashed) return ask(...args);
			await death;
			throw new HoldpointError("store.failed", "The process of this store has crashed");
		};
	}

	return {
		...(store.keyFile === undefined ? {} : { keyFile: store.keyFile }),
		id: alive(() => store.id()),
		commit: alive(async (run, epoch, writes) => {
			const counts = writes.some((write) => write.kind === "entry");
			const now = counts && ++commits === at;
			if (now && when === "before") await die();
			const receipt = await store.commit(run, epoch, writes);
			if (now) await die();
			return receipt;
		}),
		acquire: alive((run, request) => store.acquire(run, request)),
		load: alive((run, after) => store.load(run, after)),
		blob: alive((run, digest) => store.blob(run, digest)),
		runs: alive((query) => store.runs(query)),
		approvals: alive((query) => store.approvals(query)),
		audit: {
			head: alive(() => store.audit.head()),
			leaves: alive((query) => store.audit.leaves(query)),
			keep: alive((checkpoint) => store.audit.keep(checkpoint)),
			checkpoints: alive((query) => store.audit.checkpoints(query)),
		},
		memory: {
			get: alive((space, name) => store.memory.get(space, name)),
			list: alive((query) => store.memory.list(query)),
			search: alive((search) => store.memory.search(search)),
			usage: alive((of) => store.memory.usage(of)),
		},
		document: alive((name, known) => store.document(name, known)),
		accounts: alive((query) => store.accounts(query)),
		// What the process held is gone with it; the store itself belongs to whoever goes on.
		close: async () => undefined,
		get commits() {
			return commits;
		},
		get crashed() {
			return crashed;
		},
	};
}
