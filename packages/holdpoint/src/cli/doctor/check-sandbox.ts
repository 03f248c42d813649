import { isHoldpointError } from "../../spec/errors.ts";
import type { SandboxProvider } from "../../spec/sandbox.ts";
import { duration } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Finding } from "./finding.ts";

export interface SandboxCandidate {
	readonly name: string;
	open(): Promise<SandboxProvider>;
}

/** Every sandbox that there is, the best first. */
export const sandboxCandidates: readonly SandboxCandidate[] = [
	{ name: "wasm", open: async () => (await import("../../adapters/sandboxes/wasm/provider.ts")).wasmSandbox() },
];

/** Boots each of them; the first that works is the one that runs programs here. */
export async function checkSandboxes(candidates: readonly SandboxCandidate[] = sandboxCandidates): Promise<Finding[]> {
	const probed: Finding[] = [];
	for (const candidate of candidates) probed.push(await probe(candidate));
	const works = probed.some((finding) => finding.state === "ok");
	// One that works is enough; the others are worth knowing.
	return works ? probed.map((finding) => (finding.state === "bad" ? { ...finding, state: "note" } : finding)) : probed;
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
