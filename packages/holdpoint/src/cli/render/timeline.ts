/**
 * A run as a person reads it: each event of its journal becomes no line, one, or a few. The same lines come live and
 * from the store, because both are the same events.
 */
import { counted, numberText } from "../../kit/counted.ts";
import type { CallState } from "../../run/call-state.ts";
import { isContextEvent } from "../../run/context-events.ts";
import type { Conversation, Thread } from "../../run/conversation.ts";
import { executeCodeName } from "../../run/execute-code-name.ts";
import { callersOf, emptyState, type RunState, threadsAtWork } from "../../run/run-state.ts";
import { apply } from "../../run/state.ts";
import type {
	AgentContinued,
	ApprovalResolved,
	CallFinished,
	ModelAnswered,
	ModelUnanswered,
	Outcome,
	RunEvent,
	RunFinished,
	RunHanded,
} from "../../spec/events.ts";
import { callText, outcomeText } from "./call-text.ts";
import { contextEntry } from "./context-entry.ts";
import { byteSize, clockTime, duration } from "./duration.ts";
import type { Entry } from "./entry.ts";
import { handoffText } from "./handoff-text.ts";
import { jsonText } from "./json-text.ts";
import { programLines } from "./program-text.ts";
import { inlineText, proseText } from "./safe-text.ts";
import type { Style } from "./style.ts";
import { clip, widthOf, wrap } from "./text-width.ts";
import { createVoices, type Voices } from "./voices.ts";

export interface TimelineOptions {
	readonly run: string;
	readonly style: Style;
	readonly width: number;
	/** False: without the time of each line. */
	readonly hasClock?: boolean;
	/** Where names have their colours already. */
	readonly voices?: Voices;
	/** Lines of programs that asked for a call that was held: marked in the source. */
	readonly heldLines?: ReadonlyMap<string, readonly number[]>;
}

/** Whose line it is, and how far inside of calls. */
interface Place {
	readonly who: string | undefined;
	readonly depth: number;
}

const timeColumns = 14;
const whoColumnsMax = 20;
const proseLinesMax = 40;
/** A longer silence is shown as one. */
const gapMs = 10_000;

function textUnanswered({ usage }: ModelUnanswered): string {
	return usage ? "the model judged the answer" : "the model was asked, and took of budgets without an answer";
}

function textContinued({ loop }: AgentContinued): string {
	return loop ? "is not done yet, and goes on" : "goes on by itself";
}

export class Timeline {
	private readonly options: TimelineOptions;
	private readonly state: RunState;
	private readonly startedAt = new Map<string, number>();
	private readonly voices: Voices;
	private readonly margin: number;
	private last: number | undefined;
	/** Of the line that is made now. */
	private at: Place = { who: undefined, depth: 0 };

	constructor(options: TimelineOptions) {
		this.options = options;
		this.state = emptyState(options.run, [], new Map());
		this.voices = options.voices ?? createVoices(options.style);
		this.margin = options.hasClock === false ? 0 : timeColumns;
	}

	/** A name as it stands in every line of whoever has it. */
	voice(name: string): string {
		return this.voices(clip(inlineText(name, 80), whoColumnsMax));
	}

	/** Whose event it is, as far as somebody has it. */
	agentOf(event: RunEvent): string | undefined {
		return this.threadOf(event)?.agent;
	}

	/** Agents whose models are asked now. */
	get asked(): readonly string[] {
		const isAsked = ({ modelDue, turn, timer }: Thread): boolean => modelDue && turn.length === 0 && !timer;
		return threadsAtWork(this.state)
			.filter(isAsked)
			.map(({ agent }) => agent);
	}

	/** What goes on in calls and programs as far as the events told. */
	get calls(): ReadonlyMap<string, CallState> {
		return this.state.calls;
	}

	/** Takes what happened before it was watched. */
	past(events: readonly { readonly event: RunEvent }[]): void {
		for (const { event } of events) apply(this.state, event);
	}

	/** Takes the next event and returns its lines. */
	lines(at: number, event: RunEvent): string[] {
		apply(this.state, event);
		if (event.type === "call.started") this.startedAt.set(event.call, at);
		this.at = this.placeOf(event);
		const entry = this.entry(event, at);
		if (!entry) return [];
		const before = this.last;
		this.last = at;
		const isGap = this.margin > 0 && before !== undefined && at - before >= gapMs;
		return [...(isGap ? [this.gap(at - before)] : []), ...this.layout(at, entry)];
	}

