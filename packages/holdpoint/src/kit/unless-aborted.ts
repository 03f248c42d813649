/** Waits, but no longer than whoever asked for it. */
export async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
	if (!signal) return work;
	signal.throwIfAborted();
	const aborted = Promise.withResolvers<void>();
	signal.addEventListener("abort", () => aborted.resolve(), { once: true });
	await Promise.race([work, aborted.promise]);
	signal.throwIfAborted();
}
