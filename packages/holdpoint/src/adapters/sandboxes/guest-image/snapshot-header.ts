/**
 * The head of a snapshot: what must match before its pages are looked at.
 *
 * Layout, little-endian: "HPGS", format (u16), 0 (u16), guest digest (32 bytes), program digest (32), memory in bytes
 * (u32), changed pages (u32), CPU time used in microseconds (u32), console bytes used (u32); then the compressed pages.
 * The stack is empty between two slices, so no register belongs to a snapshot.
 */
import { hash } from "node:crypto";
import type { ProgramSpec } from "../../../spec/sandbox.ts";
import { guestDigest } from "./guest-digest.ts";

export const snapshotFormat = 1;

const magic = "HPGS";
const headBytes = 88;
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
}

export function encodeSnapshot(snapshot: GuestSnapshot, program: ProgramSpec): Uint8Array {
	const bytes = Buffer.alloc(headBytes + snapshot.body.length);
	bytes.write(magic, "latin1");
	bytes.writeUInt16LE(snapshotFormat, 4);
	bytes.write(guestDigest, 8, "hex");
	bytes.set(programDigest(program), 40);
	bytes.writeUInt32LE(snapshot.memoryBytes, 72);
	bytes.writeUInt32LE(snapshot.pageCount, 76);
	bytes.writeUInt32LE(Math.min(0xffff_ffff, Math.round(snapshot.cpuMs * 1_000)), 80);
	bytes.writeUInt32LE(Math.min(0xffff_ffff, snapshot.consoleBytes), 84);
	bytes.set(snapshot.body, headBytes);
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
	return {
		memoryBytes,
		pageCount,
		cpuMs: bytes.readUInt32LE(80) / 1_000,
		consoleBytes: bytes.readUInt32LE(84),
		body: bytes.subarray(headBytes),
	};
}

function programDigest(program: ProgramSpec): Buffer {
	return hash("sha256", JSON.stringify([program.source, program.tools, program.seed]), "buffer");
}

function refuseUnless(condition: boolean, reason: string): void {
	if (!condition) throw new Error(reason);
}
