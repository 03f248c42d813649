/** A span while it goes on. Its times never contradict those of its parent, whatever a clock does. */
import { fixedLimits } from "../spec/limits.ts";
import type { AttributeValue, Span, SpanEvent, SpanLink, SpanStatus } from "../spec/trace.ts";
import { attr } from "./conventions.ts";
import { spanIdOf } from "./ids.ts";

export interface NewSpan {
	/** Unique in its trace. */
	readonly what: string;
	readonly name: string;
	readonly kind?: Span["kind"];
	readonly start: number;
	readonly attributes: Record<string, AttributeValue>;
	readonly links?: readonly SpanLink[];
}

interface Place {
	readonly traceId: string;
	readonly parent: OpenSpan | undefined;
	readonly key: string | undefined;
}

export class OpenSpan implements Span {
	readonly traceId: string;
	readonly spanId: string;
	readonly parentSpanId: string | undefined;
	readonly name: string;
	readonly kind: Span["kind"];
	readonly start: number;
	end: number | undefined;
	readonly attributes: Record<string, AttributeValue>;
	readonly events: SpanEvent[] = [];
	readonly links: readonly SpanLink[];
	status: SpanStatus = { code: "unset" };
	// Of the tree, and nobody's whom the span is given to.
	readonly #place: Place;
	#children: Set<OpenSpan> | undefined;
	#leftOut = 0;

	constructor(place: Place, given: NewSpan) {
		this.traceId = place.traceId;
		this.#place = place;
		this.spanId = spanIdOf(place.traceId, given.what);
		this.parentSpanId = place.parent?.spanId;
		this.name = given.name;
		this.kind = given.kind ?? "internal";
		this.start = Math.max(given.start, place.parent?.start ?? given.start);
		this.attributes = given.attributes;
		this.links = given.links ?? [];
	}

	get parent(): OpenSpan | undefined {
		return this.#place.parent;
	}

	/** Under which it is looked for while it goes on. */
	get key(): string | undefined {
		return this.#place.key;
	}

	/** Those that go on. */
	get children(): Iterable<OpenSpan> {
		return this.#children ?? [];
	}

	/** It goes on, and is ended with its parent at the latest. Of one that is over at once nothing need be known there. */
	begin(): void {
		const { parent } = this.#place;
		if (!parent) return;
		parent.#children ??= new Set();
		parent.#children.add(this);
	}

	finish(end: number): void {
		this.end = Math.max(end, this.start);
		const { parent } = this.#place;
		if (parent) parent.#children?.delete(this);
	}

	note(name: string, at: number, attributes: SpanEvent["attributes"] = {}): void {
		if (this.events.length >= fixedLimits.spanEventsMax) this.attributes[attr.eventsLeftOut] = ++this.#leftOut;
		else this.events.push({ name, at: Math.max(at, this.start), attributes });
	}

	/** `message`: only where what was said may be recorded. */
	fail(type: string, message?: string): void {
		this.attributes[attr.errorType] = type;
		this.status = { code: "error", ...(message === undefined ? {} : { message }) };
	}
}

/** Names and ids may be a model's words: no longer than this, and no half of a character. */
export function short(text: string, charsMax: number = fixedLimits.spanNameCharsMax): string {
	if (text.length <= charsMax) return text;
	return `${text.slice(0, charsMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