	private gap(ms: number): string {
		const { style } = this.options;
		return style.dim(`${" ".repeat(timeColumns)}  ⋮ ${duration(ms)}`);
	}

	private layout(at: number, { mark, text, isNamed, below = [], source = [] }: Entry): string[] {
		const { style } = this.options;
		const { who, depth } = this.at;
		const named = who === undefined || isNamed ? text : `${this.voice(who)} · ${text}`;
		const indent = "  ".repeat(depth);
		const room = this.room();
		const [head = "", ...more] = widthOf(named) > room ? wrap(named, room) : [named];
		const time = this.margin === 0 ? "" : `${style.dim(clockTime(at))}  `;
		return [
			`${time}${indent}${mark} ${head}`,
			...[...more, ...below].map((line) => `${" ".repeat(this.margin)}${indent}  ${line}`.trimEnd()),
			...source,
		];
	}

	/** Columns of a line of this place. */
	private room(): number {
		return this.options.width - this.margin - 2 * this.at.depth - 2;
	}

	/** Columns of its text, where the name of whoever it is of stands before that. */
	private roomAfterName(): number {
		const { who } = this.at;
		return this.room() - (who === undefined ? 0 : Math.min(widthOf(inlineText(who, 80)), whoColumnsMax) + 3);
	}

	/** Where a single agent works alone, no line needs a name. */
	private placeOf(event: RunEvent): Place {
		const call = "call" in event && event.call !== undefined ? this.state.calls.get(event.call) : undefined;
		const thread = event.type === "run.handed" || !call ? this.threadOf(event) : call.thread;
		if (!thread) return { who: undefined, depth: 0 };
		const isOfMany = thread.of.team !== undefined || thread.of.call !== undefined;
		const isInner = call?.parent !== undefined || event.type === "program.rehearsed";
		const depth = callersOf(this.state, thread).length + (isInner ? 1 : 0);
		return { who: isOfMany ? thread.agent : undefined, depth };
	}

	private threadOf(event: RunEvent): Thread | undefined {
		const inside = "in" in event ? event.in : undefined;
		const of: Conversation | undefined =
			inside === undefined ? this.state.conversation : this.state.calls.get(inside)?.inside;
		const agent = event.type === "run.handed" ? event.from : "agent" in event ? event.agent : undefined;
		const isOfAgent = event.type === "run.handed" || event.type === "model.answered" || "in" in event;
		if (typeof agent === "string") return of?.threads.get(agent);
		return isOfAgent || event.type === "output.rejected" || event.type === "timer.set" ? of?.active[0] : undefined;
	}

	private entry(event: RunEvent, at: number): Entry | undefined {
		if (isContextEvent(event)) return contextEntry(event, this.options.style, (text) => this.wrapped(text));
		const { style } = this.options;
		switch (event.type) {
			case "run.started": {
				const session = event.session ? ` · session ${inlineText(event.session.id, 60)}` : "";
				const starts = event.team ? ` · begins with ${event.team.start.join(", ")}` : "";
				const kind = event.team ? "team" : "agent";
				const about = `${kind} ${event.agent.name}${starts} · for ${event.principal}${session}`;
				const text = `${style.bold("asked")}  ${inlineText(about, this.roomAfterName() - 7)}`;
				return { mark: style.cyan("●"), text, below: this.prose(event.input) };
			}
			case "run.resumed":
				return { mark: "○", text: "resumed after changes", below: this.wrapped((event.changes ?? []).join("; ")) };
			case "message.received":
				return { mark: style.cyan("●"), text: this.told(), below: this.prose(event.text) };
			case "model.answered":
				return this.answered(event);
			case "model.unanswered":
				return { mark: style.dim("·"), text: style.dim(textUnanswered(event)) };
			case "output.rejected":
				return { mark: style.red("✗"), text: "the answer does not fit", below: this.wrapped(event.issues) };
			case "timer.set":
				return { mark: "◷", text: `waits until ${clockTime(event.dueAt)}`, below: this.wrapped(event.why) };
			case "timer.fired":
				return { mark: "◷", text: "the time has come" };
			case "cancel.requested":
				return {
					mark: style.red("■"),
					text: `cancel, says ${inlineText(event.by, 40)}`,
					below: this.wrapped(event.reason ?? ""),
				};
			case "signal.ignored":
				return { mark: style.dim("·"), text: style.dim(inlineText(`ignored: ${event.why}`, this.roomAfterName())) };
			case "approval.refused": {
				const text = `the answer of ${inlineText(event.by ?? "somebody", 30)} was refused`;
				return { mark: style.red("⊘"), text, below: this.wrapped(event.why) };
			}
			case "run.finished":
				return this.finished(event);
			case "run.handed":
				return this.handed(event);
			case "agent.continued":
				return { mark: style.dim("·"), text: style.dim(textContinued(event)) };
			case "agent.done":
				return { mark: style.green("✓"), text: "is done; others still work beside it" };
			case "user.asked": {
				const reader = event.replyTo === undefined ? "" : `; ${this.voice(event.replyTo)} reads the reply`;
				return { mark: style.cyan("?"), isNamed: true, text: `${this.voice(event.agent)} waits for the user${reader}` };
			}
			default:
				return this.callEntry(event, at);
		}
	}

