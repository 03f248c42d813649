import { type GrantedArguments, type GrantedValue, type GrantTerms, grantScopes } from "../spec/governance.ts";
import type { Json } from "../spec/json.ts";
import { type Invocation, type OptionSpec, textOption, textOptions } from "./command.ts";
import { usageInvalid } from "./parse-arguments.ts";

/** Options that make a standing grant of a yes. */
export const grantOptions: readonly OptionSpec[] = [
	{ name: "always", value: "scope", about: "yes to later calls, too, within: session, principal, agent" },
	{ name: "any", value: "field", about: "with --always: any value of this field", many: true },
	{ name: "max", value: "field=n", about: "with --always: a number up to this", many: true },
	{ name: "min", value: "field=n", about: "with --always and --max: a number from this on", many: true },
	{ name: "in", value: "field=a,b", about: "with --always: one of these values", many: true },
	{ name: "uses", value: "n", about: "with --always: so many calls" },
	{ name: "for", value: "time", about: "with --always: for so long, such as 12h or 7d (default 24h)" },
];

/** Undefined: no grant is wanted. Errors: `usage.invalid`. */
export function grantTerms(invocation: Invocation): GrantTerms | undefined {
	const scope = textOption(invocation, "always");
	if (scope === undefined) {
		const alone = grantOptions.find(({ name }) => invocation.options[name] !== undefined);
		if (alone)
			throw usageInvalid(
				`--${alone.name} needs --always`,
				`One of ${grantScopes.join(", ")}, such as --always session.`,
			);
		return undefined;
	}
	if (!isScope(scope))
		throw usageInvalid(`--always is ${grantScopes.join(", ")}, and not ${JSON.stringify(scope.slice(0, 40))}`);
	const uses = textOption(invocation, "uses");
	const time = textOption(invocation, "for");
	return {
		scope,
		args: grantedArguments(invocation),
		...(uses === undefined ? {} : { usesMax: numberOf(uses, "uses") }),
		...(time === undefined ? {} : { expiresInMs: durationOf(time) }),
	};
}

function isScope(text: string): text is GrantTerms["scope"] {
	return grantScopes.some((scope) => scope === text);
}

function grantedArguments(invocation: Invocation): GrantedArguments {
	const granted = new Map<string, GrantedValue>();
	const set = (field: string, value: GrantedValue): void => {
		if (granted.has(field)) throw usageInvalid(`The field ${JSON.stringify(field.slice(0, 60))} is named twice`);
		granted.set(field, value);
	};
	const minimums = new Map(pairs(invocation, "min").map(([field, text]) => [field, numberOf(text, "min")]));
	for (const field of textOptions(invocation, "any")) set(field, "any");
	for (const [field, text] of pairs(invocation, "max")) {
		const min = minimums.get(field);
		set(field, { ...(min === undefined ? {} : { min }), max: numberOf(text, "max") });
		minimums.delete(field);
	}
	for (const [field, text] of pairs(invocation, "in")) set(field, { in: listOf(text) });
	const [alone] = minimums.keys();
	if (alone !== undefined) throw usageInvalid(`--min ${alone.slice(0, 60)} needs --max of the same field`);
	return Object.fromEntries(granted);
}

function pairs(invocation: Invocation, name: string): [field: string, text: string][] {
	return textOptions(invocation, name).map((pair) => {
		const at = pair.indexOf("=");
		if (at < 1)
			throw usageInvalid(`--${name} takes field=value, and ${JSON.stringify(pair.slice(0, 60))} has no field`);
		return [pair.slice(0, at), pair.slice(at + 1)];
	});
}

function numberOf(text: string, name: string): number {
	const number = Number(text);
	if (text.trim() !== "" && Number.isFinite(number)) return number;
	throw usageInvalid(`--${name} takes a number, and ${JSON.stringify(text.slice(0, 40))} is none`);
}

/** A JSON list, or values with commas between them: what is no JSON is a text. */
function listOf(text: string): Json[] {
	const whole = valueOf(text);
	return Array.isArray(whole) ? whole : text.split(",").map(valueOf);
}

function valueOf(text: string): Json {
	try {
		return JSON.parse(text) as Json;
	} catch {
		return text;
	}
}

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `30m`, `12h`, `7d`. */
function durationOf(text: string): number {
	const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
	if (count === undefined)
		throw usageInvalid(
			`--for takes a time, and ${JSON.stringify(text.slice(0, 40))} is none`,
			"Such as 30m, 12h or 7d.",
		);
	return Number(count) * units[unit as keyof typeof units];
}
