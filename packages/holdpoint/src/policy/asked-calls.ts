/** More wait at the same time in no process; the oldest is forgotten, and refused until the policy is asked anew. */
const callsMax = 10_000;

export interface CallIds {
	readonly run: string;
	readonly call: string;
}

/**
 * The calls that rules have told a policy to ask about. A harness asks its policy in the process that runs the call, just
 * before: a call that is not here belongs to a harness whose policy knows nothing of the rules.
 */
export class AskedCalls {
	readonly #calls = new Set<string>();

	add(ids: CallIds): void {
		const key = keyOf(ids);
		// The newest is the last one.
		this.#calls.delete(key);
		this.#calls.add(key);
		if (this.#calls.size > callsMax) for (const oldest of this.#calls) return void this.#calls.delete(oldest);
	}

	has(ids: CallIds): boolean {
		return this.#calls.has(keyOf(ids));
	}
}

function keyOf({ run, call }: CallIds): string {
	return JSON.stringify([run, call]);
}
