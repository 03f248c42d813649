/** What the host asks of a worker and what comes back, and how both are written into a channel's slots. */
import type { ProgramStop } from "../../../spec/sandbox.ts";
import type { GuestImage } from "../guest-image/snapshot-header.ts";
import type { Slot } from "./channel.ts";

export interface RequestBudget {
	readonly clockMs: number;
	readonly cpuMs: number;
	readonly sliceMs: number;
	readonly memoryBytesMax: number;
}

export type WorkerRequest =
	| ({ readonly op: "start" | "deliver"; readonly guest: number; readonly body: string } & RequestBudget)
	| ({ readonly op: "restore"; readonly guest: number } & GuestImage)
	| { readonly op: "snapshot" | "release"; readonly guest: number };

export type WorkerReply =
	| {
			readonly kind: "slice";
			readonly stop: ProgramStop | undefined;
			readonly cpuMs: number;
			readonly unknownCall: number;
			/** Whether the worker kept the guest for another slice. */
			readonly kept: boolean;
			readonly outbox: string;
	  }
	| ({ readonly kind: "image" } & GuestImage)
	| { readonly kind: "done" }
	| { readonly kind: "refused"; readonly reason: string };

/** Sent once over the port, before the first request is read. */
export type WorkerGreeting = { readonly ready: true } | { readonly ready: false; readonly reason: string };

export interface WorkerData {
	readonly channel: SharedArrayBuffer;
	readonly guestDigest: string;
	/** Guests kept for the next programs. */
	readonly warm: number;
}

const ops = ["start", "deliver", "restore", "snapshot", "release"] as const;
const kinds = ["slice", "image", "done", "refused"] as const;
const stops: readonly ProgramStop[] = [
	"cpu",
	"slice",
	"memory",
	"calls",
	"openCalls",
	"value",
	"stack",
	"fault",
	"cancelled",
];
const nothing = new Uint8Array(0);

/** Returns the body where it must travel over the port. */
export function writeRequest(slot: Slot, request: WorkerRequest): Uint8Array<ArrayBuffer> | undefined {
	const head = [ops.indexOf(request.op), request.guest];
	switch (request.op) {
		case "start":
		case "deliver":
			head.push(request.clockMs, request.cpuMs, request.sliceMs, request.memoryBytesMax);
			return slot.write(head, request.body);
		case "restore":
			head.push(request.memoryBytes, request.pageCount);
			return slot.write(head, request.body);
		default:
			return slot.write(head, nothing);
	}
}

/** A request as the worker reads it: its body stays bytes, which is what the guest takes. */
export type ReceivedRequest =
	| ({ readonly op: "start" | "deliver"; readonly guest: number; readonly body: Uint8Array } & RequestBudget)
	| Exclude<WorkerRequest, { readonly op: "start" | "deliver" }>;

export function readRequest(slot: Slot, body: Uint8Array): ReceivedRequest {
	const [code = 0, guest = 0, a = 0, b = 0, c = 0, d = 0] = slot.fields();
	const op = ops[code] ?? "release";
	switch (op) {
		case "start":
		case "deliver":
			return { op, guest, clockMs: a, cpuMs: b, sliceMs: c, memoryBytesMax: d, body };
		case "restore":
			return { op, guest, memoryBytes: a, pageCount: b, body };
		default:
			return { op, guest };
	}
}

/** A reply as the worker writes it: the outbox of a slice is bytes. */
export type SentReply =
	| (Omit<Extract<WorkerReply, { kind: "slice" }>, "outbox"> & { readonly outbox: Uint8Array })
	| Exclude<WorkerReply, { kind: "slice" }>;

/** Returns the body where it must travel over the port. */
export function writeReply(slot: Slot, reply: SentReply): Uint8Array<ArrayBuffer> | undefined {
	const kind = kinds.indexOf(reply.kind);
	switch (reply.kind) {
		case "slice": {
			const stop = reply.stop === undefined ? -1 : stops.indexOf(reply.stop);
			return slot.write([kind, stop, reply.cpuMs, reply.unknownCall, reply.kept ? 1 : 0], reply.outbox);
		}
		case "image":
			return slot.write([kind, reply.memoryBytes, reply.pageCount], reply.body);
		case "refused":
			return slot.write([kind], reply.reason);
		case "done":
			return slot.write([kind], nothing);
	}
}

export function readReply(slot: Slot, body: Buffer): WorkerReply {
	const [code = 0, a = 0, b = 0, c = 0, d = 0] = slot.fields();
	switch (kinds[code] ?? "done") {
		case "slice":
			return { kind: "slice", stop: stops[a], cpuMs: b, unknownCall: c, kept: d === 1, outbox: body.toString() };
		case "image":
			return { kind: "image", memoryBytes: a, pageCount: b, body: new Uint8Array(body) };
		case "refused":
			return { kind: "refused", reason: body.toString() };
		case "done":
			return { kind: "done" };
	}
}
