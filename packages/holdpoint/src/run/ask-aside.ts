import type { Spent } from "../spec/events.ts";
import type { ModelAnswer, ModelRequest } from "../spec/model.ts";
import { AskLater } from "./ask-later.ts";

/**
 * Asks an agent's model something that is no part of its conversation: through the same layers and budgets. What it took
 * is to be written with whatever comes of it. Errors: as of any model call.
 */
export type AskAside = (
	request: ModelRequest,
) => Promise<{ readonly answer: ModelAnswer; readonly spent: readonly Spent[] }>;

/** The question itself is not over: it is asked again, or the run stops. */
export class Stopped extends Error {}

export function isToStop(error: unknown): boolean {
	return error instanceof AskLater || error instanceof Stopped;
}
