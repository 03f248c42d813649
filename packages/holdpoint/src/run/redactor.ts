/**
 * Takes out of events what tools mark as sensitive, for whoever only looks on: observers, logs, the command line, exports.
 * The model and the tools get the values; so does the journal, which is sealed and not shown.
 *
 * 1. Arguments and results are redacted at the places that the tool's schema marks.
 * 2. A text that stood at such a place is also taken out of every other text that is shown later, however it is escaped
 *    there: a model repeats what it read. Before it is known, and where it was said in other words, it is not found.
 * 3. A field is such a text unless it is named as something else: what a later event says is not shown by oversight.
 * 4. A run of a session knows the texts of the runs that it goes on from, as far back as they are opened for it.
 * 5. Pure. An event without anything to hide stays the same object.
 */
import { isFact } from "../audit/event-facts.ts";
import { mapTexts, type Rule, redactJson, textsAt } from "../kit/redact-json.ts";
import { WordList } from "../kit/word-list.ts";
import type { ApprovalResolved, Outcome, RunEvent, RunStarted } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { ToolMarks } from "../spec/marks.ts";
import type { AnswerPart, ModelDelta } from "../spec/model.ts";
import { executeCodeName } from "./execute-code-name.ts";
import { type Hiding, rulesFor } from "./mark-rules.ts";
import { eventsOf, type History, type OpenedRun } from "./open-run.ts";
import { shownTerms, valuesIn } from "./shown-grant.ts";

interface ToolRules {
	readonly args: readonly Rule[];
	readonly result: readonly Rule[];
}

/** Names, digests and numbers beside the facts of the audit log. Every other field may hold what somebody said or got. */
const names: ReadonlySet<string> = new Set(
	"approval approvers by counted digest done except holds label marks principal session signal snapshot sources spent tenant tool type".split(
		" ",
	),
);
const repeats = "[hidden: it may repeat what the tool's schema marks]";

export class Redactor {
	private readonly hiding: Hiding;
	private readonly tools = new Map<string, ToolRules>();
	private readonly calls = new Map<string, ToolRules>();
	private readonly words = new WordList();
	private directCalls = 0;

	constructor(hiding: Hiding) {
		this.hiding = hiding;
	}

	/** Of a whole run, and of what its session said before, as far as that was opened. */
	static ofRun(opened: Pick<OpenedRun, "entries" | "earlier" | "values">, hiding: Hiding): Redactor {
		return Redactor.of({ events: [...opened.earlier, ...eventsOf(opened)], values: opened.values }, hiding);
	}

	/** Of these events; those of several runs one after the other. */
	static of({ events, values }: Pick<History, "events" | "values">, hiding: Hiding): Redactor {
		const redactor = new Redactor(hiding);
		for (const event of events) redactor.learn(event, values);
		return redactor;
	}

	/** What is marked, and what stood there. Events in their order. `values`: results that lie beside the journal, by digest. */
	learn(event: RunEvent, values: ReadonlyMap<string, Json>): void {
		switch (event.type) {
			case "run.started":
				// Of a run that goes on from others: their words are known, and nothing else of theirs.
				this.tools.clear();
				this.calls.clear();
				this.directCalls = 0;
				return this.mark(event);
			case "run.resumed":
				return this.mark(event);
			case "model.answered":
				for (const part of event.content) this.learnPart(part);
				return;
			case "call.asked":
				return this.learnCall(event.call, event.tool, event.args);
			case "program.rehearsed":
				for (const { tool, args } of event.rows) this.note(args, this.tools.get(tool)?.args);
				return;
			case "approval.resolved":
				for (const args of valuesIn(event.always?.args ?? {})) this.note(args, this.calls.get(event.call)?.args);
				return this.note(event.args, this.calls.get(event.call)?.args);
			case "call.decided":
				return this.note(event.args, this.calls.get(event.call)?.args);
			case "call.finished":
			case "call.settled":
				return this.note(valueIn(event.outcome, values), this.calls.get(event.call)?.result);
			default:
		}
	}

	private mark({ marks = {} }: Pick<RunStarted, "marks">): void {
		for (const [tool, marked] of Object.entries(marks)) this.tools.set(tool, this.rulesOf(marked));
	}

	private learnPart(part: AnswerPart): void {
		if (part.type !== "tool-call" || part.providerExecuted) return;
		this.directCalls++;
		if (this.tools.has(part.toolName)) this.learnCall(`c${this.directCalls}`, part.toolName, parsed(part.input));
	}

	private learnCall(call: string, tool: string, args: Json | undefined): void {
		const rules = this.tools.get(tool);
		if (!rules) return;
		this.calls.set(call, rules);
		this.note(args, rules.args);
	}

	private note(value: Json | undefined, rules: readonly Rule[] | undefined): void {
		if (value === undefined || !rules) return;
		for (const rule of rules) for (const text of textsAt(value, [rule])) this.words.add(text, rule.instead);
	}

	private rulesOf({ args, result }: ToolMarks): ToolRules {
		return { args: rulesFor(args, this.hiding), result: rulesFor(result, this.hiding) };
	}

