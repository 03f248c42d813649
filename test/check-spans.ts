/** Holds spans and metrics against `trace-conventions.json`, and spans of one trace against each other. */
import { readFileSync } from "node:fs";
import type {
	Attributes,
	AttributeValue,
	Generation,
	Measurement,
	Span,
} from "../packages/holdpoint/src/spec/trace.ts";

interface SpanRule {
	readonly kind: readonly string[];
	/** With the names of attributes in braces. */
	readonly name: string;
	readonly required: readonly string[];
	readonly allowed: readonly string[];
}

interface MetricRule {
	readonly instrument: string;
	readonly unit: string;
	readonly required: readonly string[];
	readonly allowed: readonly string[];
}

interface Rules {
	readonly spans: { readonly [name: string]: SpanRule };
	readonly metrics: { readonly [name: string]: MetricRule };
}

interface Table {
	readonly generations: { readonly [G in Generation]: Rules };
	readonly own: Rules & { readonly events: { readonly [name: string]: readonly string[] } };
	readonly attributes: { readonly [name: string]: { readonly type: string; readonly values?: readonly string[] } };
}

export const table: Table = JSON.parse(readFileSync(new URL("trace-conventions.json", import.meta.url), "utf8"));

/** What is wrong with these spans, a sentence each. */
export function spanProblems(spans: readonly Span[], generation: Generation): string[] {
	return spans.flatMap((span) => {
		const said = (problem: string) => `${span.name}: ${problem}`;
		return [...idProblems(span), ...ruleProblems(span, generation), ...eventProblems(span)].map(said);
	});
}

function idProblems({ traceId, spanId, parentSpanId }: Span): string[] {
	const isRight = /^(?!0+$)[0-9a-f]{32}$/.test(traceId) && /^(?!0+$)[0-9a-f]{16}$/.test(spanId);
	return isRight && parentSpanId !== spanId ? [] : [`has the ids ${traceId} ${spanId}`];
}

function ruleProblems(span: Span, generation: Generation): string[] {
	const { attributes, status } = span;
	const operation = attributes["gen_ai.operation.name"];
	const known: Rules["spans"] = { ...table.generations[generation].spans, ...table.own.spans };
	const rule = known[typeof operation === "string" ? operation : (span.name.split(" ")[0] ?? "")];
	if (!rule) return ["is no span of the table"];
	const name = rule.name.replaceAll(/\{(.*?)\}/g, (_, attribute: string) => String(attributes[attribute]));
	const hasError = attributes["error.type"] !== undefined;
	return [
		...(span.name === name ? [] : [`should be named ${name}`]),
		...(rule.kind.includes(span.kind) ? [] : [`is of the kind ${span.kind}`]),
		...(hasError === (status.code === "error") ? [] : ["has a status and an error.type that do not agree"]),
		...attributeProblems(attributes, rule),
	];
}

function attributeProblems(attributes: Attributes, rule: Pick<SpanRule, "required" | "allowed">): string[] {
	const missing = rule.required.filter((name) => attributes[name] === undefined);
	const all = [...rule.required, ...rule.allowed];
	return [
		...missing.map((name) => `lacks ${name}`),
		...Object.entries(attributes).flatMap(([name, value]) => {
			return all.includes(name) ? valueProblems(name, value) : [`must not have ${name}`];
		}),
	];
}

function valueProblems(name: string, value: AttributeValue): string[] {
	const rule = table.attributes[name];
	if (!rule) return [`has ${name}, which is not in the table`];
	if (!isOf(rule.type, value)) return [`has ${name} = ${JSON.stringify(value)}, which is no ${rule.type}`];
	const isKnown = rule.values === undefined || rule.values.includes(String(value));
	return isKnown ? [] : [`has ${name} = ${JSON.stringify(value)}, which is none of ${rule.values.join(", ")}`];
}

function isOf(type: string, value: AttributeValue): boolean {
	if (type === "int") return Number.isSafeInteger(value) && Number(value) >= 0;
	if (type === "double") return typeof value === "number" && Number.isFinite(value);
	if (type === "string[]") return Array.isArray(value) && value.every((one) => typeof one === "string");
	if (type === "json") return typeof value === "string" && Array.isArray(JSON.parse(value));
	return typeof value === type;
}

function eventProblems({ events, start, end = Number.POSITIVE_INFINITY }: Span): string[] {
	return events.flatMap(({ name, at, attributes }) => {
		const allowed = table.own.events[name];
		if (!allowed) return [`notes ${name}, which is not in the table`];
		const isWithin = at >= start && at <= end;
		return [
			...(isWithin ? [] : [`notes ${name} at ${at}, which is not within ${start} to ${end}`]),
			...attributeProblems(attributes, { required: [], allowed }),
		];
	});
}

export function metricProblems(measurements: readonly Measurement[], generation: Generation): string[] {
	const known: Rules["metrics"] = { ...table.generations[generation].metrics, ...table.own.metrics };
	return measurements.flatMap(({ name, instrument, unit, value, attributes }) => {
		const rule = known[name];
		if (!rule) return [`${name} is no metric of the table`];
		const isRight = rule.instrument === instrument && rule.unit === unit && Number.isFinite(value);
		const problems = [
			...(isRight ? [] : [`is ${value} ${unit}, a ${instrument}`]),
			...attributeProblems(attributes, rule),
		];
		return problems.map((problem) => `${name}: ${problem}`);
	});
}

/** Whether spans make trees: one root a trace, every parent there and around its children, no id twice. */
export function treeProblems(spans: readonly Span[]): string[] {
	const byId = new Map(spans.map((span) => [`${span.traceId} ${span.spanId}`, span]));
	const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
	const traces = new Set(spans.map(({ traceId }) => traceId));
	const problems = byId.size === spans.length ? [] : ["two spans have one id"];
	if (roots.length !== traces.size) problems.push(`${traces.size} traces have ${roots.length} roots`);
	for (const span of spans) {
		if ((span.end ?? span.start) < span.start) problems.push(`${span.name} ends before it begins`);
		if (span.parentSpanId === undefined) continue;
		const parent = byId.get(`${span.traceId} ${span.parentSpanId}`);
		if (!parent) problems.push(`${span.name} has no parent`);
		else if (span.start < parent.start) problems.push(`${span.name} begins before ${parent.name}`);
		else if (parent.end !== undefined && (span.end === undefined || span.end > parent.end))
			problems.push(`${span.name} ends after ${parent.name}`);
	}
	return problems;
}
