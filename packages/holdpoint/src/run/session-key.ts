/** Whose a session is, and its name in the index. */
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import type { RunStarted } from "../spec/events.ts";

/** A session is one tenant's, or nobody's in particular. */
export interface SessionOwn {
	readonly id: string;
	readonly tenant: string | undefined;
}

export function isOfSession({ session, tenant }: RunStarted, own: SessionOwn): boolean {
	return session?.id === own.id && tenant === own.tenant;
}

/**
 * The name under which the index knows a session. A session belongs to a tenant: two of them may use one name. Session ids
 * have no control characters, so that none of them is another's digest.
 */
export function sessionKey(id: string, tenant: string | undefined): string {
	return tenant === undefined ? id : `\u001f${digest(canonicalJson(["session", tenant, id]))}`;
}
