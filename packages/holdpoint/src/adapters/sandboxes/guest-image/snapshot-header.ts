/**
 * The head of a snapshot: what must match before its pages are looked at.
 *
 * Layout, little-endian: "HPGS", format (u16), 0 (u16), guest digest (32 bytes), program digest (32), memory in bytes
 * (u32), changed pages (u32), CPU time used in microseconds (u32), console bytes used (u32), calls asked (u32), how many
 * of them are open (u32), their numbers in ascending order (u32 each); then the compressed pages.
 * The stack is empty between two slices, so no register belongs to a snapshot.
 */
import { hash } from "node:crypto";
import type { ProgramSpec } from "../../../spec/sandbox.ts";
import { guestDigest } from "./guest-digest.ts";

export const snapshotFormat = 2;

const magic = "HPGS";
const headBytes = 96;
const wasmPageBytes = 65_536;
const pageBytes = 4_096;

/** A guest between two slices, as what differs from the base image. */
export interface GuestImage {
	/** Linear memory. Bytes. */
	readonly memoryBytes: number;
	readonly pageCount: number;
	/** Compressed pages. */
	readonly body: Uint8Array;
}

export interface GuestSnapshot extends GuestImage {
	readonly cpuMs: number;
	readonly consoleBytes: number;
	/** Calls that the program asked. */
	readonly asked: number;
	/** Numbers of those that have no answer. */
	readonly open: readonly number[];
}

export function encodeSnapshot(snapshot: GuestSnapshot, program: ProgramSpec): Uint8Array {
	const open = snapshot.open.toSorted((a, b) => a - b);
	const bodyAt = headBytes + 4 * open.length;
	const bytes = Buffer.alloc(bodyAt + snapshot.body.length);
	bytes.write(magic, "latin1");
	bytes.writeUInt16LE(snapshotFormat, 4);
	bytes.write(guestDigest, 8, "hex");
	bytes.set(programDigest(program), 40);
	bytes.writeUInt32LE(snapshot.memoryBytes, 72);
	bytes.writeUInt32LE(snapshot.pageCount, 76);
	bytes.writeUInt32LE(Math.min(0xffff_ffff, Math.round(snapshot.cpuMs * 1_000)), 80);
	bytes.writeUInt32LE(Math.min(0xffff_ffff, snapshot.consoleBytes), 84);
	bytes.writeUInt32LE(snapshot.asked, 88);
	bytes.writeUInt32LE(open.length, 92);
	for (const [i, n] of open.entries()) bytes.writeUInt32LE(n, headBytes + 4 * i);
	bytes.set(snapshot.body, bodyAt);
	return bytes;
}

/** Reads hostile bytes. Errors: an Error that says why they are refused. */
export function decodeSnapshot(snapshot: Uint8Array, program: ProgramSpec, memoryBytesMax: number): GuestSnapshot {
	const bytes = Buffer.from(snapshot.buffer, snapshot.byteOffset, snapshot.length);
	refuseUnless(bytes.length < program.limits.snapshotBytesMax, "it is larger than a snapshot may be");
	refuseUnless(bytes.length > headBytes && bytes.toString("latin1", 0, 4) === magic, "it is no snapshot");
	const format = bytes.readUInt16LE(4);
	refuseUnless(format === snapshotFormat, `its format is ${format}, this host has ${snapshotFormat}`);
	refuseUnless(bytes.toString("hex", 8, 40) === guestDigest, "it was made by another guest build");
	refuseUnless(programDigest(program).equals(bytes.subarray(40, 72)), "it belongs to another program");
	const memoryBytes = bytes.readUInt32LE(72);
	refuseUnless(memoryBytes <= memoryBytesMax && memoryBytes % wasmPageBytes === 0, "its memory has an impossible size");
	const pageCount = bytes.readUInt32LE(76);
	// It decides how much is unpacked: a few compressed bytes hold as many pages as anybody says.
	refuseUnless(pageCount <= memoryBytes / pageBytes, "it has more pages than the guest's memory");
	const asked = bytes.readUInt32LE(88);
	const open = openCalls(bytes, asked, program);
	return {
		memoryBytes,
		pageCount,
		cpuMs: bytes.readUInt32LE(80) / 1_000,
		consoleBytes: bytes.readUInt32LE(84),
		asked,
		open,
		body: bytes.subarray(headBytes + 4 * open.length),
	};
}

function openCalls(bytes: Buffer, asked: number, { limits }: ProgramSpec): number[] {
	const count = bytes.readUInt32LE(92);
	refuseUnless(asked <= limits.callsMax, "it has asked more calls than its program may");
	refuseUnless(
		count <= Math.min(asked, limits.openCallsMax) && bytes.length > headBytes + 4 * count,
		"it has an impossible number of open calls",
	);
	const open = Array.from({ length: count }, (_, i) => bytes.readUInt32LE(headBytes + 4 * i));
	const isAscending = open.every((n, i) => n > (open[i - 1] ?? 0) && n <= asked);
	refuseUnless(isAscending, "its open calls are none that it asked");
	return open;
}

function programDigest(program: ProgramSpec): Buffer {
	return hash("sha256", JSON.stringify([program.source, program.tools, program.seed]), "buffer");
}

function refuseUnless(condition: boolean, reason: string): void {
	if (!condition) throw new Error(reason);
}
