/**
 * Memory as one call may use it.
 *
 * 1. The spaces are those of the run: no argument says whose memory is meant.
 * 2. What is read carries the label with which it was written; what is written is labelled with all that its author had
 *    seen, for good. Where labels were not kept nothing is known of that, and the worst is written down.
 * 3. What was kept in this run before is read, too: it is made durable first.
 */
import { joinLabels, worstLabel } from "../labels/label.ts";
import { checkedName, checkedText } from "../memory/checked-entry.ts";
import { type MemoryHolder, type MemoryParts, MemorySpace } from "../memory/memory-space.ts";
import type { Label } from "../spec/label.ts";
import type { MemoryEntry } from "../spec/memory.ts";
import type { CallingRun, CallMemory } from "../spec/tool.ts";
import type { CallState } from "./call-state.ts";
import { labelSeen } from "./label-results.ts";
import type { Segment } from "./segment.ts";
import { labelOfEdit } from "./state.ts";

/** Whose memory a run has. */
export interface RunOfMemory {
	readonly run: string;
	readonly tenant: string | undefined;
	readonly principal: string;
	readonly session: string | undefined;
}

export interface RunSpaces {
	readonly session: MemorySpace;
	readonly principal: MemorySpace;
}

/** A run without a session has memory of its own in the place of it. */
export function spacesOf(ports: MemoryParts, of: RunOfMemory): RunSpaces {
	const { tenant, principal, session, run } = of;
	const space = (kind: MemoryHolder["kind"], name: string) => new MemorySpace(ports, { tenant, kind, name });
	return {
		session: session === undefined ? space("run", run) : space("session", session),
		principal: space("principal", principal),
	};
}

/**
 * The label of an entry for whoever reads it on behalf of `principal`. `source`: what brings it. `principal` among its
 * readers is the one for whom it was written, and nobody else.
 */
export function labelToReader(
	{ label, principal }: MemoryEntry,
	reader: { readonly source: string; readonly principal: string },
): Label | undefined {
	if (!label) return undefined;
	const { untrusted, readers, assumed } = label;
	const known = principal === reader.principal ? readers : readers?.filter((one) => one !== "principal");
	return {
		...(untrusted === undefined ? {} : { untrusted: reader.source }),
		...(known ? { readers: known } : {}),
		...(assumed ? { assumed } : {}),
	};
}

export function callMemory(segment: Segment, call: CallState): CallingRun["memory"] {
	const { state, ports, info } = segment;
	const spaces = spacesOf(ports, { ...info, tenant: state.started?.tenant });
	return {
		get session() {
			return memoryIn(spaces.session, segment, call);
		},
		get principal() {
			return memoryIn(spaces.principal, segment, call);
		},
	};
}

function memoryIn(space: MemorySpace, segment: Segment, call: CallState): CallMemory {
	const { state, ports, info } = segment;
	const { principal } = info;
	const asRead = (entry: MemoryEntry): MemoryEntry => {
		return { ...entry, label: ports.labels && labelToReader(entry, { source: call.id, principal }) };
	};
	const seen = () => {
		return ports.labels ? joinLabels(labelSeen(state, call), labelOfEdit(call)) : worstLabel(call.id);
	};
	return {
		async list(limit, before) {
			await segment.flushKept();
			return (await space.list(limit, before)).map(asRead);
		},
		async get(name) {
			await segment.flushKept();
			const entry = await space.get(checkedName(name));
			return entry && asRead(entry);
		},
		async search(query, limit) {
			await segment.flushKept();
			return (await space.search(query, limit)).map(asRead);
		},
		async count() {
			await segment.flushKept();
			return (await space.usage()).entries;
		},
		async write(name, text) {
			await segment.flushKept();
			const entry = { name: checkedName(name), text: checkedText(text) };
			await space.assertRoom(entry);
			const by = { run: state.run, call: call.id, agent: call.thread.agent };
			return space.write({ ...entry, at: ports.clock.now(), by, principal, label: seen() });
		},
		async drop(name) {
			await segment.flushKept();
			const plain = checkedName(name);
			return (await space.has(plain)) ? space.drop(plain) : undefined;
		},
	};
}
