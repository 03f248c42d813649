import { isAuto, namedCandidates, type SandboxCandidate, sandboxCandidates } from "../../best-sandbox.ts";
import { isHoldpointError } from "../../spec/errors.ts";
import type { SandboxProvider } from "../../spec/sandbox.ts";
import { duration } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Finding } from "./finding.ts";

/** Boots each of them, and says which one runs programs here. */
export async function checkSandboxes(
	named: string | undefined,
	candidates: readonly SandboxCandidate[] = sandboxCandidates,
): Promise<Finding[]> {
	const probed: Finding[] = [];
	for (const candidate of candidates) probed.push(await probe(candidate));
	let asked: readonly SandboxCandidate[];
	try {
		asked = namedCandidates({ named, candidates });
	} catch (error) {
		const says = error instanceof Error ? error.message : String(error);
		const mend = isHoldpointError(error) ? error.hint : undefined;
		return [...probed, { name: "sandbox", state: "bad", says, ...(mend ? { mend } : {}) }];
	}
	const isAsked = (at: number) => asked.some((candidate) => candidate === candidates[at]);
	const used = probed.findIndex(({ state }, at) => state === "ok" && isAsked(at));
	const by = isAuto(named) ? "" : " (HOLDPOINT_SANDBOX)";
	return probed.map((finding, at) => {
		if (at === used) return { ...finding, says: `programs run here${by}: ${finding.says}` };
		if (finding.state === "ok") return { ...finding, says: `works, not used${by}: ${finding.says}` };
		// One that works is enough; the others are worth knowing.
		return used >= 0 || !isAsked(at) ? { ...finding, state: "note" } : finding;
	});
}

async function probe({ name, open }: SandboxCandidate): Promise<Finding> {
	const label = `sandbox ${name}`;
	let provider: SandboxProvider | undefined;
	try {
		provider = await open();
		const found = await provider.probe();
		const facts = { ...found };
		if (!found.ok) return { name: label, state: "bad", says: inlineText(found.reason, 300), mend: found.hint, facts };
		const says = `isolation ${found.isolation}, boots in ${duration(found.startMs)}, guest ${found.guest.slice(0, 12)}`;
		return { name: label, state: "ok", says, facts };
	} catch (error) {
		const says = inlineText(error instanceof Error ? error.message : String(error), 300);
		return {
			name: label,
			state: "bad",
			says,
			mend: isHoldpointError(error) ? error.hint : "Install Holdpoint again.",
			facts: { ok: false, provider: name },
		};
	} finally {
		await provider?.close();
	}
}
