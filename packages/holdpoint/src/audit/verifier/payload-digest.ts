import { hash } from "node:crypto";

/** SHA-256(salt ‖ new line ‖ payload), of their texts. Shape: base64url. */
export function payloadDigest(salt: string, payload: string): string {
	return hash("sha256", `${salt}\n${payload}`, "base64url");
}
