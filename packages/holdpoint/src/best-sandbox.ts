/** Which sandbox runs programs where nobody named one: the best that really works on this machine. */
import { HoldpointError } from "./spec/errors.ts";
import type { Isolation, SandboxProbe, SandboxProvider } from "./spec/sandbox.ts";

export interface SandboxCandidate {
	readonly name: string;
	/** Taken only where it is named. */
	readonly isOnlyNamed?: true;
	open(): Promise<SandboxProvider>;
}

/** Every sandbox that there is, the best first. Each is loaded when it is tried. */
export const sandboxCandidates: readonly SandboxCandidate[] = [
	{
		name: "microvm",
		open: async () => (await import("./adapters/sandboxes/microvm/provider.ts")).microvmSandbox(),
	},
	{ name: "wasm", open: async () => (await import("./adapters/sandboxes/wasm/provider.ts")).wasmSandbox() },
	{
		name: "hyperlight",
		// A program in it cannot wait for a person and go on, which is what most are here for.
		isOnlyNamed: true,
		open: async () => (await import("./adapters/sandboxes/hyperlight/provider.ts")).hyperlightSandbox(),
	},
];

export interface SandboxWish {
	readonly isolation: "hardware" | "any";
	/** What HOLDPOINT_SANDBOX says: the name of a candidate, which is then the only one; `auto` or nothing: see there. */
	readonly named: string | undefined;
	readonly candidates?: readonly SandboxCandidate[];
}

/**
 * The first candidate that works and isolates as is wished; it is open.
 * Errors: `sandbox.unavailable`, `sandbox.isolation`, `config.invalid`, each with what every candidate lacked.
 */
export async function bestSandbox(wish: SandboxWish): Promise<SandboxProvider> {
	const lacks: string[] = [];
	for (const candidate of namedCandidates(wish)) {
		const provider = await candidate.open();
		const probe = await provider.probe().catch(async (error: unknown) => {
			await provider.close();
			throw error;
		});
		const lack = lackOf(probe, wish.isolation);
		if (lack === undefined) return provider;
		lacks.push(lack);
		await provider.close();
	}
	throw wish.isolation === "hardware" ? notIsolated(lacks) : unavailable(lacks);
}

/** Those that come into question. Errors: `config.invalid`. */
export function namedCandidates({ named, candidates = sandboxCandidates }: Omit<SandboxWish, "isolation">) {
	if (isAuto(named)) return candidates.filter(({ isOnlyNamed }) => !isOnlyNamed);
	const found = candidates.filter(({ name }) => name === named);
	if (found.length > 0) return found;
	throw new HoldpointError("config.invalid", `HOLDPOINT_SANDBOX is ${JSON.stringify(named)}`, {
		hint: `It is ${new Intl.ListFormat("en-GB", { type: "disjunction" }).format(["auto", ...candidates.map(({ name }) => name)])}.`,
	});
}

export function isAuto(named: string | undefined): boolean {
	return named === undefined || named === "" || named === "auto";
}

/** The provider, where it isolates as is required, and the one that takes its programs too. Errors: `sandbox.isolation`. */
export async function assertIsolation(provider: SandboxProvider): Promise<SandboxProvider> {
	const lack = lackOf(await provider.probe(), "hardware");
	if (lack !== undefined) throw notIsolated([lack]);
	if (typeof provider.whenHeld === "object") await assertIsolation(provider.whenHeld);
	return provider;
}

/** What the machine's processor isolates by itself, without a hypervisor's software in between. */
const hardware: ReadonlySet<string> = new Set(["svm", "vmx"] satisfies Isolation[]);

function lackOf(probe: SandboxProbe, isolation: SandboxWish["isolation"]): string | undefined {
	if (!probe.ok) return `${probe.provider}: ${probe.reason}`;
	if (isolation === "any" || hardware.has(probe.isolation)) return undefined;
	return `the sandbox ${probe.provider} gives ${probe.isolation}`;
}

function notIsolated(lacks: readonly string[]): HoldpointError {
	return new HoldpointError("sandbox.isolation", `Hardware isolation is required, and ${lacks.join("; ")}`);
}

function unavailable(lacks: readonly string[]): HoldpointError {
	return new HoldpointError("sandbox.unavailable", `No sandbox works here: ${lacks.join("; ")}`);
}
