/** Waits, but no longer than whoever asked for it. */
export async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
	if (!signal) return work;
	signal.throwIfAborted();
	const aborted = Promise.withResolvers<void>();
	const onAbort = () => aborted.resolve();
	signal.addEventListener("abort", onAbort, { once: true });
	try {
		await Promise.race([work, aborted.promise]);
	} finally {
		signal.removeEventListener("abort", onAbort);
	}
	signal.throwIfAborted();
}