	private get isIdle(): boolean {
		return this.tools.size === 0 && this.words.size === 0;
	}

	/** The event as it is shown. It was learned before. */
	event(event: RunEvent): RunEvent {
		if (this.isIdle) return event;
		const placed = this.atPlaces(event);
		if (this.words.size === 0) return placed;
		const changed = Object.entries(placed).flatMap(([name, value]) => {
			if (names.has(name) || isFact(event.type, name)) return [];
			const next = name === "content" ? this.saidIn(value as readonly AnswerPart[]) : this.said(value as Json);
			return next === value ? [] : [[name, next] as const];
		});
		return changed.length === 0 ? placed : ({ ...placed, ...Object.fromEntries(changed) } as RunEvent);
	}

	private atPlaces(event: RunEvent): RunEvent {
		switch (event.type) {
			case "model.answered": {
				const content = event.content.map((part) => this.part(part));
				return content.every((part, at) => part === event.content[at]) ? event : { ...event, content };
			}
			case "program.rehearsed": {
				const rows = event.rows.map((row) =>
					replaced(row, "args", redactJson(row.args, this.tools.get(row.tool)?.args ?? [])),
				);
				return rows.every((row, at) => row === event.rows[at]) ? event : { ...event, rows };
			}
			case "approval.resolved":
				return this.terms(this.arguments(event));
			case "call.asked":
			case "call.decided":
				return this.arguments(event);
			case "call.finished":
			case "call.settled": {
				const outcome = this.outcome(event.call, event.outcome);
				return outcome === event.outcome ? event : { ...event, outcome };
			}
			default:
				return event;
		}
	}

	private arguments<One extends { readonly call: string; readonly args?: Json }>(event: One): One {
		if (event.args === undefined) return event;
		const args = redactJson(event.args, this.calls.get(event.call)?.args ?? []);
		return args === event.args ? event : { ...event, args };
	}

	private terms(event: ApprovalResolved): ApprovalResolved {
		const { always } = event;
		if (!always?.args) return event;
		const args = shownTerms(always.args, this.calls.get(event.call)?.args ?? []);
		return args === always.args ? event : { ...event, always: { ...always, args } };
	}

	private outcome(call: string, outcome: Outcome): Outcome {
		const rules = this.calls.get(call);
		if (!rules) return outcome;
		// What did not fit is repeated in the words that say so.
		if ("failed" in outcome && outcome.code === "tool.args_invalid") return { ...outcome, failed: repeats };
		if (!("ok" in outcome)) return outcome;
		const ok = redactJson(outcome.ok, rules.result);
		return ok === outcome.ok ? outcome : { ...outcome, ok };
	}

	private part(part: AnswerPart): AnswerPart {
		const rules = part.type === "tool-call" ? this.tools.get(part.toolName) : undefined;
		if (part.type !== "tool-call" || !rules) return part;
		const args = parsed(part.input);
		if (args === undefined) return { ...part, input: repeats };
		const shown = redactJson(args, rules.args);
		return shown === args ? part : { ...part, input: JSON.stringify(shown) };
	}

	private saidIn(content: readonly AnswerPart[]): readonly AnswerPart[] {
		const shown = content.map((part) => {
			if (part.type === "tool-call") return replaced(part, "input", this.text(part.input));
			if (part.type === "tool-result") return replaced(part, "result", this.said(part.result));
			return part.type === "text" || part.type === "reasoning" ? replaced(part, "text", this.text(part.text)) : part;
		});
		return shown.every((part, at) => part === content[at]) ? content : shown;
	}

	private said(value: Json): Json {
		return mapTexts(value, (text) => this.text(text));
	}

	/** A text without what is known to be sensitive. */
	text(text: string): string {
		return this.words.replaceIn(text);
	}

	/** Arguments of a call as they are shown, made or foreseen; or any other value. */
	value(value: Json, of: string | { readonly tool: string } = ""): Json {
		if (this.isIdle) return value;
		const rules = typeof of === "string" ? this.calls.get(of) : this.tools.get(of.tool);
		return this.said(rules ? redactJson(value, rules.args) : value);
	}

	/** The model's words as they come: of a call whose arguments are marked, that it is written and not what. */
	delta(delta: ModelDelta): ModelDelta {
		if (this.isIdle) return delta;
		if (delta.type === "call.delta") {
			const mayHold = this.tools.has(delta.toolName) || delta.toolName === executeCodeName;
			return mayHold ? { ...delta, text: "" } : delta;
		}
		return delta.type === "text.delta" || delta.type === "reasoning.delta"
			? replaced(delta, "text", this.text(delta.text))
			: delta;
	}
}

function valueIn(outcome: Outcome, values: ReadonlyMap<string, Json>): Json | undefined {
	return "ok" in outcome ? outcome.ok : "blob" in outcome ? values.get(outcome.blob) : undefined;
}

function replaced<T, Name extends keyof T>(from: T, name: Name, value: T[Name]): T {
	return from[name] === value ? from : { ...from, [name]: value };
}

function parsed(text: string): Json | undefined {
	try {
		return JSON.parse(text) as Json;
	} catch {
		return undefined;
	}
}
