import { Stopped } from "./ask-aside.ts";
import type { Thread } from "./conversation.ts";
import { stopperOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/** `signal` is aborted with the segment, and once the work inside of a call is to end before its answer. */
export async function untilStopped<Result>(
	segment: Segment,
	thread: Thread,
	ask: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
	if (thread.of.call === undefined) return ask(segment.abort.signal);
	const by = stopperOf(segment.state, thread.of);
	if (by !== undefined) throw new Stopped(`stopped by ${by}`);
	const stopping = new AbortController();
	const attempt = { of: thread.of, stop: (why: string) => stopping.abort(new Stopped(why)) };
	segment.attempts.add(attempt);
	try {
		return await ask(AbortSignal.any([segment.abort.signal, stopping.signal]));
	} finally {
		segment.attempts.delete(attempt);
	}
}
