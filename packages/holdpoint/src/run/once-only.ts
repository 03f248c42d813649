/** The rest of an onion may run once: a second time would repeat what is inside. */
export function onceOnly<T>(layer: string, next: () => Promise<T>): () => Promise<T> {
	let called = false;
	return () => {
		if (called) return Promise.reject(new Error(`The middleware ${layer} called next() more than once`));
		called = true;
		return next();
	};
}
