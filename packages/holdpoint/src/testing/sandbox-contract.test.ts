import { expect, test } from "vitest";
import { wasmSandbox } from "../adapters/sandboxes/wasm/provider.ts";
import { sandboxContract, sandboxContractExcept } from "./sandbox-contract.ts";

const make = () => wasmSandbox();
const cases = [
	{ name: "kept", run: async () => {} },
	{ name: "not kept", run: () => Promise.reject(new Error("no")) },
];

async function outcomes(skips: { readonly [name: string]: string }): Promise<readonly (readonly [string, string])[]> {
	return Promise.all(
		sandboxContractExcept(skips, cases).map(async ({ name, run }) => {
			const outcome = await run(make).then(
				() => "passed",
				(error: Error) => error.message,
			);
			return [name, outcome] as const;
		}),
	);
}

test("a case that is skipped with its reason fails quietly; the others are what they were", async () => {
	expect(await outcomes({ "not kept": "it has none" })).toEqual([
		["kept", "passed"],
		["skipped: not kept (it has none)", "passed"],
	]);
	expect(await outcomes({})).toContainEqual(["not kept", "no"]);
});

test("a skipped case that would pass fails the run", async () => {
	expect(await outcomes({ kept: "it has none" })).toContainEqual([
		"skipped: kept (it has none)",
		'It is skipped and would pass: take "kept" out of the skips',
	]);
});

test("a name that is no case fails the run before anything runs", () => {
	expect(() => sandboxContractExcept({ "no such case": "why", toString: "why" })).toThrow(
		"No case of the sandbox contract: no such case; toString",
	);
});

test("names of the contract are single, so that a skip means one case", () => {
	const names = sandboxContract.map(({ name }) => name);
	expect(new Set(names).size).toBe(names.length);
});
