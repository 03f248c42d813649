import { HoldpointError } from "../spec/errors.ts";
import type { RunEvent } from "../spec/events.ts";
import type { ModelDelta } from "../spec/model.ts";
import type { RunResult } from "../spec/result.ts";
import type { Watching } from "./advance.ts";

/** What a reader of a stream sees: the run's events as they happen, and the model's words as they come. */
export type StreamEvent = RunEvent | ModelDelta;

export interface RunStream extends AsyncIterable<StreamEvent> {
	/** How the run stands when the stream ends; reading to the end is not needed to get it. */
	readonly result: Promise<RunResult>;
}

/**
 * A stream over a run that `begin` starts. A reader that is slow holds the run back once `bufferMax` events are unread;
 * one that goes away stops it, and the run can be resumed. Until somebody reads, nothing is held back.
 */
export function streamOf(
	bufferMax: number,
	begin: (watching: Watching, signal: AbortSignal) => Promise<RunResult>,
): RunStream {
	const queue: StreamEvent[] = [];
	const gone = new AbortController();
	let reading = false;
	let over = false;
	let arrived: (() => void) | undefined;
	/** The driver and the model may both wait for the reader. */
	let held: (() => void)[] = [];
	const drained = (): void => {
		const waiting = held;
		held = [];
		for (const goOn of waiting) goOn();
	};
	const push = (event: StreamEvent): void => {
		queue.push(event);
		arrived?.();
	};
	const paced = (): Promise<void> | undefined => {
		if (!reading || queue.length < bufferMax || gone.signal.aborted) return undefined;
		return new Promise((resolve) => {
			held.push(resolve);
		});
	};
	const onDelta = (delta: ModelDelta): Promise<void> | void => {
		push(delta);
		return paced();
	};
	const result = begin({ observe: push, onDelta, paced }, gone.signal).finally(() => {
		over = true;
		arrived?.();
	});
	// A caller who only iterates gets the error from the iteration; this one must not count as unhandled.
	result.catch(() => undefined);

	const something = (): Promise<void> =>
		new Promise((resolve) => {
			arrived = resolve;
		});

	async function* events(): AsyncGenerator<StreamEvent, void, void> {
		reading = true;
		try {
			while (queue.length > 0 || !over) {
				const event = queue.shift();
				if (queue.length < bufferMax) drained();
				if (event) yield event;
				else await something();
			}
			await result;
		} finally {
			if (!over) gone.abort(new HoldpointError("stream.aborted", "The reader of the stream went away"));
			drained();
		}
	}
	return { result, [Symbol.asyncIterator]: events };
}
