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

interface AttributeRule {
	readonly type: string;
	readonly values?: readonly string[];
	/** What its JSON holds. */
	readonly messages?: "input" | "output";
}

/** Types of fields: of `typeof`, or `list`, or `any`. */
interface FieldRule {
	readonly required: { readonly [name: string]: string };
	readonly allowed: { readonly [name: string]: string };
}

interface Rules {
	readonly spans: { readonly [name: string]: SpanRule };
	readonly metrics: { readonly [name: string]: MetricRule };
}

interface Table {
	readonly generations: { readonly [G in Generation]: Rules };
	readonly own: Rules & { readonly events: { readonly [name: string]: readonly string[] } };
	readonly attributes: { readonly [name: string]: AttributeRule };
	readonly messages: {
		readonly roles: readonly string[];
		readonly input: FieldRule;
		readonly output: FieldRule;
		/** By type. */
		readonly parts: { readonly [type: string]: FieldRule };
	};
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
	if (rule.messages) return messageProblems(table.messages[rule.messages], JSON.parse(String(value)));
	const isKnown = rule.values === undefined || rule.values.includes(String(value));
	return isKnown ? [] : [`has ${name} = ${JSON.stringify(value)}, which is none of ${rule.values.join(", ")}`];
}

function isOf(type: string, value: AttributeValue): boolean {
	if (type === "int") return Number.isSafeInteger(value) && Number(value) >= 0;
	if (type === "double") return typeof value === "number" && Number.isFinite(value);
	if (type === "string[]") return Array.isArray(value) && value.every((one) => typeof one === "string");
	if (type === "json") return typeof value === "string" && parsed(value) !== undefined;
	return typeof value === type;
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

type Fields = { readonly [name: string]: unknown };

/** Of what was said, in the form that the conventions have for it. */
function messageProblems(rule: FieldRule, messages: readonly Fields[]): string[] {
	return messages.flatMap((message) => {
		const { role, parts } = message;
		const isKnown = typeof role === "string" && table.messages.roles.includes(role);
		return [
			...fieldProblems(message, rule),
			...(isKnown || role === undefined ? [] : [`says ${JSON.stringify(role)}, which is none of the roles`]),
			...(Array.isArray(parts) ? parts.flatMap(partProblems) : []),
		];
	});
}

function partProblems(part: Fields): string[] {
	const { type } = part;
	const rule = table.messages.parts[String(type)];
	return rule ? fieldProblems(part, rule) : [`has ${JSON.stringify(type)}, which is no part of the table`];
}

function fieldProblems(fields: Fields, { required, allowed }: FieldRule): string[] {
	const all: { readonly [name: string]: string } = { ...required, ...allowed };
	const missing = Object.keys(required).filter((name) => fields[name] === undefined);
	return [
		...missing.map((name) => `lacks ${name}`),
		...Object.entries(fields).flatMap(([name, value]) => {
			const type = all[name];
			if (type === undefined) return [`must not have ${name}`];
			const isRight = type === "any" || (type === "list" ? Array.isArray(value) : typeof value === type);
			return isRight ? [] : [`has ${name} = ${JSON.stringify(value)}, which is no ${type}`];
		}),
	];
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
