/** Spans as they lie in a trace store's file, which anybody may have changed. */
import type { Span } from "../../../spec/trace.ts";

/** As it lies in the file: what is the same for nearly all is left out. */
export interface KeptSpan extends Pick<Span, "name" | "start" | "attributes"> {
	readonly id: string;
	readonly parent?: string | undefined;
	readonly end: number | undefined;
	readonly kind?: Span["kind"] | undefined;
	readonly events?: Span["events"] | undefined;
	readonly links?: Span["links"] | undefined;
	readonly status?: Span["status"] | undefined;
}

export function keptSpan({ spanId: id, parentSpanId: parent, name, kind, start, end, ...span }: Span): KeptSpan {
	const { attributes, events, links, status } = span;
	return {
		id,
		parent,
		name,
		start,
		end,
		kind: kind === "internal" ? undefined : kind,
		attributes,
		events: events.length > 0 ? events : undefined,
		links: links.length > 0 ? links : undefined,
		status: status.code === "unset" ? undefined : status,
	};
}

export function readSpan(traceId: string, kept: KeptSpan): Span {
	const { id: spanId, parent: parentSpanId, name, start, end, attributes } = kept;
	const { kind = "internal", events = [], links = [], status = { code: "unset" } as const } = kept;
	return { traceId, spanId, parentSpanId, name, kind, start, end, attributes, events, links, status };
}

/** Whoever shows them believes that they are spans. Errors: `NoSpans`. */
export function spansIn(text: string): readonly KeptSpan[] {
	const spans = parsed(text);
	if (Array.isArray(spans) && spans.every(isKeptSpan)) return spans;
	throw new NoSpans();
}

export class NoSpans extends Error {
	override readonly message = "What lies there is no list of spans";
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

type Fields = { readonly [name: string]: unknown };

function isKeptSpan(value: unknown): value is KeptSpan {
	if (!isFields(value)) return false;
	const { id, parent = "", name, start, end = 0, kind = "internal", events = [], links = [], status = {} } = value;
	if (!isFields(status)) return false;
	const { code = "unset", message = "" } = status;
	return (
		[id, parent, name, message].every(isText) &&
		[start, end].every(isTime) &&
		(kind === "internal" || kind === "client") &&
		(code === "unset" || code === "error") &&
		hasAttributes(value) &&
		areAll(events, (event) => isText(event["name"]) && isTime(event["at"]) && hasAttributes(event)) &&
		areAll(links, (link) => isText(link["traceId"]) && isText(link["spanId"]) && hasAttributes(link))
	);
}

function areAll(value: unknown, isOne: (one: Fields) => boolean): boolean {
	return Array.isArray(value) && value.every((one) => isFields(one) && isOne(one));
}

function hasAttributes({ attributes }: Fields): boolean {
	return isFields(attributes) && Object.values(attributes).every(isAttribute);
}

function isAttribute(value: unknown): boolean {
	if (Array.isArray(value)) return value.every(isText);
	return isText(value) || typeof value === "boolean" || typeof value === "number";
}

function isFields(value: unknown): value is Fields {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
	return typeof value === "string";
}

/** One that can be shown as a date. */
function isTime(value: unknown): boolean {
	return typeof value === "number" && Math.abs(value) <= 8.64e15;
}