	private callEntry(event: Extract<RunEvent, { readonly call: string }>, at: number): Entry | undefined {
		const { style } = this.options;
		const call = this.state.calls.get(event.call);
		switch (event.type) {
			case "call.asked":
			case "call.decided":
			case "program.delivered":
				return undefined;
			case "agent.started":
				return {
					mark: style.cyan("⇢"),
					text: `${event.call} is put to ${this.voice(event.agent)}`,
					below: this.prose(event.input),
				};
			case "call.started":
				if (event.attempt === 1) return undefined;
				return { mark: "↻", text: `${event.call} again, attempt ${event.attempt}, with the same key` };
			case "approval.requested":
				return { mark: style.yellow("‖"), ...this.held(call, event.approval) };
			case "approval.resolved":
				return this.resolved(event);
			case "grant.given": {
				const text = `${inlineText(event.by.id, 40)} grants it for later calls, too: ${event.grant}`;
				return { mark: style.green("∞"), text };
			}
			case "approval.escalated": {
				const text = `nobody answered: ${inlineText(event.roles.join(", "), 80)} may, in everybody's place`;
				return { mark: style.yellow("⇡"), text };
			}
			case "approval.closed":
				return { mark: style.red("⊘"), text: `the approval is over: ${event.why}` };
			case "call.finished":
				return this.callFinished(call, event, at);
			case "call.settled": {
				const text = `${event.call} is settled by ${inlineText(event.by.id, 40)}`;
				return { mark: style.green("✓"), text, below: this.wrapped(outcomeText(event.outcome, 600)) };
			}
			case "program.started":
				return this.programStarted(event.call, call);
			case "program.suspended": {
				const size = event.snapshot ? byteSize(event.snapshot.bytes) : "no snapshot";
				return {
					mark: style.cyan("■"),
					text: `${style.bold("frozen")}${this.place(call)}  ${style.dim(`${size}; nothing runs while it waits`)}`,
				};
			}
			case "rehearsal.requested":
				return { mark: style.dim("?"), text: `${inlineText(event.by, 40)} wants to know what it would do` };
			case "program.rehearsed": {
				const ended =
					event.end === "returned"
						? ""
						: `; it ${event.end === "threw" ? "would throw" : "was not followed to its end"}`;
				const asked = event.rows.filter(({ verdict }) => verdict === "ask").length;
				const text = `${style.bold("rehearsed")}: ${counted(event.rows.length, "call")}, ${asked} of them to be decided${ended}`;
				return { mark: style.cyan("≈"), text, below: this.wrapped("Nothing of it was done.") };
			}
			case "program.restored": {
				const from = event.from === "snapshot" ? "from its snapshot" : "by replaying it";
				const text = `${style.bold("goes on")}${this.place(call)}  ${style.dim(from)}`;
				return { mark: style.cyan("▶"), text, below: event.why ? this.wrapped(event.why) : [] };
			}
		}
	}

