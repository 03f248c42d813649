/**
 * Who may approve what, from a JSON file that people keep.
 *
 * 1. It is read when it changed. One that cannot be used, be it half-written or gone, leaves the one before in force, with
 *    a warning; at the start it is an error.
 * 2. Whoever is not in it approves nothing. A denial is taken from anybody.
 * 3. A role with limits for a tool counts for its calls within them, and for its other calls not at all.
 */
import { readFileSync, statSync } from "node:fs";
import { digest } from "../../kit/digest.ts";
import { fits, isGrantedValue } from "../../kit/granted-value.ts";
import { reasonOf } from "../../kit/reason-of.ts";
import type { Answering, Approvers, Authority } from "../../spec/approver.ts";
import { HoldpointError } from "../../spec/errors.ts";
import type { GrantedArguments, GrantedValue } from "../../spec/governance.ts";
import { isJsonObject } from "../../spec/json.ts";
import { fixedLimits } from "../../spec/limits.ts";

/** What the file holds. */
export interface ApproversFile {
	/** The roles of each person, by the id with which they answer. */
	readonly people: { readonly [id: string]: readonly string[] };
	/** What a role may approve, by tool and field; without an entry for a tool: any call of it. */
	readonly limits?: { readonly [role: string]: { readonly [tool: string]: GrantedArguments } };
}

interface Version extends ApproversFile {
	readonly version: string;
	/** What tells another state of the file from this one. */
	readonly stamp: string;
}

/** Errors: `config.invalid` where it cannot be used at the start, with the place of the fault. */
export function approversFile(path: string): Approvers {
	let known = read(path, stampOf(path));
	/** The fault that was warned of. */
	let warned = "";

	function current(): Version {
		try {
			const stamp = stampOf(path);
			if (stamp !== known.stamp) known = read(path, stamp);
			warned = "";
		} catch (error) {
			const why = reasonOf(error);
			if (why !== warned) process.emitWarning(`${why}. The approvers of before (${known.version}) stay in force.`);
			warned = why;
		}
		return known;
	}

	return {
		get version() {
			return current().version;
		},
		of: ({ id }, about) => authorityIn(current(), id, about),
	};
}

function stampOf(path: string): string {
	try {
		const { mtimeMs, size, ino } = statSync(path);
		return `${mtimeMs} ${size} ${ino}`;
	} catch (cause) {
		throw invalid(path, "cannot be read", cause);
	}
}

function authorityIn({ people, limits = {} }: Version, id: string, about: Answering): Authority | string {
	const held = Object.hasOwn(people, id) ? (people[id] ?? []) : undefined;
	if (about.answer === "deny") return { roles: held ?? [] };
	if (held === undefined) return "this person is not among the approvers";
	const notes: string[] = [];
	const roles = held.filter((role) => {
		const ofRole = Object.hasOwn(limits, role) ? limits[role] : undefined;
		const limit = ofRole && Object.hasOwn(ofRole, about.tool) ? ofRole[about.tool] : undefined;
		const [field, allowed] = (limit && misfit(limit, about.args)) ?? [];
		if (field === undefined || allowed === undefined) return true;
		notes.push(`a ${role} approves ${about.tool} only where ${field} is ${shown(allowed)}`);
		return false;
	});
	if (roles.length === 0 && notes.length > 0) return notes.join("; ");
	return notes.length > 0 ? { roles, note: notes.join("; ") } : { roles };
}

/** The first field that is not as the limit wants it. */
function misfit(limit: GrantedArguments, args: Answering["args"]): [string, GrantedValue] | undefined {
	return Object.entries(limit).find(([field, allowed]) => {
		return !fits(allowed, isJsonObject(args) && Object.hasOwn(args, field) ? args[field] : undefined);
	});
}

function shown(allowed: GrantedValue): string {
	if (allowed === "any") return "anything";
	if ("is" in allowed) return JSON.stringify(allowed.is);
	if ("in" in allowed) return `one of ${JSON.stringify(allowed.in)}`;
	return allowed.min === undefined ? `at most ${allowed.max}` : `from ${allowed.min} to ${allowed.max}`;
}

function read(path: string, stamp: string): Version {
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch (cause) {
		throw invalid(path, "cannot be read", cause);
	}
	if (text.length > fixedLimits.approversCharsMax) {
		throw invalid(path, `has more than ${fixedLimits.approversCharsMax} characters`);
	}
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw invalid(path, `is no JSON${placeOf(cause, text)}`, cause);
	}
	const problem = problemIn(value);
	if (problem !== undefined) throw invalid(path, problem);
	return { ...(value as ApproversFile), version: `file:${digest(text).slice(0, 8)}`, stamp };
}

/** Node says where, except at the end of the text and in some of its sentences. */
function placeOf(error: unknown, text: string): string {
	const message = error instanceof Error ? error.message : "";
	if (/\(line \d+ column \d+\)/.test(message)) return "";
	const at = Number(/at position (\d+)/.exec(message)?.[1] ?? text.length);
	const before = text.slice(0, at).split("\n");
	return ` (line ${before.length} column ${(before.at(-1) ?? "").length + 1})`;
}

function problemIn(value: unknown): string | undefined {
	if (!isRecord(value)) return "is no object";
	const { people, limits = {}, ...rest } = value;
	const [unknown] = Object.keys(rest);
	if (unknown !== undefined) return `has a field ${JSON.stringify(unknown)}; known: people, limits`;
	if (!isRecord(people)) return "has no `people`";
	for (const [id, roles] of Object.entries(people)) {
		const place = `people[${JSON.stringify(id)}]`;
		if (id === "" || id.length > fixedLimits.personCharsMax) return `has a person without a usable id: ${place}`;
		if (!Array.isArray(roles)) return `has no list of roles at ${place}`;
		const at = roles.findIndex((role) => typeof role !== "string" || role === "");
		if (at >= 0) return `has no role at ${place}[${at}]`;
	}
	return isRecord(limits)
		? limitsProblem(limits, new Set(Object.values(people).flat()))
		: "has `limits` that are no object";
}

/** A limit of a role that nobody has is a slip of the pen, and somebody is not limited. */
function limitsProblem(limits: Record<string, unknown>, roles: ReadonlySet<unknown>): string | undefined {
	for (const [role, tools] of Object.entries(limits)) {
		const place = `limits[${JSON.stringify(role)}]`;
		if (!roles.has(role)) return `limits a role that nobody in it has: ${place}`;
		if (!isRecord(tools)) return `has no tools at ${place}`;
		for (const [tool, fields] of Object.entries(tools)) {
			const toolPlace = `${place}[${JSON.stringify(tool)}]`;
			if (!isRecord(fields)) return `has no fields at ${toolPlace}`;
			const wrong = Object.keys(fields).find((field) => !isGrantedValue(fields[field]));
			if (wrong !== undefined)
				return `has neither "any", { is }, { in } nor { max } at ${toolPlace}[${JSON.stringify(wrong)}]`;
		}
	}
	return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(path: string, what: string, cause?: unknown): HoldpointError {
	const why = cause === undefined ? "" : `: ${reasonOf(cause)}`;
	return new HoldpointError("config.invalid", `The approvers file ${path} ${what}${why}`, {
		cause,
		details: { path },
		hint: 'Its shape: { "people": { "ann": ["manager"] }, "limits": { "manager": { "refund": { "cents": { "max": 50000 } } } } }.',
	});
}
