/**
 * What an event of a run says in the audit log: one leaf each.
 *
 * Owns: what a leaf says, and that of the payload it holds a salted digest alone.
 * Does not own: which fields are facts, open for ever (`event-facts.ts`), where leaves and salts lie (the store), the tree
 * (`merkle.ts`).
 *
 * 1. A field is payload unless it is named as a fact: what a later event brings is not published by oversight.
 * 2. No fact leads back to a payload. The digest of a call and the id of its approval follow from its arguments, so that
 *    whoever guesses these could confirm the guess: the leaf numbers them instead, in the order in which the run has them.
 * 3. A payload is not stored anew: it is in the journal, and follows from the event (`splitEvent`). Who drops the journal's
 *    entries and the salts has dropped the payload.
 */
import { randomFillSync } from "node:crypto";
import { canonicalJson } from "../kit/canonical-json.ts";
import type { CallDecided, Outcome, ProgramRehearsed, RehearsedCall, RunEvent } from "../spec/events.ts";
import type { GrantScope, GrantTerms, StandingEvent } from "../spec/governance.ts";
import { noRun, type Write } from "../spec/store.ts";
import { isFact } from "./event-facts.ts";
import { payloadDigest } from "./verifier/payload-digest.ts";

/** A change of what is a fact makes a new version: the payloads of older leaves must follow from their events still. */
export const leafVersion = 1;

type Fields = { readonly [name: string]: unknown };

export interface SplitEvent {
	readonly facts: Fields;
	/** Its text; undefined where all of the event is facts. */
	readonly payload: string | undefined;
}

/** Parts an event. Pure: the payload of a leaf is made again from the journal's event. */
export function splitEvent(event: RunEvent): SplitEvent {
	const open: Record<string, unknown> = { type: event.type, ...outcomeFacts(event) };
	const kept: Record<string, unknown> = {};
	let isKept = false;
	for (const [name, value] of Object.entries(event)) {
		if (value === undefined || name === "type") continue;
		if (isFact(event.type, name)) open[name] = factOf(name, value);
		else {
			kept[name] = value;
			isKept = true;
		}
	}
	return { facts: open, payload: isKept ? JSON.stringify(kept) : undefined };
}

/**
 * Keys that anybody may choose become values: a key that looks like a number changes its place when it is parsed, and a
 * leaf must have one text.
 */
function factOf(name: string, value: unknown): unknown {
	if (name === "counts") return Object.entries(value as Fields).sort(([a], [b]) => (a < b ? -1 : 1));
	const { counts, ...ask } = name === "ask" ? (value as Fields) : {};
	return counts === undefined ? value : { ...ask, counts: factOf("counts", counts) };
}

/** How it came out is a fact, with what is not. */
function outcomeFacts(event: RunEvent): Fields {
	if (event.type === "run.finished" && event.error) return { error: event.error.code };
	if (event.type !== "call.finished" && event.type !== "call.settled") return {};
	const { outcome } = event;
	const kind = outcomeKinds.find((one) => one in outcome);
	return {
		outcome: kind,
		...("code" in outcome ? { code: outcome.code } : {}),
		...("edited" in outcome ? { edited: true } : {}),
	};
}

type OutcomeKind = Outcome extends infer One
	? One extends unknown
		? Exclude<keyof One, "code" | "by" | "bytes" | "edited">
		: never
	: never;
const outcomeKinds: readonly OutcomeKind[] = ["ok", "blob", "failed", "denied", "cancelled", "unknown"];

const saltBytes = 16;
const pool = Buffer.alloc(saltBytes * 256);
let used = pool.length;

/** 128 random bits: nobody tries them out. */
function newSalt(): string {
	if (used === pool.length) {
		randomFillSync(pool);
		used = 0;
	}
	used += saltBytes;
	return pool.toString("base64url", used - saltBytes, used);
}

/** An event of one entry of a journal. */
export interface LeafEvent {
	readonly at: number;
	readonly event: RunEvent;
}

export type AuditWrite = Extract<Write, { readonly kind: "audit" }>;

/** What a decision was about. */
export interface MadeCall {
	readonly tool: string;
	/** Who made it, where that is not the run's own agent. */
	readonly agent?: string;
}

/** The digest that a decision on a call has when the call is what was foreseen. */
export type BoundTo = (call: string, foreseen: RehearsedCall) => string;

/** Makes the leaves of one run, event after event from its first one. */
export interface RunLeaves {
	/** `seq`: the entry with which they become durable. */
	leaves(seq: number, events: readonly LeafEvent[], madeBy: (call: string) => MadeCall): AuditWrite[];
	/** Events whose leaves are there already. */
	pass(events: readonly RunEvent[]): void;
}

