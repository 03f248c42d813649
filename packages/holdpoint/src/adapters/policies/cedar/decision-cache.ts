/**
 * Decisions that were made already. A decision depends on the set of policies and on what Cedar is told of the call, and
 * on nothing else: neither on time, nor on answers, nor on which run asks. The set is told apart by having a cache of
 * its own; the rest is the key, as text.
 */
import { fixedLimits } from "../../../spec/limits.ts";
import type { CedarRequest } from "./cedar-request.ts";
import type { CompiledPolicies } from "./compile-policies.ts";
import { type Evaluated, evaluate } from "./evaluate.ts";

const { policyCacheMax, policyCacheKeyCharsMax } = fixedLimits;

export class DecisionCache {
	private compiled: CompiledPolicies | undefined;
	/** The least recently used first. */
	private readonly known = new Map<string, Evaluated>();

	evaluate(compiled: CompiledPolicies, request: CedarRequest): Evaluated {
		if (this.compiled !== compiled) this.known.clear();
		this.compiled = compiled;
		const key = JSON.stringify(request);
		const known = this.known.get(key);
		if (known) {
			this.known.delete(key);
			this.known.set(key, known);
			return known;
		}
		const evaluated = evaluate(compiled, request);
		if (key.length < policyCacheKeyCharsMax) this.keep(key, evaluated);
		return evaluated;
	}

	get size(): number {
		return this.known.size;
	}

	private keep(key: string, evaluated: Evaluated): void {
		if (this.known.size >= policyCacheMax) {
			const [oldest = ""] = this.known.keys();
			this.known.delete(oldest);
		}
		this.known.set(key, evaluated);
	}
}