	/** A reason below its line. */
	private wrapped(text: string): string[] {
		const lines = wrap(inlineText(text, 1_000), this.room() - 2);
		return text === "" ? [] : lines;
	}

	private prose(text: string): string[] {
		const { style } = this.options;
		const lines = wrap(proseText(text.trim(), 8_000), this.room() - 2);
		const shown = lines.slice(0, proseLinesMax).map((line) => `${style.dim("│")} ${line}`);
		return lines.length > proseLinesMax
			? [...shown, style.dim(`│ … ${counted(lines.length - proseLinesMax, "more line")}`)]
			: shown;
	}

	/** Who hears it, where somebody else might have. */
	private told(): string {
		const { style } = this.options;
		const told = style.bold("told");
		if (!this.state.conversation.team) return told;
		return `${told}  ${this.state.conversation.active.map(({ agent }) => this.voice(agent)).join(", ")}`;
	}

	private answered(event: ModelAnswered): Entry {
		const { style } = this.options;
		const { who } = this.at;
		const { inputTokens, outputTokens } = event.usage;
		const tokens =
			inputTokens + outputTokens > 0 ? ` · ${counted(inputTokens, "token")} in, ${numberText(outputTokens)} out` : "";
		const named = event.model === undefined ? "" : `${inlineText(event.model, 80)} · `;
		const text = event.content.map((part) => (part.type === "text" ? part.text : "")).join("");
		const unmade = (event.unmade ?? []).map((tool) => inlineText(tool, 60)).join(", ");
		const ignored = unmade === "" ? [] : this.wrapped(`called ${unmade} all the same, which is not made`);
		const speaker = style.bold(who === undefined ? "model" : this.voice(who));
		return {
			mark: style.cyan("◆"),
			isNamed: true,
			text: `${speaker}  ${style.dim(`${named}${duration(event.ms)}${tokens}`)}`,
			below: [...(text.trim() === "" ? [] : this.prose(text)), ...ignored],
		};
	}

	private handed(event: RunHanded): Entry {
		const next = [event.to, ...(event.beside ?? [])].map((agent) => this.voice(agent)).join(", ");
		return {
			mark: this.options.style.cyan("⇢"),
			isNamed: true,
			text: `${this.voice(event.from)} ${event.call === undefined ? "is followed by" : "hands on to"} ${next}`,
			below: handoffText(event).flatMap((text) => this.wrapped(text)),
		};
	}

	private programStarted(id: string, call: CallState | undefined): Entry {
		const { style } = this.options;
		const source = this.sourceOf(call);
		return { mark: style.cyan("▶"), text: `${style.bold("program")} ${id}`, source };
	}

	private sourceOf(call: CallState | undefined): string[] {
		const { style, width, heldLines } = this.options;
		const args = call?.args ?? call?.asked;
		const source =
			typeof args === "object" && args !== null && "code" in args && typeof args.code === "string" ? args.code : "";
		return programLines({ source, marked: heldLines?.get(call?.id ?? "") ?? [], style, width });
	}

	/** Where a program stands: the lines of the calls that it waits for. */
	private place(call: CallState | undefined): string {
		const open = [...(call?.program?.open ?? [])].map((id) => this.state.calls.get(id)?.line ?? 0);
		const lines = [...new Set(open)].filter((line) => line > 0);
		return lines.length === 0 ? "" : ` at ${lines.length === 1 ? "line" : "lines"} ${lines.join(", ")}`;
	}

	private held(call: CallState | undefined, approval: string): Pick<Entry, "text" | "below"> {
		const { style } = this.options;
		const place = call?.line ? ` · line ${call.line}` : "";
		const why = call?.verdict?.reason ?? "";
		return {
			text: `${style.yellow("held")}  ${callText(call, this.roomAfterName() - place.length - 6)}${style.dim(place)}`,
			below: this.wrapped(`${why} · ${approval}`),
		};
	}

