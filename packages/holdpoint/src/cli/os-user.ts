import { userInfo } from "node:os";
import { HoldpointError } from "../spec/errors.ts";
import type { Approver } from "../spec/events.ts";
import type { Invocation } from "./command.ts";

/** The user whom the operating system logged in; a container may have none with a name. */
export function osUser(): string {
	try {
		return userInfo().username;
	} catch {
		return `uid:${process.getuid?.() ?? "unknown"}`;
	}
}

/** Who answers: what the operating system knows, never what somebody claims. Errors: `approval.forbidden`. */
export function osApprover({ options }: Pick<Invocation, "options">): Approver {
	const id = osUser();
	if (options["as"] === undefined) return { id, via: "os" };
	throw new HoldpointError("approval.forbidden", `--as is refused: a claimed name is no proof. Here you are ${id}`, {
		hint: "Leave it out, or answer as that person: log in as them.",
	});
}
