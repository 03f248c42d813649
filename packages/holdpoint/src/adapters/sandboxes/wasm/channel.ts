/**
 * The shared memory between the host's thread and one worker: a request slot and a reply slot, one of each in flight.
 *
 * A message is a row of numbers and a body of bytes. Each side announces its message by counting up; the reader spins
 * for a moment and then sleeps, because waking a thread costs more than most slices. A body that does not fit its slot
 * travels over the worker's port, posted before the announcement.
 *
 * Invariant: a slot is written only while the other side waits, so that nobody reads a half-written message.
 */
const slotBytes = 131_072;
const fieldCount = 8;
const slotSize = fieldCount * 8 + slotBytes;
const controlBytes = 64;

export const channelBytes: number = controlBytes + 2 * slotSize;

/** Words of the control block. */
export const control = {
	/** Count of requests. The worker sleeps on it. */
	request: 0,
	/** Count of replies. */
	reply: 1,
	/** 1 while the worker sleeps: only then a wake is worth a system call. */
	workerAsleep: 2,
	/** The number of the request for whose reply the host does not poll and wants a message; 0: of none. */
	hostAsleep: 3,
	/** 1 once the host gave up on the slice that runs. */
	cancel: 4,
} as const;

/** The words that both sides watch. */
export function controlWords(channel: SharedArrayBuffer): Int32Array<SharedArrayBuffer> {
	return new Int32Array(channel, 0, controlBytes / 4);
}

/** Says that the reply to the request of this number is to wake the host. */
export function askForWake(words: Int32Array, request: number): void {
	Atomics.store(words, control.hostAsleep, request);
}

/**
 * Takes back what was asked for this request, and leaves what was asked for another: the host may have seen a reply, and
 * sleep for the next one, before the worker gets to wake it. Returns whether there was something to take: whoever took
 * it has to see to the reply.
 */
export function takeWake(words: Int32Array, request: number): boolean {
	return Atomics.compareExchange(words, control.hostAsleep, request, 0) === request;
}

/** One direction of the channel. */
export class Slot {
	readonly #length: Float64Array;
	readonly #fields: Float64Array;
	readonly #bytes: Buffer;

	constructor(channel: SharedArrayBuffer, direction: "request" | "reply") {
		const at = controlBytes + (direction === "request" ? 0 : slotSize);
		this.#length = new Float64Array(channel, at, 1);
		this.#fields = new Float64Array(channel, at + 8, fieldCount - 1);
		this.#bytes = Buffer.from(channel as unknown as ArrayBuffer, at + fieldCount * 8, slotBytes);
	}

	/** Writes a message. Returns the body where it must travel over the port instead. */
	write(fields: readonly number[], body: string | Uint8Array): Uint8Array<ArrayBuffer> | undefined {
		const length = this.#put(body);
		this.#length[0] = length;
		this.#fields.set(fields);
		if (length >= 0) return undefined;
		return typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
	}

	/** The numbers of the message. A view, valid until the next one. */
	fields(): Float64Array {
		return this.#fields;
	}

	/** The body of the message: a view, valid until the next one; undefined where it travels over the port. */
	body(): Buffer | undefined {
		const length = this.#length[0] ?? 0;
		return length < 0 ? undefined : this.#bytes.subarray(0, length);
	}

	/** The body's length, or -1 where it is too long. */
	#put(body: string | Uint8Array): number {
		if (typeof body !== "string") {
			if (body.length > slotBytes) return -1;
			this.#bytes.set(body);
			return body.length;
		}
		if (body.length * 3 > slotBytes && Buffer.byteLength(body) > slotBytes) return -1;
		return this.#bytes.write(body);
	}
}
