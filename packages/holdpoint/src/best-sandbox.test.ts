import { expect, test } from "vitest";
import { bestSandbox, type SandboxCandidate, sandboxCandidates } from "./best-sandbox.ts";
import type { Isolation, SandboxProbe, SandboxProvider } from "./spec/sandbox.ts";

const opened: string[] = [];

function candidate(name: string, found: Isolation | undefined): SandboxCandidate {
	const probed: SandboxProbe = found
		? { ok: true, provider: name, isolation: found, startMs: 1, guest: "g" }
		: { ok: false, provider: name, reason: "it does not boot", hint: "Boot it." };
	const provider: SandboxProvider = {
		name,
		guest: "g",
		format: 1,
		probe: async () => probed,
		start: () => Promise.reject(new Error("not here")),
		restore: () => Promise.reject(new Error("not here")),
		close: async () => void opened.splice(opened.indexOf(name), 1),
	};
	return {
		name,
		async open() {
			opened.push(name);
			return provider;
		},
	};
}

const wasm = candidate("wasm", "wasm");
const any = { isolation: "any", named: undefined } as const;

test.each([
	["the micro-VM where it boots", candidate("microvm", "pvm"), "microvm"],
	["WebAssembly where it does not", candidate("microvm", undefined), "wasm"],
])("%s", async (_, microvm, expected) => {
	opened.length = 0;
	expect(await bestSandbox({ ...any, candidates: [microvm, wasm] })).toMatchObject({ name: expected });
	// What was tried and not taken is closed again.
	expect(opened).toEqual([expected]);
});

test.each([
	["auto", "microvm"],
	["", "microvm"],
	["microvm", "microvm"],
	["wasm", "wasm"],
])("HOLDPOINT_SANDBOX=%s takes %s", async (named, expected) => {
	const candidates = [candidate("microvm", "pvm"), wasm];
	expect(await bestSandbox({ ...any, named, candidates })).toMatchObject({ name: expected });
});

test("one that is only taken by its name is no candidate otherwise, however well it works", async () => {
	const named: SandboxCandidate = { ...candidate("hyperlight", "svm"), isOnlyNamed: true };
	const candidates = [named, candidate("microvm", undefined), wasm];
	expect(await bestSandbox({ ...any, candidates })).toMatchObject({ name: "wasm" });
	expect(await bestSandbox({ ...any, named: "hyperlight", candidates })).toMatchObject({ name: "hyperlight" });
	expect(sandboxCandidates.filter(({ isOnlyNamed }) => isOnlyNamed).map(({ name }) => name)).toEqual(["hyperlight"]);
});

test("one that was named is not replaced by another, and one that does not exist is refused", async () => {
	const candidates = [candidate("microvm", undefined), wasm];
	await expect(bestSandbox({ ...any, named: "microvm", candidates })).rejects.toMatchObject({
		code: "sandbox.unavailable",
		message: "No sandbox works here: microvm: it does not boot",
	});
	await expect(bestSandbox({ ...any, named: "docker", candidates })).rejects.toMatchObject({
		code: "config.invalid",
		hint: "It is auto, microvm or wasm.",
	});
});

test.each([
	["pvm", "the sandbox microvm gives pvm; the sandbox wasm gives wasm"],
	[undefined, "microvm: it does not boot; the sandbox wasm gives wasm"],
] as const)("hardware isolation that is required is never replaced by less: %s", async (found, says) => {
	const candidates = [candidate("microvm", found), wasm];
	await expect(bestSandbox({ ...any, isolation: "hardware", candidates })).rejects.toMatchObject({
		code: "sandbox.isolation",
		message: `Hardware isolation is required, and ${says}`,
	});
});

test.each(["svm", "vmx"] as const)("hardware isolation is %s", async (found) => {
	const candidates = [candidate("microvm", found), wasm];
	expect(await bestSandbox({ ...any, isolation: "hardware", candidates })).toMatchObject({ name: "microvm" });
});

test("on this machine, something works", async () => {
	const sandbox = await bestSandbox(any);
	expect(sandboxCandidates.map(({ name }) => name)).toContain(sandbox.name);
	await sandbox.close();
});
