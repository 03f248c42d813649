/**
 * What a standing grant is worth for a call.
 *
 * 1. It is never wider than what was shown: a field that its terms do not name must have the value of the call with
 *    which it was given, and a field that this call did not have must be absent.
 * 2. It holds for one tool as it was, one agent and one tenant, and for one principal unless its giver said otherwise.
 * 3. It answers for the people who gave it, with the roles that they have now.
 */
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { fits, isGrantedValue } from "../kit/granted-value.ts";
import type { Approver } from "../spec/events.ts";
import { type Grant, type GrantedArguments, type GrantTerms, grantScopes } from "../spec/governance.ts";
import { isJsonObject, type Json } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Marks } from "../spec/marks.ts";

/** The call with whose approval it is given, or that it may cover. */
export interface GrantedCall {
	readonly tool: string;
	readonly version: string;
	readonly args: Json;
	readonly agent: string;
	readonly principal: string;
	readonly tenant: string | undefined;
	readonly session: string | undefined;
	/** What the tool marks as sensitive in its arguments. */
	readonly marks?: Marks | undefined;
}

interface Giving {
	readonly approval: string;
	readonly by: readonly Approver[];
	readonly at: number;
}

/** The same answer makes the same grant, however often it is carried out. */
export function grantOf(terms: GrantTerms, call: GrantedCall, { approval, by, at }: Giving): Grant {
	const { agent, principal, tenant, session, marks } = call;
	const people = by.map(({ id }) => id).sort();
	return {
		id: `grt_${digest(canonicalJson([approval, people]))
			.replace(/[-_]/g, "")
			.slice(0, 12)
			.toLowerCase()}`,
		tool: call.tool,
		version: call.version,
		args: { ...shownArguments(call.args), ...terms.args },
		...(marks ? { marks } : {}),
		scope: {
			agent,
			...(terms.scope === "agent" ? {} : { principal }),
			...(tenant === undefined ? {} : { tenant }),
			...(terms.scope === "session" && session !== undefined ? { session } : {}),
		},
		by,
		approval,
		at,
		expiresAt: at + (terms.expiresInMs ?? fixedLimits.grantExpiresInMs),
		...(terms.usesMax === undefined ? {} : { usesMax: terms.usesMax }),
		...(terms.answers ? { answers: terms.answers } : {}),
	};
}

function shownArguments(args: Json): GrantedArguments {
	if (!isJsonObject(args)) return {};
	return Object.fromEntries(Object.entries(args).map(([field, value]) => [field, { is: value }]));
}

/** Why these terms cannot be granted for this call; undefined: they can. */
export function termsProblem(terms: GrantTerms, { args, session }: GrantedCall): string | undefined {
	if (!isJsonObject(args)) return "only calls whose arguments are an object can be granted for good";
	if (terms.scope === "session" && session === undefined) return "the call belongs to no session";
	if (!grantScopes.includes(terms.scope)) return `its scope is none of ${grantScopes.join(", ")}`;
	const { expiresInMs = 1, usesMax = 1, answers = [] } = terms;
	if (!isWholeUpTo(expiresInMs, fixedLimits.grantExpiresInMsMax)) return "its expiry is no time within 90 days";
	if (!isWholeUpTo(usesMax, fixedLimits.grantUsesMax)) return "its uses are no number from 1 on";
	if (!Array.isArray(answers) || !answers.every((one) => one === "limit" || one === "label")) {
		return 'it can answer "limit" and "label" besides the policy, and nothing else';
	}
	return argumentsProblem(terms.args ?? {}, args);
}

function isWholeUpTo(value: unknown, max: number): boolean {
	return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;
}

function argumentsProblem(granted: unknown, shown: { readonly [field: string]: Json }): string | undefined {
	if (typeof granted !== "object" || granted === null) return "its arguments are no object";
	for (const [field, value] of Object.entries(granted)) {
		if (!isGrantedValue(value)) return `its field ${field} is not "any", { is }, { in } or { max }`;
		if (!fits(value, Object.hasOwn(shown, field) ? shown[field] : undefined)) {
			return `its field ${field} does not cover the call with which it is given`;
		}
	}
	try {
		const { length } = canonicalJson(granted);
		return length <= fixedLimits.grantCharsMax ? undefined : "its arguments are too long";
	} catch {
		return "its arguments are no JSON";
	}
}

export function isCovered(grant: Grant, call: GrantedCall, now: number): boolean {
	const { scope } = grant;
	if (grant.revoked || now >= grant.expiresAt) return false;
	if (grant.tool !== call.tool || grant.version !== call.version) return false;
	if (scope.agent !== call.agent || scope.tenant !== call.tenant) return false;
	if (scope.principal !== undefined && scope.principal !== call.principal) return false;
	if (scope.session !== undefined && scope.session !== call.session) return false;
	return coversArguments(grant.args, call.args);
}

function coversArguments(granted: GrantedArguments, args: Json): boolean {
	if (!isJsonObject(args)) return false;
	if (!Object.keys(args).every((field) => Object.hasOwn(granted, field))) return false;
	return Object.entries(granted).every(([field, value]) => {
		return fits(value, Object.hasOwn(args, field) ? args[field] : undefined);
	});
}
