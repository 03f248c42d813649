/** The engine is WebAssembly of four megabytes: it is loaded when a policy is first shown its tools. */
import type * as Cedar from "@cedar-policy/cedar-wasm/nodejs";
import { reasonOf } from "../../../kit/reason-of.ts";
import { HoldpointError } from "../../../spec/errors.ts";

export type CedarEngine = Pick<
	typeof Cedar,
	"checkParsePolicySet" | "policyToJson" | "preparsePolicySet" | "preparseSchema" | "statefulIsAuthorized" | "validate"
>;

export type { AuthorizationAnswer, DetailedError, Expr, PolicyJson, SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";

export type LoadEngine = () => Promise<unknown>;

const loadInstalled: LoadEngine = () => import("@cedar-policy/cedar-wasm/nodejs");

/** Errors: `policy.unavailable`. */
export async function loadEngine(load: LoadEngine = loadInstalled): Promise<CedarEngine> {
	let module: unknown;
	try {
		module = await load();
	} catch (cause) {
		const message = `The package @cedar-policy/cedar-wasm, which decides Cedar policies, cannot be loaded: ${reasonOf(cause)}`;
		throw new HoldpointError("policy.unavailable", message, { cause });
	}
	const { default: whole = module } = module as { readonly default?: unknown };
	const engine = whole as Partial<CedarEngine>;
	if (typeof engine.statefulIsAuthorized === "function") return engine as CedarEngine;
	throw new HoldpointError("policy.unavailable", "The installed @cedar-policy/cedar-wasm has no statefulIsAuthorized", {
		hint: "Install version 4.13 or newer: npm i @cedar-policy/cedar-wasm",
	});
}
