import { digest } from "../kit/digest.ts";
import type { Json } from "../spec/json.ts";
import type { Segment } from "./segment.ts";

/** A large value goes beside the journal as it is; the journal has its digest, and so its seal. */
export function keepBeside(
	segment: Segment,
	text: string,
	value: Json,
): { readonly blob: string; readonly bytes: number } | { readonly ok: Json } {
	const body = Buffer.from(text);
	const blob = digest(body);
	segment.state.blobs.set(blob, value);
	segment.keep({ kind: "blob", digest: blob, body });
	return { blob, bytes: body.length };
}