export function runLeaves(run: string, boundTo: BoundTo): RunLeaves {
	const digests = new Map<string, number>();
	const approvals = new Map<string, number>();
	/** Whose yes counts for nothing, by approval: the principal, whom no fact names. */
	const excepted = new Map<string, readonly string[]>();
	const foreseen = new Map<string, number>();
	/** What the rehearsals of each program foresaw, by number. */
	const ofProgram = new Map<string, Map<number, RehearsedCall>>();
	let n = 0;

	/** The numbers of what a rehearsal foresees, which the decisions on the program's calls have, too. */
	function rehearsed({ call, rows }: ProgramRehearsed): readonly (readonly [number, string | null])[] {
		const known = ofProgram.get(call) ?? new Map<number, RehearsedCall>();
		ofProgram.set(call, known);
		return rows.map((row) => {
			const number = numberIn(foreseen, canonicalJson([row.tool, row.version, row.args]));
			known.set(number, row);
			return [number, row.call ?? null];
		});
	}

	/** Undefined: its program was not rehearsed; 0: nothing foresaw it. */
	function contentOf({ call, digest }: CallDecided): number | undefined {
		// `c1.7` was asked by the program `c1`.
		const known = ofProgram.get(call.slice(0, Math.max(0, call.lastIndexOf("."))));
		if (!known) return undefined;
		for (const [number, row] of known) if (boundTo(call, row) === digest) return number;
		return 0;
	}

	/** Invariant 2. */
	function numbers(event: RunEvent): Fields {
		const numbered: Record<string, unknown> = {};
		if (event.type === "program.rehearsed") numbered["foreseen"] = rehearsed(event);
		const content = event.type === "call.decided" ? contentOf(event) : undefined;
		if (content !== undefined) numbered["content"] = content;
		if ("digest" in event && event.digest !== undefined) numbered["bound"] = numberIn(digests, event.digest);
		if (!("approval" in event)) return numbered;
		// One that was only answered may name anything.
		if (event.type === "approval.refused" && !approvals.has(event.approval)) return numbered;
		numbered["approval"] = numberIn(approvals, event.approval);
		if (event.type === "approval.requested" && event.except) excepted.set(event.approval, event.except);
		if (event.type === "approval.resolved" && excepted.get(event.approval)?.includes(event.by.id))
			numbered["excepted"] = 1;
		return numbered;
	}

	return {
		leaves(seq, events, madeBy) {
			return events.map(({ at, event }) => {
				const { facts: open, payload } = splitEvent(event);
				const made = event.type === "call.decided" ? madeBy(event.call) : {};
				const salt = payload === undefined ? undefined : newSalt();
				const body = canonicalJson({
					v: leafVersion,
					run,
					n: ++n,
					seq,
					at,
					event: { ...open, ...made, ...numbers(event) },
					...(payload === undefined || salt === undefined ? {} : { payload: payloadDigest(salt, payload) }),
				});
				return { kind: "audit", body, ...(salt === undefined ? {} : { salt }) };
			});
		},
		pass(events) {
			for (const event of events) {
				numbers(event);
				n++;
			}
		},
	};
}

function numberIn(known: Map<string, number>, text: string): number {
	const number = known.get(text) ?? known.size + 1;
	known.set(text, number);
	return number;
}

/** What was laid down for every run. Whom and what a grant covers is not open, nor why something was switched off. */
export function standingLeaf(event: StandingEvent): AuditWrite {
	const at = event.type === "grant.given" ? event.grant.at : event.at;
	return { kind: "audit", body: canonicalJson({ v: leafVersion, run: noRun, at, event: standingFacts(event) }) };
}

function standingFacts(event: StandingEvent): Fields {
	const { type } = event;
	switch (type) {
		case "grant.given": {
			const { id, tool, scope, by, expiresAt, usesMax } = event.grant;
			return { type, grant: id, tool, agent: scope.agent, scope: scopeName(scope), by, expiresAt, usesMax };
		}
		case "grant.revoked":
		case "grant.erased":
			return { type, grant: event.grant, by: event.by };
		case "policy.changed":
			return { type, version: event.version, by: event.by };
		case "policy.refused":
			return { type, version: event.version, refused: event.refused, by: event.by };
		case "budgets.changed": {
			const budgets = event.budgets.map(({ over, ...budget }) =>
				over ? { ...budget, over: factOf("ask", over) } : budget,
			);
			return { type, budgets, by: event.by };
		}
		default:
			return { type, of: event.of, name: event.name, by: event.by };
	}
}

/** How wide it is, and not for whom or in which session. */
function scopeName({ session, principal }: GrantScope): GrantTerms["scope"] {
	if (session !== undefined) return "session";
	return principal === undefined ? "agent" : "principal";
}

/** That a run's payloads were erased; the run's own events are no more. */
export function erasedLeaf({
	run,
	at,
	by,
}: {
	readonly run: string;
	readonly at: number;
	readonly by: string;
}): AuditWrite {
	return { kind: "audit", body: canonicalJson({ v: leafVersion, run, at, event: { type: "run.erased", by } }) };
}

/** That memory was forgotten: how many entries, and not whose they were. */
export function forgottenLeaf({
	at,
	...event
}: {
	readonly entries: number;
	readonly at: number;
	readonly by: string;
}): AuditWrite {
	const body = canonicalJson({ v: leafVersion, run: noRun, at, event: { type: "memory.forgotten", ...event } });
	return { kind: "audit", body };
}
