/**
 * Tells webhooks what happened: reads it from the journals, keeps what is pending in the store, sends it, and tries again
 * for days. At least once, in no certain order, each message with an id of its own.
 *
 * Owns: when the journals are looked at, and the order of writing and sending. Does not own: what is told
 * (`webhook-messages.ts`), what is pending (`webhooks/outbox.ts`), how it is sent (`webhooks/send.ts`).
 */
import { runSeal } from "../journal/journal.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { SealedDocument } from "../kit/sealed-document.ts";
import { isHoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { RunRow } from "../spec/store.ts";
import type { WebhookMessage } from "../spec/webhooks.ts";
import {
	type Attempted,
	claimed,
	collected,
	type EventPlace,
	emptyOutbox,
	isDue,
	type Looked,
	lookFrom,
	messageId,
	type Outbox,
	type Pending,
	revived,
	settled,
} from "../webhooks/outbox.ts";
import type { ReadyWebhook } from "../webhooks/ready-webhook.ts";
import { send } from "../webhooks/send.ts";
import { historyOf, loadValues, startOf } from "./open-run.ts";
import type { RunPorts } from "./run-ports.ts";
import { messagesAt, placeKey, placesIn, type ToldRun } from "./webhook-messages.ts";

/** How it stands with one webhook. */
export interface WebhookStatus {
	readonly id: string;
	readonly url: string;
	readonly pending: readonly Pending[];
	/** Given up after some three days; the newest of them. */
	readonly failed: readonly Pending[];
}

export interface DeliveryReport {
	/** Taken by their receivers in this call. */
	readonly sent: number;
	readonly pending: number;
	readonly failed: number;
	/** When something is due next; undefined: nothing is pending. Milliseconds since 1970. */
	readonly dueAt: number | undefined;
}

interface Delivering {
	readonly ports: RunPorts;
	readonly webhook: ReadyWebhook;
	readonly outbox: SealedDocument<Outbox>;
}

export class Webhooks {
	readonly #ports: () => Promise<RunPorts>;
	readonly #webhooks: readonly ReadyWebhook[];
	readonly #outboxes = new Map<string, SealedDocument<Outbox>>();
	readonly #stopped = new AbortController();
	#running: Promise<DeliveryReport> | undefined;
	#isCalled = false;

	constructor(ports: () => Promise<RunPorts>, webhooks: readonly ReadyWebhook[]) {
		this.#ports = ports;
		this.#webhooks = webhooks;
	}

	/**
	 * Looks what happened, and sends what is due. Done by itself after each stretch of a run in this process; a process
	 * that lives long calls `keepDelivering`. Errors: `store.*`, `journal.tampered` (of what is pending).
	 */
	async deliver(): Promise<DeliveryReport> {
		// What happened since a delivery began it may not have seen.
		this.#isCalled = true;
		this.#running ??= this.#deliverAll();
		return this.#running;
	}

	/** Delivers now and then until the signal says so or the harness is closed; a store that fails is tried again. */
	async keepDelivering(options: { readonly signal?: AbortSignal; readonly everyMs?: number } = {}): Promise<void> {
		const { signal, everyMs = fixedLimits.webhookEveryMs } = options;
		const ended = signal ? AbortSignal.any([signal, this.#stopped.signal]) : this.#stopped.signal;
		const { clock } = await this.#ports();
		while (!ended.aborted) {
			const report = await this.deliver().catch(warned);
			const dueInMs = report?.dueAt === undefined ? everyMs : Math.max(1_000, report.dueAt - clock.now());
			await clock.sleep(Math.min(everyMs, dueInMs), ended).catch(() => undefined);
		}
	}

	/** What is pending and what was given up. Nothing is sent. */
	async status(): Promise<readonly WebhookStatus[]> {
		const all: WebhookStatus[] = [];
		for (const { webhook, outbox } of await this.#all()) {
			const { pending, failed } = await outbox.refresh();
			all.push({ id: webhook.id, url: shownUrl(webhook.url), pending, failed });
		}
		return all;
	}

	/** What was given up is tried anew, and what waits is due now. */
	async retry(): Promise<void> {
		for (const { ports, outbox } of await this.#all()) await outbox.change((now) => revived(now, ports.clock.now()));
	}

	/** What happens from now on is told; asked once, when the store is opened. */
	async begin(ports: RunPorts): Promise<void> {
		for (const webhook of this.#webhooks) {
			const outbox = this.#outbox(ports, webhook);
			await outbox.refresh();
			if (outbox.isThere) continue;
			const now = ports.clock.now();
			await outbox.change((there) => (outbox.isThere ? there : { ...emptyOutbox, born: now, since: now }));
		}
	}

	/** A stretch of a run ended here. What fails is tried when somebody delivers next. */
	nudge(): void {
		if (this.#webhooks.length > 0 && !this.#stopped.signal.aborted) void this.deliver().catch(() => undefined);
	}

	/** Resolves when nothing is being sent. */
	async idle(): Promise<void> {
		await this.#running?.catch(() => undefined);
	}

	/** What is on its way is given up for now: it is due again soon. */
	async stop(): Promise<void> {
		this.#stopped.abort();
		await this.idle();
	}

	async #all(): Promise<Delivering[]> {
		if (this.#webhooks.length === 0) return [];
		const ports = await this.#ports();
		return this.#webhooks.map((webhook) => ({ ports, webhook, outbox: this.#outbox(ports, webhook) }));
	}

	#outbox(ports: RunPorts, { id }: ReadyWebhook): SealedDocument<Outbox> {
		let outbox = this.#outboxes.get(id);
		if (!outbox) {
			const what = "The messages that are pending for a webhook";
			outbox = new SealedDocument(ports, { name: `webhook.${id}`, what, empty: emptyOutbox });
			this.#outboxes.set(id, outbox);
		}
		return outbox;
	}

	async #deliverAll(): Promise<DeliveryReport> {
		try {
			const all = await this.#all();
			let sent = 0;
			while (this.#isCalled && !this.#stopped.signal.aborted) {
				this.#isCalled = false;
				// Apart from each other: a receiver that is slow keeps no other one waiting for its turn.
				const ends = await Promise.allSettled(all.map((one) => deliverOne(one, this.#stopped.signal)));
				const lost = ends.find((end) => end.status === "rejected");
				if (lost) throw lost.reason;
				sent += ends.reduce((sum, end) => sum + (end.status === "fulfilled" ? end.value : 0), 0);
			}
			return reportOf(sent, all);
		} finally {
			this.#running = undefined;
		}
	}
}

function reportOf(sent: number, all: readonly Delivering[]): DeliveryReport {
	const boxes = all.map(({ outbox }) => outbox.value);
	const due = boxes.flatMap(({ pending }) => pending.map(({ dueAt }) => dueAt));
	const failed = boxes.reduce((sum, box) => sum + box.failed.length, 0);
	return { sent, pending: due.length, failed, dueAt: due.length > 0 ? Math.min(...due) : undefined };
}

function warned(error: unknown): undefined {
	process.emitWarning(`Webhooks were not told, and are tried again: ${reasonOf(error)}`);
}

/** How many were taken. */
async function deliverOne(delivering: Delivering, signal: AbortSignal): Promise<number> {
	const { ports, outbox } = delivering;
	let sent = 0;
	for (let rounds = 0; rounds < fixedLimits.webhookRoundsMax && !signal.aborted; rounds++) {
		const looked = await look(delivering);
		let due: readonly Pending[] = [];
		await outbox.change((now) => {
			const at = ports.clock.now();
			const claim = claimed(collected(now, looked, at), at);
			due = claim.due;
			return claim.outbox;
		});
		if (due.length === 0) break;
		const attempts = await attemptAll(delivering, due, signal);
		const facts = { now: ports.clock.now(), spread: ports.random };
		// What was cut off here says nothing about its receiver.
		const known = signal.aborted ? attempts.filter(({ failure }) => !failure) : attempts;
		await outbox.change((now) => settled(now, known, facts));
		sent += attempts.filter(({ failure, isErased }) => !failure && !isErased).length;
		if (!outbox.value.pending.some((one) => isDue(one, facts.now))) break;
	}
	return sent;
}

const pageRows = 1_000;

/** Reads what changed since it was looked at last, the oldest change first, until there is enough to send. */
async function look(delivering: Delivering): Promise<Looked> {
	const { ports, outbox, webhook } = delivering;
	const base = await outbox.refresh();
	const runs: { run: string; seq: number; updatedAt: number }[] = [];
	const found: EventPlace[] = [];
	if (base.pending.length >= fixedLimits.webhookPendingMax) return { base, runs, found, isAll: false };
	const from = lookFrom(base, ports.clock.now());
	const seen = new Map(base.seen);
	const rows = await changedSince(ports, from);
	for (const { run, seq, updatedAt } of rows.reverse()) {
		const before = seen.get(run);
		if (before !== undefined && before >= seq) {
			runs.push({ run, seq: before, updatedAt });
			continue;
		}
		if (base.pending.length + found.length >= fixedLimits.webhookPendingMax) return { base, runs, found, isAll: false };
		const told = await toldRun(ports, run);
		// Nobody has seen it: who has its key may read it yet. Of an erased one there is nothing to tell.
		if (told === "unreadable" || told === "erased") continue;
		runs.push({ run, seq: told.entries.length, updatedAt });
		found.push(...placesIn(told, webhook.events, { seq: before, at: from }));
	}
	return { base, runs, found, isAll: true };
}

/** Newest first. */
async function changedSince({ store }: RunPorts, from: number): Promise<RunRow[]> {
	const rows: RunRow[] = [];
	for (;;) {
		const last = rows.at(-1);
		const before = last && { updatedAt: last.updatedAt, run: last.run };
		const page = await store.runs({ limit: pageRows, ...(before ? { before } : {}) });
		rows.push(...page.filter(({ updatedAt }) => updatedAt >= from));
		const oldest = page.at(-1);
		if (page.length < pageRows || !oldest || oldest.updatedAt < from) return rows;
	}
}

/**
 * `unreadable`: whoever resumes it is told why. Neither that nor one that was erased must keep the others from being told.
 */
async function toldRun(
	ports: RunPorts,
	run: string,
	{ withWords = false } = {},
): Promise<ToldRun | "unreadable" | "erased"> {
	try {
		const stored = await ports.store.load(run);
		if (!stored) return "unreadable";
		const { entries } = runSeal(ports.ring, ports.storeId, run).open(stored);
		const words = withWords ? await wordsOf(ports, run, entries) : { earlier: [], values: new Map() };
		return { run, entries, status: stored.head.status, ...words };
	} catch (error) {
		if (!isHoldpointError(error)) throw error;
		if (error.code === "run.erased") return "erased";
		if (error.code.startsWith("journal.")) return "unreadable";
		throw error;
	}
}

/** What says which words are hidden. */
async function wordsOf(
	ports: RunPorts,
	run: string,
	entries: ToldRun["entries"],
): Promise<Pick<ToldRun, "earlier" | "values">> {
	const { events: earlier, values } = await historyOf(ports, startOf(run, entries));
	return { earlier, values: new Map([...values, ...(await loadValues(ports, run, entries))]) };
}

async function attemptAll(delivering: Delivering, due: readonly Pending[], signal: AbortSignal): Promise<Attempted[]> {
	const attempts: Attempted[] = [];
	const queue = await writtenOut(delivering, due);
	const work = async (): Promise<void> => {
		for (let next = queue.shift(); next && !signal.aborted; next = queue.shift()) {
			attempts.push({ place: next.place, ...(await attempt(delivering, next, signal)) });
		}
	};
	await Promise.all(Array.from({ length: fixedLimits.webhookConcurrencyMax }, work));
	return attempts;
}

interface Written {
	readonly place: Pending;
	/** Undefined: its run cannot be read now. */
	readonly message: WebhookMessage | "erased" | undefined;
}

/** One reading of each run for all that is told of it. */
async function writtenOut({ ports, webhook }: Delivering, due: readonly Pending[]): Promise<Written[]> {
	const written: Written[] = [];
	for (const [run, places] of Map.groupBy(due, (place) => place.run)) {
		const told = await toldRun(ports, run, { withWords: webhook.hasArguments });
		const messages = typeof told === "string" ? undefined : messagesAt(told, places, webhook);
		const lost = told === "erased" ? told : undefined;
		written.push(...places.map((place) => ({ place, message: messages?.get(placeKey(place)) ?? lost })));
	}
	return written;
}

async function attempt(
	{ ports, webhook }: Delivering,
	{ place, message }: Written,
	signal: AbortSignal,
): Promise<Omit<Attempted, "place">> {
	if (message === "erased") return { failure: undefined, isErased: true };
	if (!message) return { failure: { why: `run ${place.run} cannot be read`, waitMs: 0 } };
	const id = messageId(ports.storeId, place);
	return { failure: await send(webhook, { id, body: JSON.stringify(message), now: ports.clock.now(), signal }) };
}

/** What follows the path may be a secret of the receiver. */
function shownUrl({ origin, pathname }: URL): string {
	return `${origin}${pathname}`;
}
