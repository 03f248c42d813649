/** What of a run's journal is told to webhooks, and in which words. Pure. */
import { type Entry, timeOf } from "../journal/journal.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { RunStatus } from "../spec/store.ts";
import { type WebhookData, type WebhookEvent, type WebhookMessage, webhookEvents } from "../spec/webhooks.ts";
import type { EventPlace } from "../webhooks/outbox.ts";
import type { ReadyWebhook } from "../webhooks/ready-webhook.ts";
import { waitsOf } from "./conclude.ts";
import { Redactor } from "./redactor.ts";
import { emptyState, type RunState } from "./run-state.ts";
import { apply } from "./state.ts";

/** A verified run. */
export interface ToldRun {
	readonly run: string;
	readonly entries: readonly Entry[];
	readonly status: RunStatus;
	/** Where its words are told, what happened in the runs of its session that it goes on from; else nothing. */
	readonly earlier: readonly RunEvent[];
	/** And the results of all of them that lie beside the journals. */
	readonly values: ReadonlyMap<string, Json>;
}

const told: ReadonlySet<string> = new Set(webhookEvents);

interface Since {
	/** Entries up to here were looked at; undefined: it is not known. */
	readonly seq: number | undefined;
	/** What happened before is not told. Milliseconds since 1970. */
	readonly at: number;
}

/** Everything that is told of what came since. */
export function placesIn(
	{ run, entries, status }: ToldRun,
	events: ReadyWebhook["events"],
	since: Since,
): EventPlace[] {
	const isNews = (entry: Entry): boolean =>
		since.seq === undefined ? lastTime(entry) >= since.at : entry.seq > since.seq;
	const news = entries.filter(isNews);
	const places = news.flatMap(({ seq, events: all }) =>
		all.flatMap(({ type }, index): EventPlace[] =>
			told.has(type) && events.has(type as WebhookEvent) ? [{ type: type as WebhookEvent, run, seq, index }] : [],
		),
	);
	const last = news.at(-1);
	if (last && status === "waiting" && events.has("run.waiting"))
		places.push({ type: "run.waiting", run, seq: last.seq });
	return places;
}

function lastTime(entry: Entry): number {
	return timeOf(entry, Math.max(0, entry.events.length - 1));
}

/** A place of this run. */
export type PlaceKey = string;

export function placeKey({ seq, index }: Pick<EventPlace, "seq" | "index">): PlaceKey {
	return `${seq} ${index ?? ""}`;
}

/** What is told of each of these places: the same for the same place, however far the run has come since. */
export function messagesAt(
	{ run, entries, earlier, values }: ToldRun,
	places: readonly EventPlace[],
	webhook: ReadyWebhook,
): ReadonlyMap<PlaceKey, WebhookMessage> {
	const wanted = new Map(places.map((place) => [placeKey(place), place.type]));
	const messages = new Map<PlaceKey, WebhookMessage>();
	const state = emptyState(run, [], new Map());
	// What is known by then, so that the same place is told in the same words.
	const redactor = Redactor.of({ events: earlier, values }, "secret");
	const tell = (key: PlaceKey, at: number, event?: RunEvent): void => {
		const type = wanted.get(key);
		if (type)
			messages.set(key, {
				type,
				timestamp: new Date(at).toISOString(),
				data: dataOf({ state, redactor }, event, webhook),
			});
	};
	for (const entry of entries) {
		if (messages.size === wanted.size) break;
		for (const [index, event] of entry.events.entries()) {
			apply(state, event);
			redactor.learn(event, values);
			tell(placeKey({ seq: entry.seq, index }), timeOf(entry, index), event);
		}
		tell(placeKey({ seq: entry.seq }), lastTime(entry));
	}
	return messages;
}

/** A run up to a place. */
interface SoFar {
	readonly state: RunState;
	/** Whoever decides sees whom it is about, and no secret. */
	readonly redactor: Redactor;
}

/** `event`: undefined where it is told how the run stands. */
function dataOf(soFar: SoFar, event: RunEvent | undefined, webhook: ReadyWebhook): WebhookData {
	const { state } = soFar;
	const { agent, session, principal } = state.started ?? {};
	const { hasArguments } = webhook;
	const about = event ? eventData(soFar, event, hasArguments) : { waits: waitsData(state) };
	const link = linkOf(webhook, {
		run: state.run,
		...(about.approval === undefined ? {} : { approval: about.approval }),
	});
	return {
		run: state.run,
		agent: agent?.name ?? "",
		...(session ? { session: session.id } : {}),
		...(hasArguments && principal !== undefined ? { principal } : {}),
		...about,
		...(link === undefined ? {} : { link }),
	};
}

function linkOf(
	{ link }: ReadyWebhook,
	about: { readonly run: string; readonly approval?: string },
): string | undefined {
	try {
		const made: unknown = link?.(about);
		return typeof made === "string" ? made.slice(0, 4_000) : undefined;
	} catch {
		return undefined;
	}
}

type Told = Partial<WebhookData>;

function eventData({ state, redactor }: SoFar, event: RunEvent, hasArguments: boolean): Told {
	if (event.type === "run.finished") {
		return { status: event.status, ...(event.error ? { error: event.error.code } : {}) };
	}
	if (!("approval" in event) || !("call" in event)) return {};
	const call = state.calls.get(event.call);
	const { args } = call ?? {};
	const reason =
		event.type === "approval.requested" ? call?.verdict?.reason : "reason" in event ? event.reason : undefined;
	return {
		approval: event.approval,
		call: event.call,
		// Not its digest: everything else in that is told here, so that whoever guesses the arguments could confirm the guess.
		...(call ? { agent: call.thread.agent, tool: call.tool } : {}),
		...(hasArguments && args !== undefined ? { args: redactor.value(args, event.call) } : {}),
		...(hasArguments && reason ? { reason: redactor.text(reason) } : {}),
		...approvalData(event),
	};
}

function approvalData(event: RunEvent): Told {
	switch (event.type) {
		case "approval.requested": {
			const { roles, count = 1, expiresAt } = event;
			return { ...(roles ? { roles } : {}), count, expiresAt: new Date(expiresAt).toISOString() };
		}
		case "approval.escalated":
			return { roles: event.roles };
		case "approval.resolved": {
			const { answer, by, open } = event;
			return { answer, by: { id: by.id, via: by.via }, ...(open ? { open } : {}) };
		}
		case "approval.closed":
			return { why: event.why };
		default:
			return {};
	}
}

function waitsData(state: RunState): NonNullable<Told["waits"]> {
	return waitsOf(state).map((wait) => ({
		kind: wait.kind,
		...(wait.kind === "approval" ? { approval: wait.approval } : {}),
		...(wait.kind === "timer" || wait.kind === "user" ? {} : { call: wait.call }),
	}));
}
