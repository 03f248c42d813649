const brand = Symbol.for("holdpoint.outcome-unknown");

/**
 * A tool throws this when it cannot know whether its effect happened: a connection lost after the request was sent.
 * Any other error means that the tool knows that it failed.
 */
export class OutcomeUnknown extends Error {
	readonly [brand] = true;

	constructor(message: string, options?: { readonly cause?: unknown }) {
		super(message, options);
		this.name = "OutcomeUnknown";
	}
}

export function isOutcomeUnknown(error: unknown): error is OutcomeUnknown {
	return typeof error === "object" && error !== null && (error as Record<symbol, unknown>)[brand] === true;
}
