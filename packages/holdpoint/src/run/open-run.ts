/**
 * Brings a stored run back: verifies its seals, folds it, and says whether today's agent can go on with it.
 * Nothing that does not verify is folded, and nothing that is incompatible is advanced.
 */
import { type Entry, runSeal, timeOf } from "../journal/journal.ts";
import { digest } from "../kit/digest.ts";
import { joinLabels, worstLabel } from "../labels/label.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { Outcome, RunEvent, RunResumed, RunStarted, SessionFrom } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { Label } from "../spec/label.ts";
import type { StoredRun } from "../spec/store.ts";
import { labelSeenIn } from "./conversation.ts";
import type { ReadyAgent, RunPorts } from "./run-ports.ts";
import { type Before, emptyState, openConversations, type RunState } from "./run-state.ts";
import { conversationFrom, HistoryStart } from "./session-from.ts";
import { apply } from "./state.ts";
import { libraryVersion } from "./version.ts";

export interface OpenedRun {
	readonly state: RunState;
	readonly entries: readonly Entry[];
	readonly lastMac: string;
	/** When each approval was asked for. Milliseconds since 1970. */
	readonly askedAt: ReadonlyMap<string, number>;
	/** What happened in the runs of its session that it goes on from, as far as they were opened. */
	readonly earlier: readonly RunEvent[];
	/** Results that lie beside the journals, by digest: its own and those of `earlier`. */
	readonly values: ReadonlyMap<string, Json>;
}

export function eventsOf({ entries }: Pick<OpenedRun, "entries">): readonly RunEvent[] {
	return entries.flatMap(({ events }) => events);
}

/** Errors: `journal.*`. */
export async function openRun(ports: RunPorts, stored: StoredRun): Promise<OpenedRun> {
	const verified = await verify(ports, stored);
	const { before, events, values: earlier } = await historyOf(ports, verified.started);
	const askedAt = new Map<string, number>();
	const values = new Map([...earlier, ...verified.values]);
	return { ...verified, state: fold(verified, before, askedAt), askedAt, earlier: events, values };
}

/** A run whose seals match, not yet folded. */
interface VerifiedRun extends Pick<OpenedRun, "entries" | "lastMac"> {
	readonly run: string;
	readonly started: RunStarted;
	readonly values: Map<string, Json>;
}

async function verify(ports: RunPorts, stored: StoredRun): Promise<VerifiedRun> {
	const { run } = stored;
	const { entries, lastMac } = runSeal(ports.ring, ports.storeId, run).open(stored);
	return { run, entries, lastMac, started: startOf(run, entries), values: await loadValues(ports, run, entries) };
}

/** `askedAt`: is filled. */
function fold({ run, entries, values }: VerifiedRun, before: Before, askedAt?: Map<string, number>): RunState {
	const state = emptyState(run, before, values);
	for (const entry of entries) {
		for (const [index, event] of entry.events.entries()) {
			apply(state, event);
			if (event.type === "approval.requested") askedAt?.set(event.approval, timeOf(entry, index));
		}
	}
	return state;
}

/** Of a verified journal. Errors: `journal.damaged`. */
export function startOf(run: string, entries: readonly Entry[]): RunStarted {
	const first = entries[0]?.events[0];
	if (first?.type === "run.started") return first;
	throw new HoldpointError("journal.damaged", `The journal of run ${run} does not begin with run.started`, {
		details: { run },
	});
}

/** How a run began, without what its session said before. Errors: `journal.*`. */
export function startOfRun({ ring, storeId }: RunPorts, stored: StoredRun): RunStarted {
	return startOf(stored.run, runSeal(ring, storeId, stored.run).open(stored).entries);
}

async function verifyUnlessErased(ports: RunPorts, stored: StoredRun): Promise<VerifiedRun | undefined> {
	try {
		return await verify(ports, stored);
	} catch (error) {
		if (isHoldpointError(error) && error.code === "run.erased") return undefined;
		throw error;
	}
}