	private resolved(event: ApprovalResolved): Pick<Entry, "mark" | "text" | "below"> {
		const { style } = this.options;
		const by = inlineText(`${event.by.id} (${event.by.via})`, 40);
		const reason = event.reason ? this.wrapped(`"${event.reason}"`) : [];
		const { rows = [] } = event;
		const wide = rows.length === 0 ? "" : `, with ${counted(rows.length, "row")} of its rehearsal`;
		const more = `${wide}${event.open ? "; others must answer too" : ""}`;
		if (event.answer === "deny")
			return { mark: style.red("⊘"), text: `${style.red("denied")} by ${by}${wide}`, below: reason };
		const args = event.answer === "edit" ? [`with ${jsonText(event.args, this.roomAfterName() - 7)}`] : [];
		const word = event.answer === "edit" ? "changed and approved" : "approved";
		return { mark: style.green("✓"), text: `${style.green(word)} by ${by}${more}`, below: [...args, ...reason] };
	}

	/** A handoff that goes first through other calls of the same answer is said now; otherwise with `run.handed`, right after. */
	private handoffMade(call: CallState | undefined, to: string): Entry | undefined {
		const { style } = this.options;
		const open = [...(call?.thread.turn ?? []), ...(call?.thread.late ?? [])];
		if (!open.some((id) => this.state.calls.get(id)?.phase !== "finished")) return undefined;
		return { mark: style.dim("⇢"), text: `will hand on to ${this.voice(to)}, when its other calls are over` };
	}

	private callFinished(call: CallState | undefined, event: CallFinished, at: number): Entry | undefined {
		const { style } = this.options;
		if (event.handsTo !== undefined) return this.handoffMade(call, event.handsTo);
		const started = this.startedAt.get(event.call);
		const ms = event.ms ?? (started === undefined ? undefined : at - started);
		const took = ms === undefined ? "" : style.dim(`  ${duration(ms)}`);
		const room = this.roomAfterName() - (ms === undefined ? 0 : duration(ms).length + 2) - 2;
		const isProgram = call?.tool === executeCodeName;
		// The half of it, and at least the tool's whole name.
		const nameRoom = Math.max(Math.floor(room / 2), Math.min(room, call?.tool.length ?? 0));
		const hasResult = "ok" in event.outcome || "blob" in event.outcome;
		const name = isProgram ? `program ${call.id}` : callText(call, hasResult ? nameRoom : room);
		if (hasResult) {
			const left = room - widthOf(name) - 3;
			const result = left > 8 ? style.dim(` → ${outcomeText(event.outcome, left)}`) : "";
			return { mark: style.green("✓"), text: `${name}${result}${took}` };
		}
		const mark = outcomeMark(event.outcome, style);
		const why = wrap(outcomeText(event.outcome, 600), this.room() - 2).slice(0, 12);
		// A program that was refused before it began was not shown yet.
		const isRefused = isProgram && !call.program;
		return { mark, text: `${name}${took}`, below: why, ...(isRefused ? { source: this.sourceOf(call) } : {}) };
	}

	private finished(event: RunFinished): Entry {
		const { style } = this.options;
		const { usage, turns } = this.state;
		const calls = [...this.state.calls.values()];
		const handoffs = calls.filter(({ handsTo }) => handsTo !== undefined).length;
		const made = calls.filter((call) => call.tool !== executeCodeName && call.handsTo === undefined).length;
		const tokens = usage.inputTokens + usage.outputTokens;
		const totals = style.dim(
			[
				counted(turns, "model answer"),
				counted(made, "call"),
				...(handoffs > 0 ? [counted(handoffs, "handoff")] : []),
				...(tokens > 0 ? [counted(tokens, "token")] : []),
			].join(" · "),
		);
		if (event.status === "completed") return { mark: style.green("✓"), text: `${style.bold("completed")}  ${totals}` };
		const done = (event.done ?? []).map(
			(one) => `${one.call} ${inlineText(one.tool, 60)}: ${one.outcome === "ok" ? "was done" : "nobody knows"}`,
		);
		const why = event.error ? [proseText(`${event.error.code}: ${event.error.message}`, 2_000)] : done;
		return {
			mark: style.red("✗"),
			text: `${style.bold(event.status)}  ${totals}`,
			below: why.flatMap((line) => wrap(line, this.roomAfterName())),
		};
	}
}

/** I7: what nobody knows is a question, and does not look like a failure. */
function outcomeMark(outcome: Outcome, style: Style): string {
	if ("unknown" in outcome) return style.yellow("?");
	return style.red("denied" in outcome || "cancelled" in outcome ? "⊘" : "✗");
}
