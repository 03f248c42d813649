import { counted } from "../../kit/counted.ts";
import type { Grant, GrantedArguments, GrantedValue, Switch } from "../../spec/governance.ts";
import { dateTime } from "./duration.ts";
import { visibleText } from "./safe-text.ts";
import { padEnd, widthOf } from "./text-width.ts";

/** What is covered, a field a line: all of it. */
export function grantLines(
	grant: Pick<Grant, "tool" | "args" | "scope" | "expiresAt" | "usesMax">,
	facts: { readonly used?: number; readonly session?: string } = {},
): string[] {
	const { tool, args, scope, expiresAt, usesMax } = grant;
	const session = scope.session ?? facts.session;
	const where = session === undefined ? "in every session" : `in ${visibleText(session, 220)}`;
	const whom = scope.principal === undefined ? "anybody" : visibleText(scope.principal, 80);
	const tenant = scope.tenant === undefined ? "" : `, tenant ${visibleText(scope.tenant, 80)}`;
	const left = usesMax === undefined ? "any number of calls" : counted(usesMax, "call");
	const used = facts.used === undefined || usesMax === undefined ? "" : `, ${facts.used} of them used`;
	return aligned([
		["tool", `${visibleText(tool, 80)}, as it is now`],
		...argumentPairs(args),
		["for", `${whom}${tenant}, by agent ${visibleText(scope.agent, 80)}, ${where}`],
		["until", `${dateTime(expiresAt)}; ${left}${used}`],
	]);
}

function argumentPairs(args: GrantedArguments): [string, string][] {
	const pairs = Object.entries(args).map(([field, value]): [string, string] => [
		visibleText(field, 60),
		valueText(value),
	]);
	return [...pairs, ["(others)", "none: a call with any other field is asked about"]];
}

function valueText(value: GrantedValue): string {
	if (value === "any") return "any value, or none";
	if ("is" in value) return `only ${visibleText(JSON.stringify(value.is), 2_000)}`;
	if ("in" in value) return `one of ${visibleText(JSON.stringify(value.in), 2_000)}`;
	return value.min === undefined ? `a number up to ${value.max}` : `a number from ${value.min} to ${value.max}`;
}

function aligned(pairs: readonly (readonly [string, string])[]): string[] {
	const columns = Math.max(...pairs.map(([name]) => widthOf(name)));
	return pairs.map(([name, text]) => `${padEnd(name, columns)}  ${text}`);
}

/** `tool refund is switched off by ann since …: it pays twice` */
export function switchText({ of, name, by, at, reason }: Switch): string {
	const what = of === "all" ? "everything" : `${of} ${visibleText(name, 200)}`;
	return `${what} is switched off by ${visibleText(by, 80)} since ${dateTime(at)}: ${visibleText(reason, 500)}`;
}
