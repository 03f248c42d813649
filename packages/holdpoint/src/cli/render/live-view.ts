import type { CallState } from "../../run/call-state.ts";
import type { RunEvent } from "../../spec/events.ts";
import type { AttemptFailed, ModelDelta } from "../../spec/model.ts";
import type { Terminal } from "../terminal.ts";
import { busyLine } from "./busy-line.ts";
import { duration } from "./duration.ts";
import { inlineText } from "./safe-text.ts";
import { clip } from "./text-width.ts";
import { Timeline } from "./timeline.ts";

const tailChars = 60;

export interface LiveView {
	readonly onEvent: (event: RunEvent) => void;
	readonly onDelta: (delta: ModelDelta) => void;
	/** The model's last words were shown. */
	readonly saidAll: () => boolean;
	/** Takes the line at the bottom away. */
	close(): void;
}

export type PastEvents = readonly { readonly event: RunEvent }[];

/** Watches a run: its timeline as it grows, and below it what it is doing now; or each event as a line of JSON. */
export function liveView(terminal: Terminal, run: string, past: PastEvents): LiveView {
	if (terminal.isJson) return jsonView(terminal, run);
	const timeline = new Timeline({ run, style: terminal.style, width: terminal.width });
	timeline.past(past);
	const writing = { text: "" };
	const failed = { text: "", until: 0 };
	let saidAll = false;
	const busy = busyLine(terminal, () => {
		const asked = Date.now() < failed.until ? failed.text : said(writing.text);
		return runningNow(timeline.calls) || asked;
	});
	return {
		onEvent: (event) => {
			writing.text = "";
			busy.restart();
			saidAll ||= event.type === "model.answered";
			terminal.print(...linesOf(timeline, Date.now(), event));
		},
		onDelta: (delta) => {
			if (delta.type === "answer.restarted") writing.text = "";
			else if (delta.type === "attempt.failed") {
				failed.text = failedText(delta);
				failed.until = Date.now() + delta.waitMs;
			} else writing.text = (writing.text + delta.text).slice(-tailChars * 4);
		},
		saidAll: () => saidAll,
		close: busy.close,
	};
}

/** A view never ends what it watches: an event that it cannot show is named. */
export function linesOf(timeline: Timeline, at: number, event: RunEvent): string[] {
	try {
		return timeline.lines(at, event);
	} catch {
		return [`· ${event.type}`];
	}
}

/** As `show --json` has them, and of which run, because several may follow each other. */
export function jsonView(terminal: Terminal, run: string): LiveView {
	return {
		onEvent: (event) => terminal.data({ run, at: Date.now(), event }),
		onDelta: () => undefined,
		saidAll: () => true,
		close: () => undefined,
	};
}

export function failedText({ attempt, attemptsMax, status, reason, waitMs }: AttemptFailed): string {
	const why = status === undefined ? inlineText(reason, tailChars) : `status ${status}`;
	return `attempt ${attempt} of ${attemptsMax}: ${why}, again in ${duration(waitMs)}`;
}

function said(text: string): string {
	const line = inlineText(text, tailChars * 4);
	return line === "" ? "the model is thinking …" : `the model writes … ${line.slice(-tailChars)}`;
}

/** The tools that run now, or the program between two of them. */
export function runningNow(calls: ReadonlyMap<string, CallState>): string {
	const running = [...calls.values()].filter((call) => call.phase === "started");
	const names = [...new Set(running.filter((call) => !call.program).map((call) => inlineText(call.tool, 60)))];
	if (names.length > 0) return clip(`${names.join(", ")} …`, 80);
	return running.length > 0 ? "the program runs …" : "";
}