/** What was said in a session before one of its runs. */
export interface History {
	readonly before: Before;
	/** Of all that. */
	readonly label: Label | undefined;
	/** Of the runs that were opened for it, oldest first. */
	readonly events: readonly RunEvent[];
	/** Their results that lie beside the journals, by digest. */
	readonly values: ReadonlyMap<string, Json>;
	/** Where the history of the next run may begin, if nobody is shown what is folded; undefined: where the session does. */
	readonly from: SessionFrom | undefined;
}

export interface HistoryOptions {
	/** It does not say yet where its history begins: as that of the run before it does. */
	readonly isNew: boolean;
}

/** As far back as its history goes, and `sessionRunsMax` runs. */
export async function historyOf(
	ports: RunPorts,
	{ session, principal, tenant }: RunStarted,
	{ isNew }: HistoryOptions = { isNew: false },
): Promise<History> {
	const before: VerifiedRun[] = [];
	let from = session?.from;
	let isWhole = false;
	let after = session?.after;
	while (after !== undefined && before.length < ports.sessionRunsMax) {
		const stored = await ports.store.load(after);
		if (!stored)
			throw new HoldpointError("journal.tampered", `Run ${after}, after which this session goes on, is gone`);
		const run = await verifyUnlessErased(ports, stored);
		// What was said in it, and which run came before it, is gone for good.
		if (!run) break;
		// In older stores two tenants may share a chain: what one of them said is not the other's.
		if (run.started.tenant !== tenant) break;
		before.push(run);
		if (isNew && before.length === 1) from = run.started.session?.from;
		isWhole = run.run === from?.run;
		after = isWhole ? undefined : run.started.session?.after;
	}
	const seed = isWhole && from ? { from, conversation: await conversationFrom(ports, from) } : undefined;
	const start = new HistoryStart(seed?.from);
	let conversation: Before = seed?.conversation ?? [];
	let last: RunState | undefined;
	for (const run of before.reverse()) {
		if (last) keepLabels(run.started.principal, last);
		start.enter(run.run, conversation);
		last = fold(run, conversation);
		start.leave(last);
		conversation = last.conversation;
	}
	if (last) keepLabels(principal, last);
	const label = last && labelFor(principal, last);
	const events = before.flatMap(eventsOf);
	const values = new Map(before.flatMap((run) => [...run.values]));
	return { before: conversation, label, events, values, from: start.next() };
}

/** Of each result, with the messages that the next run goes on from: `read_result` shows it there, too. */
function keepLabels(principal: string, { started, conversation, calls }: RunState): void {
	const isSame = started?.principal === principal;
	for (const { earlierLabels } of conversation.threads.values()) {
		if (!isSame) for (const [id, label] of earlierLabels) earlierLabels.set(id, forOthers(label));
	}
	if (!started?.labels) return;
	for (const { thread, parent, modelId, phase, resultLabel } of calls.values()) {
		if (thread.of !== conversation || parent !== undefined || phase !== "finished") continue;
		thread.earlierLabels.set(modelId, isSame ? resultLabel : forOthers(resultLabel));
	}
}

/** `principal` among readers is the one on whose behalf it was read. */
function forOthers(label: Label | undefined): Label | undefined {
	if (!label?.readers) return label;
	return { ...label, readers: label.readers.filter((reader) => reader !== "principal") };
}

/** What is known at the end of a run, for the next one, which may work on somebody else's behalf. */
function labelFor(principal: string, state: RunState): Label | undefined {
	const { started } = state;
	const { conversation } = state;
	// A silent agent's thread goes into the next run, too, with all that it has read.
	const seen = joinLabels(conversation.team?.label, labelSeenIn(conversation));
	const label = started?.labels ? seen : worstLabel("an earlier run of this session");
	return started?.principal === principal ? label : forOthers(label);
}

