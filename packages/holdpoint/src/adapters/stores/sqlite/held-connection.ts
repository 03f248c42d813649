import { HoldpointError } from "../../../spec/errors.ts";
import { type Connection, openConnection, type Place } from "./connection.ts";
import { isBusy, isIoError, storeFailure } from "./store-failure.ts";

/** One connection: opened on first use, opened anew after the disk failed under it, and gone for good when ended. */
export interface HeldConnection {
	/** Runs the action, again and again while another process has the lock. The event loop goes on in between. */
	whenFree<T>(action: (connection: Connection) => T): Promise<T>;
	/** Names what failed, and lets go of a connection that is no longer to be trusted. */
	fail(error: unknown): HoldpointError;
	end(): void;
}

/** Between two tries for a lock that another process has. Units: ms. */
const busyRetryMs = 5;

export function heldConnection(place: Place, busyTimeoutMs: number): HeldConnection {
	let open: Connection | undefined;
	let ended = false;

	function letGo(): void {
		open?.close();
		open = undefined;
	}

	return {
		async whenFree(action) {
			const deadline = performance.now() + busyTimeoutMs;
			for (;;) {
				if (ended) throw wasClosed(place);
				try {
					open ??= openConnection(place);
					return action(open);
				} catch (error) {
					if (!isBusy(place, error) || performance.now() >= deadline) throw error;
				}
				await new Promise((wake) => setTimeout(wake, busyRetryMs));
			}
		},
		fail(error) {
			if (isIoError(place, error)) letGo();
			return storeFailure(place, error);
		},
		end() {
			ended = true;
			letGo();
		},
	};
}

export function wasClosed({ path }: Place): HoldpointError {
	return new HoldpointError("store.closed", `The store ${path} was closed`, { details: { path } });
}
