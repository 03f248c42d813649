/** The traces of a run for people: what was recorded as it ran, and from the journal what was not. */
import { existsSync } from "node:fs";
import type { RunView } from "../run/show-run.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { Span } from "../spec/trace.ts";
import { capturesContent, generationOf } from "../trace/conventions.ts";
import { type DerivedSegment, deriveTraces } from "../trace/derive-trace.ts";
import type { Invocation } from "./command.ts";
import { storePath } from "./open-harness.ts";
import { tracesPath } from "./open-tracing.ts";

/** One segment of a run: from taking its lease to letting it go. */
export interface ShownSegment {
	readonly epoch: number;
	/** `recorded`: as it ran. `journal`: derived from what became durable, without commits and with the journal's times. */
	readonly source: "recorded" | "journal";
	/** The root first; children after their parents, in the order in which they began. */
	readonly spans: readonly Span[];
}

/** `view`: redacted. A trace store that cannot be read is said, and does without. */
export async function shownTrace(
	invocation: Invocation,
	view: RunView,
	store: string,
): Promise<readonly ShownSegment[]> {
	const recorded = await recordedOf(invocation, view.run);
	const { env } = invocation.host;
	const derived = deriveTraces(
		{
			store,
			run: view.run,
			generation: generationOf(env),
			content: capturesContent(env),
			costOf: () => undefined,
		},
		segmentsOf(view),
	);
	const epochs = [...new Set([...derived.keys(), ...recorded.keys()])].sort((one, other) => one - other);
	return epochs.map((epoch) => {
		const kept = recorded.get(epoch);
		const spans = inOrder(kept ?? derived.get(epoch) ?? []);
		return { epoch, source: kept ? "recorded" : "journal", spans };
	});
}

/** Those that are whole: of a process that died, or that could not write, the journal knows more. */
async function recordedOf(
	{ host, options, terminal }: Invocation,
	run: string,
): Promise<ReadonlyMap<number, readonly Span[]>> {
	const path = tracesPath(storePath({ host, options }));
	if (!existsSync(path)) return new Map();
	const { sqliteTraces } = await import("../adapters/tracing/sqlite.ts");
	const traces = sqliteTraces(path, { readOnly: true });
	try {
		const kept = await traces.read(run);
		const whole = kept.filter(({ spans }) => isWhole(spans));
		return new Map(whole.map(({ epoch, spans }) => [epoch, spans]));
	} catch (error) {
		if (!isHoldpointError(error)) throw error;
		terminal.note(`${error.message}; what follows is derived from the journal.`);
		return new Map();
	} finally {
		await traces.close();
	}
}

/** The root comes last, and not at all where something was dropped. All of it hangs together: nothing else can be shown. */
function isWhole(spans: readonly Span[]): boolean {
	const ids = new Set(spans.map(({ spanId }) => spanId));
	const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
	return roots.length === 1 && ids.size === spans.length && inOrder(spans).length === spans.length;
}

function segmentsOf({ events, segments, state, lease }: RunView): readonly DerivedSegment[] {
	return segments.map(({ epoch, from }, at) => {
		const isLast = at === segments.length - 1;
		const ended = isLast && state.status !== "running" ? { status: state.status } : {};
		const waits = isLast && state.status === "running" && !lease ? { status: "waiting" } : {};
		return { epoch, events: events.slice(from, segments[at + 1]?.from), ...ended, ...waits };
	});
}

/** From the root; what does not hang on it is left out. Every id is there once. */
function inOrder(spans: readonly Span[]): Span[] {
	const children = new Map<string | undefined, Span[]>();
	for (const span of spans) {
		const siblings = children.get(span.parentSpanId);
		if (siblings) siblings.push(span);
		else children.set(span.parentSpanId, [span]);
	}
	// The last one first, so that the first one is taken first.
	const below = (parent?: string) =>
		(children.get(parent) ?? []).toSorted((one, other) => one.start - other.start).reverse();
	const ordered: Span[] = [];
	const open = below();
	for (let span = open.pop(); span; span = open.pop()) {
		ordered.push(span);
		open.push(...below(span.spanId));
	}
	return ordered;
}
