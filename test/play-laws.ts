/** What holds of a play when its run has ended: of its journal, of the world, of its prompts, and of what is left in the store. */
import { promptProblems } from "holdpoint/testing";
import { journalProblems } from "./journal-laws.ts";
import { type Played, runId } from "./random-play.ts";
import { harmless } from "./random-world.ts";

/** What is wrong with a play; nothing where it is good. */
export async function playProblems(played: Played): Promise<string[]> {
	return [
		...journalProblems(played.events, harmless),
		...worldProblems(played),
		...played.prompts.flatMap(promptProblems),
		...(await storeProblems(played)),
		...auditProblems(played),
	];
}

/** Every event is in the audit log, and a stranger finds that each call was permitted. */
function auditProblems({ audit, events }: Pick<Played, "audit" | "events">): string[] {
	const { findings, leaves, payloads } = audit;
	return [
		...findings.map(({ kind, message }) => `audit: ${kind}: ${message}`),
		// And one of the policy that decides.
		...(leaves === events.length + 1
			? []
			: [`the audit log has ${leaves} leaves, the journal ${events.length} events`]),
		...(payloads.absent === 0 ? [] : [`${payloads.absent} payloads of the audit log do not follow from the journal`]),
	];
}

type Happening = Pick<Played, "events" | "world">;

/** The journal and the world must tell the same. */
export function worldProblems({ events, world }: Happening): string[] {
	const { effects, begun, late } = world;
	const started = new Set(
		events.flatMap((event) => (event.type === "call.started" ? `${event.call} ${event.attempt}` : [])),
	);
	const ends = outcomesOf(events);
	return [
		...repeated(effects.map(({ key, what }) => `${what} under ${key}`)).map((effect) => `${effect} happened twice`),
		...repeated(effects.map(({ what }) => what)).map((what) => `${what} happened twice`),
		...late.map((what) => `${what} began after the end`),
		...repeated(begun).map((attempt) => `attempt ${attempt} began twice`),
		...begun.filter((attempt) => !started.has(attempt)).map((attempt) => `attempt ${attempt} began unwritten (I1)`),
		...effects.flatMap(({ call, what }) => {
			const end = Object.keys(ends.get(call) ?? { nothing: "" })[0] ?? "";
			return ["ok", "blob", "unknown"].includes(end) ? [] : [`${what} happened, and ${call} ends as ${end} (I7)`];
		}),
	];
}

function repeated(list: readonly string[]): string[] {
	return list.filter((one, at) => list.indexOf(one) !== at);
}

/** What each call came to in the end: what somebody found out counts for what nobody knew. */
function outcomesOf(events: Played["events"]): Map<string, object> {
	const ends = events.flatMap((event) =>
		event.type === "call.finished" || event.type === "call.settled" ? [[event.call, event.outcome] as const] : [],
	);
	return new Map(ends);
}

/** After its end a run holds nothing and waits for nobody. */
async function storeProblems({ store, events, result }: Played): Promise<string[]> {
	const stored = await store.load(runId);
	const approvals = await store.approvals({ run: runId });
	const problems = approvals.map(({ approval, call }) => `the approval ${approval} of ${call} is left`);
	if (stored?.lease) problems.push(`the lease of ${stored.lease.owner} is left`);
	if (stored?.head.status !== result.status)
		problems.push(`stored as ${stored?.head.status}, told as ${result.status}`);
	for (const { id } of stored?.signals ?? []) problems.push(`the signal ${id} is left`);
	for (const event of events) {
		const snapshot = event.type === "program.suspended" ? event.snapshot : undefined;
		if (snapshot && (await store.blob(runId, snapshot.digest))) problems.push(`a snapshot ${snapshot.digest} is left`);
	}
	return problems;
}

/** How an interrupted play differs from one that was not, where neither was told or forbidden anything. */
export function differences(played: Played, uninterrupted: Played): string[] {
	const plays = [played, uninterrupted];
	// A call that nobody waits for may be over when its program ends, or be given up then: that is a race.
	const givenUp = new Set(plays.flatMap(callsGivenUp));
	const [did = [], wanted = []] = plays.map((play) => happened(play, givenUp));
	const more = did.filter((what) => !wanted.includes(what));
	const problems = more.map((what) => `${what} happens only when it is interrupted`);
	// What had not happened when a person looked is not asked for again, so that less may happen and all else differ.
	if (played.notHappened > 0) return problems;
	const [now = "", before = ""] = plays.map((play) => {
		const outcomes = [...outcomesOf(play.events)].filter(([call]) => !givenUp.has(call)).sort();
		const view = { effects: happened(play, givenUp), result: { ...play.result, usage: undefined }, outcomes };
		return JSON.stringify(view, withoutEdits);
	});
	return now === before ? problems : [...problems, `ends as ${now}`, `instead of ${before}`];
}

function callsGivenUp({ events }: Played): string[] {
	return [...outcomesOf(events)].flatMap(([call, outcome]) => ("cancelled" in outcome ? [call] : []));
}

function happened({ world }: Played, givenUp: ReadonlySet<string>): string[] {
	return world.effects.flatMap(({ call, what }) => (givenUp.has(call) ? [] : what)).sort();
}

/** That arguments were edited is not said again by whoever settles a call, and is told of calls that are given up too. */
function withoutEdits(key: string, value: unknown): unknown {
	return key === "edited" ? undefined : value;
}
