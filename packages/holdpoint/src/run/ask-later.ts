/** Carries "ask again in a while" out through the middleware: a durable wait instead of an idle process. */
export class AskLater extends Error {
	readonly dueInMs: number;
	readonly reason: string;
	constructor(dueInMs: number, reason: string) {
		super(reason);
		this.dueInMs = dueInMs;
		this.reason = reason;
	}
}