/** Values that lie beside the journal; their digests are in it, so that a changed one is noticed. Errors: `journal.tampered`. */
export async function loadValues(ports: RunPorts, run: string, entries: readonly Entry[]): Promise<Map<string, Json>> {
	const values = new Map<string, Json>();
	for (const blob of blobsOf(entries)) {
		const body = await ports.store.blob(run, blob);
		if (!body || digest(body) !== blob) {
			throw new HoldpointError("journal.tampered", `A stored value of run ${run} is ${body ? "changed" : "gone"}`, {
				details: { run, blob },
			});
		}
		values.set(blob, JSON.parse(Buffer.from(body).toString("utf8")) as Json);
	}
	return values;
}

function* blobsOf(entries: readonly Entry[]): Generator<string> {
	for (const entry of entries) {
		for (const event of entry.events) {
			const outcome: Outcome | undefined =
				event.type === "call.finished" || event.type === "call.settled" ? event.outcome : undefined;
			if (outcome && "blob" in outcome) yield outcome.blob;
		}
	}
}

export type Compatibility =
	| { readonly verdict: "same" }
	| { readonly verdict: "compatible"; readonly changes: readonly string[] }
	| { readonly verdict: "incompatible"; readonly changes: readonly string[] };

/**
 * May today's agent go on with this run? A tool that an open call needs must be there; everything else that changed is
 * recorded, and approvals given to a changed tool are void by their digest.
 */
export function compatibility(state: RunState, ready: ReadyAgent, known: KnownVersions): Compatibility {
	const changes: string[] = [];
	const broken: string[] = [];
	if (known.agent !== ready.agent.digest) changes.push(`agent ${ready.agent.name}: its instructions or output changed`);
	if (known.lib !== libraryVersion) changes.push(`library: ${known.lib} → ${libraryVersion}`);
	for (const [name, version] of state.tools) {
		const now = Object.hasOwn(ready.toolVersions, name) ? ready.toolVersions[name] : undefined;
		if (now === undefined) changes.push(`tool ${name}: removed`);
		else if (now !== version) changes.push(`tool ${name}: ${version} → ${now}`);
	}
	for (const name of Object.keys(ready.toolVersions)) if (!state.tools.has(name)) changes.push(`tool ${name}: added`);
	for (const { name, active, team } of openConversations(state)) {
		const atWork = [name, ...active.map(({ agent }) => agent), ...(team?.asked?.readers ?? [])];
		const gone = atWork.find((agent) => !ready.cast.has(agent));
		if (gone !== undefined) broken.push(`${gone} is at work, and is no agent of ${ready.agent.name} any more`);
	}
	if (!state.conversation.team !== !ready.team)
		broken.push(`${ready.agent.name} was ${ready.team ? "an agent" : "a team"}`);
	for (const call of state.calls.values()) {
		const open =
			call.phase === "held" || call.phase === "answered" || call.phase === "started" || call.phase === "unknown";
		if (open && !ready.cast.get(call.thread.agent)?.tools.has(call.tool))
			broken.push(`call ${call.id} needs the tool ${call.tool}, which the agent no longer has`);
	}
	if (broken.length > 0) return { verdict: "incompatible", changes: broken };
	return changes.length > 0 ? { verdict: "compatible", changes } : { verdict: "same" };
}

export interface KnownVersions {
	readonly agent: string;
	readonly lib: string;
}

/** The versions with which the run was last advanced. */
export function knownVersions(entries: readonly Entry[]): KnownVersions {
	let agent = "";
	let lib = "";
	for (const entry of entries) {
		for (const event of entry.events) {
			if (event.type === "run.started") [agent, lib] = [event.agent.digest, event.lib];
			else if (event.type === "run.resumed") [agent, lib] = [event.agent ?? agent, event.lib ?? lib];
		}
	}
	return { agent, lib };
}

/** The event that records what changed, or nothing where nothing did. */
export function resumedEvent(ready: ReadyAgent, verdict: Compatibility): RunResumed | undefined {
	if (verdict.verdict !== "compatible") return undefined;
	return {
		type: "run.resumed",
		verdict: "compatible",
		changes: verdict.changes,
		lib: libraryVersion,
		agent: ready.agent.digest,
		tools: ready.toolVersions,
		...(ready.marks ? { marks: ready.marks } : {}),
	};
}
