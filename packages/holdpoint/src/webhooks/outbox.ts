/**
 * What is pending for one webhook. The journals say what happened; this says which of it was not delivered yet.
 *
 * 1. A message is a place in a journal. Its text is made from there whenever it is sent, its id is made of that place.
 * 2. A run is looked at when it changed after `since`, less the time by which clocks of writers may differ. What is full
 *    looks at nothing more: that stays in the journals.
 * 3. What is being sent is due again after a while: a process that dies over it loses nothing, and sends twice.
 */
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { WebhookEvent } from "../spec/webhooks.ts";

export interface Outbox {
	/** What happened before is not told. Milliseconds since 1970. */
	readonly born: number;
	/** All runs that changed up to then were looked at. Milliseconds since 1970. */
	readonly since: number;
	/** Of runs that changed lately: up to which entry. */
	readonly seen: readonly (readonly [run: string, seq: number])[];
	readonly pending: readonly Pending[];
	/** Given up: the newest of them. */
	readonly failed: readonly Pending[];
}

export const emptyOutbox: Outbox = { born: 0, since: 0, seen: [], pending: [], failed: [] };

/** A place in a journal. */
export interface EventPlace {
	readonly type: WebhookEvent;
	readonly run: string;
	readonly seq: number;
	/** Which event of the entry; left out for `run.waiting`, which is how the run stood with that entry. */
	readonly index?: number;
}

export interface Pending extends EventPlace {
	readonly tries: number;
	/** Milliseconds since 1970. */
	readonly dueAt: number;
	/** Why the last attempt failed. */
	readonly why?: string;
}

export function messageId(store: string, { run, seq, index }: EventPlace): string {
	return `msg_${digest(canonicalJson([store, run, seq, index ?? null])).slice(0, 27)}`;
}

/** From when on a change of a run may not have been looked at. */
export function lookFrom({ since, born }: Outbox, now: number): number {
	// A clock that went ahead and was set right again must not hide what comes now.
	return Math.max(Math.min(since, now) - fixedLimits.webhookSlackMs, born <= now ? born : 0);
}

export interface Looked {
	/** What was known when it was begun. */
	readonly base: Outbox;
	/** Each run that was looked at, up to which entry, and when it changed. */
	readonly runs: readonly { readonly run: string; readonly seq: number; readonly updatedAt: number }[];
	readonly found: readonly EventPlace[];
	/** Everything that changed since was looked at. */
	readonly isAll: boolean;
}

/** Somebody else may have looked meanwhile: what they saw is not taken twice. */
export function collected(outbox: Outbox, { base, runs, found, isAll }: Looked, now: number): Outbox {
	const seen = new Map(outbox.seen);
	const fresh = found.filter(({ run, seq }) => seq > (seen.get(run) ?? 0));
	// What was not looked at may hold what happened long before the run changed last.
	const since = isAll ? Math.max(outbox.since, ...runs.map(({ updatedAt }) => updatedAt)) : outbox.since;
	const news = runs.filter(({ run, seq }) => seq > (seen.get(run) ?? 0));
	if (news.length === 0) return outbox;
	// Runs that changed long ago are forgotten, but none that somebody else saw meanwhile.
	const kept = new Map(isAll && outbox === base ? [] : outbox.seen);
	for (const { run, seq } of runs) kept.set(run, Math.max(seq, seen.get(run) ?? 0));
	const added = fresh.map((place) => ({ ...place, tries: 0, dueAt: now }));
	return { ...outbox, since, seen: [...kept], pending: [...outbox.pending, ...added] };
}

/** Pauses before the second attempt and those after it; some three days in all. Milliseconds. */
export const pauses = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400].map((seconds) => seconds * 1_000);

export function isDue({ dueAt }: Pending, now: number): boolean {
	// A pause is never longer than the longest: one that is was made by a clock that was ahead.
	return dueAt <= now || dueAt > now + 2 * (pauses.at(-1) as number);
}

/** Takes those that are due, for as long as an attempt may take. */
export function claimed(outbox: Outbox, now: number): { readonly outbox: Outbox; readonly due: readonly Pending[] } {
	const due = outbox.pending.filter((one) => isDue(one, now)).slice(0, fixedLimits.webhookBatchMax);
	if (due.length === 0) return { outbox, due };
	const dueAt = now + fixedLimits.webhookClaimMs;
	const pending = outbox.pending.map((one) => (due.includes(one) ? { ...one, dueAt } : one));
	return { outbox: { ...outbox, pending }, due };
}

export interface Attempted {
	readonly place: EventPlace;
	/** Undefined: it was taken, or there is nothing left to tell. */
	readonly failure: { readonly why: string; readonly waitMs: number } | undefined;
	/** What was to be told is erased. */
	readonly isErased?: true;
}

/** `spread`: 0 to 1, so that what failed together does not come back together. */
export function settled(
	outbox: Outbox,
	attempts: readonly Attempted[],
	{ now, spread }: { readonly now: number; readonly spread: () => number },
): Outbox {
	const outcome = new Map(attempts.map((one) => [keyOf(one.place), one]));
	const failed: Pending[] = [];
	const pending = outbox.pending.flatMap((one): Pending[] => {
		const attempt = outcome.get(keyOf(one));
		if (!attempt) return [one];
		if (!attempt.failure) return [];
		const { why, waitMs } = attempt.failure;
		const pause = pauses[one.tries];
		const tried = { ...one, tries: one.tries + 1, why };
		if (pause === undefined) {
			failed.push(tried);
			return [];
		}
		return [{ ...tried, dueAt: now + Math.max(waitMs, Math.round(pause * (1 + spread() / 5))) }];
	});
	return { ...outbox, pending, failed: [...outbox.failed, ...failed].slice(-fixedLimits.webhookFailedMax) };
}

/** What was given up is tried anew, and what waits is due now. */
export function revived(outbox: Outbox, now: number): Outbox {
	const pending = [...outbox.failed, ...outbox.pending].map((one) => ({ ...one, tries: 0, dueAt: now }));
	return pending.length === 0 ? outbox : { ...outbox, pending, failed: [] };
}

function keyOf({ run, seq, index }: EventPlace): string {
	return `${run} ${seq} ${index ?? ""}`;
}
