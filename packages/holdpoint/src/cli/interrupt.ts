import { HoldpointError } from "../spec/errors.ts";

/** Aborted by Ctrl-C or a polite end from outside: the run stops advancing and is kept. */
export function interruptSignal(): { readonly signal: AbortSignal; readonly done: () => void } {
	const controller = new AbortController();
	const stop = (): void => controller.abort(new HoldpointError("stream.aborted", "Stopped"));
	for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, stop);
	return {
		signal: controller.signal,
		done: () => {
			for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, stop);
		},
	};
}
