/**
 * What an approval is worth.
 *
 * I5: an approval names the digest of (run, call, tool, tool version, canonical arguments). An answer counts only for
 * the digest that its giver saw, only before it expires, and each person counts once.
 */
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";

export interface BoundCall {
	readonly run: string;
	readonly call: string;
	readonly tool: string;
	readonly version: string;
	/** Canonical text of the arguments. */
	readonly args: string;
}

/** The digest that decisions, approvals and executions of a call have in common. */
export function callDigest(call: BoundCall): string {
	return digest(`${canonicalJson([call.run, call.call, call.tool, call.version])}\n${call.args}`);
}

/** Short enough to type, and different for every time that a call is asked about. */
export function approvalId(store: string, boundDigest: string, ordinal: number): string {
	return `apr_${digest(`${store}\n${boundDigest}\n${ordinal}`).replace(/[-_]/g, "").slice(0, 12).toLowerCase()}`;
}
