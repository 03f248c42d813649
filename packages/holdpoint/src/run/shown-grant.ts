/** A grant as it is shown to those who only look on. It is judged by what it really covers. */
import { type Rule, redactJson } from "../kit/redact-json.ts";
import type { Grant, GrantedArguments, GrantedValue } from "../spec/governance.ts";
import type { Json } from "../spec/json.ts";
import type { Marks } from "../spec/marks.ts";
import { rulesFor } from "./mark-rules.ts";

/** `today`: what the tool marks by now, where it is known. */
export function shownGrant(grant: Grant, today: Marks | undefined): Grant {
	const args = shownTerms(grant.args, [...rulesFor(grant.marks, "all"), ...rulesFor(today, "all")]);
	return args === grant.args ? grant : { ...grant, args };
}

/** What a grant covers, without what stands at marked places; the same object where nothing does. */
export function shownTerms(args: GrantedArguments, rules: readonly Rule[]): GrantedArguments {
	if (rules.length === 0) return args;
	const whole = rules.find(({ steps }) => steps.length === 0);
	// Names of fields are part of what is marked as a whole.
	if (whole) return { "*": { is: whole.instead } };
	const fields = Object.entries(args).map(([field, value]) => [field, value, shownValue(field, value, rules)] as const);
	if (fields.every(([, before, after]) => before === after)) return args;
	return Object.fromEntries(fields.map(([field, , after]) => [field, after]));
}

/** Every value that stands in what is covered, as arguments that have it. */
export function valuesIn(args: GrantedArguments): Json[] {
	return Object.entries(args).flatMap(([field, value]) => {
		if (value === "any" || "max" in value) return [];
		return ("is" in value ? [value.is] : value.in).map((one) => asArguments(field, one));
	});
}

function shownValue(field: string, value: GrantedValue, rules: readonly Rule[]): GrantedValue {
	if (value === "any") return value;
	const shown = (one: Json) =>
		(redactJson(asArguments(field, one), rules) as { readonly [name: string]: Json })[field] as Json;
	if ("is" in value) {
		const is = shown(value.is);
		return is === value.is ? value : { is };
	}
	if ("in" in value) {
		const list = value.in.map(shown);
		return list.every((one, at) => one === value.in[at]) ? value : { in: list };
	}
	// A bound of what is sensitive says something of it.
	const max = shown(value.max);
	return max === value.max ? value : { is: max };
}

/** `__proto__` is a field like any other here. */
function asArguments(field: string, value: Json): Json {
	return Object.fromEntries([[field, value]]);
}
