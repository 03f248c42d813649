/**
 * Are the payloads that an export shows what they were, and has every other one a reason not to be there?
 *
 * What is taken out of an export leaves a leaf that looks like one of an erased run. So an export says in its head whether
 * it shows payloads: where it does, only a leaf of the log that says that the run was erased accounts for a missing one;
 * where it does not, it shows none.
 */

import type { LeafLine } from "./export-lines.ts";
import type { Finding } from "./findings.ts";
import { payloadDigest } from "./payload-digest.ts";

export class PayloadChecks {
	/** Compared with their digests. */
	checked = 0;
	/** Shown without what is sensitive: nothing proves these. */
	shown = 0;
	absent = 0;
	/** Does the head say that there are payloads? */
	private isWhole = false;
	/** Runs of which payloads are missing, and that were not erased so far: the first such leaf, and how many. */
	private readonly missing = new Map<string, { readonly index: number; count: number }>();

	begin(isWhole: boolean): void {
		this.isWhole = isWhole;
	}

	/** What is wrong with the payload of this leaf. */
	take({ i: index, leaf, salt, payload, shown }: LeafLine): Finding | undefined {
		const { run, n } = leaf;
		if (n === undefined && leaf.event.type === "run.erased") this.missing.delete(run);
		const found = (message: string): Finding => ({ kind: "altered", index, run, message });
		const isThere = salt !== undefined || payload !== undefined || shown !== undefined;
		if (payload !== undefined && salt === undefined)
			return found(`The payload of leaf ${index} is there without its salt: nothing proves it`);
		if (isThere && leaf.payload === undefined) return found(`Leaf ${index} has no payload, and one is shown`);
		if (isThere && !this.isWhole) return found(`The payload of leaf ${index} is shown by an export of facts alone`);
		if (leaf.payload === undefined) return undefined;
		if (salt !== undefined && payload !== undefined) {
			this.checked++;
			const isRight = payloadDigest(salt, JSON.stringify(payload)) === leaf.payload;
			return isRight ? undefined : found(`The payload of leaf ${index} is not what it was`);
		}
		if (shown !== undefined) {
			this.shown++;
			return undefined;
		}
		this.absent++;
		if (this.isWhole) this.miss(run, index);
		return undefined;
	}

	private miss(run: string, index: number): void {
		const known = this.missing.get(run);
		if (known) known.count++;
		else this.missing.set(run, { index, count: 1 });
	}

	/** At the end of the export: what nothing accounts for. */
	unaccounted(): Finding[] {
		return [...this.missing].map(([run, { index, count }]) => {
			const others = count === 1 ? "" : `, and ${count - 1} more of the run`;
			const message = `The payload of leaf ${index} is missing${others}, and run ${run} was not erased`;
			return { kind: "dropped", index, run, message };
		});
	}
}
