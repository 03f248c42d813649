const brand = Symbol.for("holdpoint.outcome-unknown");

/**
 * A tool throws this when it cannot know whether its effect happened: a connection lost after the request was sent.
 * A connection that breaks with one of the system's own errors is known without it. Any other error means that the tool
 * knows that it failed.
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

/** After the request was on its way. A refused or never made connection is a known failure and not among them. */
const lostCodes: ReadonlySet<unknown> = new Set([
	"ECONNRESET",
	"ECONNABORTED",
	"EPIPE",
	"ETIMEDOUT",
	"UND_ERR_SOCKET",
	"UND_ERR_ABORTED",
	"UND_ERR_HEADERS_TIMEOUT",
	"UND_ERR_BODY_TIMEOUT",
]);

/** Did a tool's own request break off in its middle? Looks at what Node's sockets and `fetch` throw, causes included. */
export function isLostConnection(error: unknown, depth = 0): boolean {
	if (typeof error !== "object" || error === null || depth > 4) return false;
	const { code, name, cause } = error as { code?: unknown; name?: unknown; cause?: unknown };
	return lostCodes.has(code) || name === "AbortError" || name === "TimeoutError" || isLostConnection(cause, depth + 1);
}
