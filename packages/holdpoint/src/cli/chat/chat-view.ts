/** A conversation as it goes on: who says what, what is done for it, and who takes over. */
import type { RunEvent } from "../../spec/events.ts";
import type { ModelDelta } from "../../spec/model.ts";
import { busyLine } from "../render/busy-line.ts";
import { failedText, jsonView, type LiveView, linesOf, type PastEvents, runningNow } from "../render/live-view.ts";
import { inlineText } from "../render/safe-text.ts";
import { Timeline } from "../render/timeline.ts";
import type { Voices } from "../render/voices.ts";
import type { Terminal } from "../terminal.ts";
import { createSpeech, type Speech } from "./speech.ts";

export interface Talk {
	readonly run: string;
	readonly past: PastEvents;
	/** The same through all of the conversation. */
	readonly voices: Voices;
	/** Nobody sees what the user types: it is said here. */
	readonly isEchoing: boolean;
}

/** Said otherwise: a held call has a card, and what waits for the user has the prompt. */
const unsaid: ReadonlySet<RunEvent["type"]> = new Set([
	"approval.requested",
	"user.asked",
	"run.resumed",
	"program.suspended",
	"program.restored",
]);

export function chatView(terminal: Terminal, talk: Talk): LiveView {
	if (terminal.isJson) return jsonView(terminal, talk.run);
	return new ChatView(terminal, talk);
}

class ChatView implements LiveView {
	private readonly terminal: Terminal;
	private readonly talk: Talk;
	private readonly timeline: Timeline;
	private readonly busy: ReturnType<typeof busyLine>;
	private speech: Speech | undefined;
	private failed = { text: "", until: 0 };
	/** Something may be said that nobody who looks on sees: only what is whole can be judged. */
	private isMarked: boolean;

	constructor(terminal: Terminal, talk: Talk) {
		this.terminal = terminal;
		this.talk = talk;
		const { style, width } = terminal;
		this.timeline = new Timeline({ run: talk.run, style, width, hasClock: false, voices: talk.voices });
		this.timeline.past(talk.past);
		this.isMarked = talk.past.some(({ event }) => "marks" in event);
		this.busy = busyLine(terminal, () => this.doing());
	}

	readonly onEvent = (event: RunEvent): void => {
		this.busy.restart();
		this.isMarked ||= "marks" in event;
		const lines = linesOf(this.timeline, Date.now(), event);
		this.terminal.print(...this.linesOf(event, lines));
	};

	readonly onDelta = (delta: ModelDelta): void => {
		if (delta.type === "attempt.failed") {
			this.failed = { text: failedText(delta), until: Date.now() + delta.waitMs };
			return;
		}
		if (delta.type === "answer.restarted") {
			if (this.speech && !this.speech.isEmpty) this.terminal.print(this.terminal.style.dim("  … begins anew"));
			this.speech = undefined;
			return;
		}
		const speaker = this.speaker();
		// Where several work beside each other, each one's words come when they are whole.
		if (delta.type !== "text.delta" || speaker === undefined || this.isMarked) return;
		this.speech ??= this.speechOf(speaker);
		this.terminal.print(...this.speech.add(delta.text));
	};

	readonly saidAll = (): boolean => true;

	readonly close = (): void => this.busy.close();

	private linesOf(event: RunEvent, lines: readonly string[]): readonly string[] {
		if (event.type === "model.answered") return this.answered(event);
		if (event.type === "run.started" || event.type === "message.received") {
			if (!this.talk.isEchoing) return [];
			const text = event.type === "run.started" ? event.input : event.text;
			return userLines(this.terminal, text);
		}
		const isQuiet = unsaid.has(event.type) || (event.type === "run.finished" && event.status === "completed");
		return isQuiet ? [] : lines;
	}

	private answered(event: Extract<RunEvent, { type: "model.answered" }>): readonly string[] {
		const text = event.content.map((part) => (part.type === "text" ? part.text : "")).join("");
		const speech = this.speech;
		this.speech = undefined;
		if (text.trim() === "") return [];
		return (speech ?? this.speechOf(this.timeline.agentOf(event) ?? "agent")).end(text);
	}

	private speechOf(agent: string): Speech {
		const name = inlineText(agent, 20);
		const { style, width } = this.terminal;
		return createSpeech({ name, voice: style.bold(this.talk.voices(name)), width });
	}

	/** The only one whose words may come now. */
	private speaker(): string | undefined {
		const [first, second] = this.timeline.asked;
		return second === undefined ? first : undefined;
	}

	private doing(): string {
		if (Date.now() < this.failed.until) return this.failed.text;
		if (this.speech) return this.speech.last;
		return runningNow(this.timeline.calls) || `${this.speaker() ?? "the team"} is thinking …`;
	}
}

/** The user's own words. */
export function userLines({ style, width }: Pick<Terminal, "style" | "width">, text: string): readonly string[] {
	return createSpeech({ name: "you", voice: style.bold("you"), width }).end(text);
}

/** What was said and done before, as it looked then. */
export function pastLines(terminal: Terminal, talk: Omit<Talk, "past">, past: PastEvents): string[] {
	const lines: string[] = [];
	const keeping = {
		...terminal,
		print: (...more: readonly string[]) => void lines.push(...more),
		status: () => undefined,
	};
	const view = new ChatView(keeping, { ...talk, past: [], isEchoing: true });
	for (const { event } of past) view.onEvent(event);
	view.close();
	return lines;
}
