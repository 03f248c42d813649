import { escapeUnseen } from "../kit/escape-unseen.ts";

/** Text as it is, in HTML: what cannot be seen is written out, so that it can neither hide nor reorder anything. */
export function text(value: string): string {
	return escapeUnseen(value).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
