import { hash } from "node:crypto";

/** SHA-256, base64url without padding: 43 characters. */
export function digest(data: string | Uint8Array): string {
	return hash("sha256", data, "base64url");
}
