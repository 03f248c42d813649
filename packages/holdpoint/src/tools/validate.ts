import { inTime, type Patience } from "../kit/in-time.ts";
import { reasonOf } from "../kit/reason-of.ts";
import type { AnySchema } from "../spec/tool.ts";

export type Validated =
	| { readonly ok: true; readonly value: unknown }
	| { readonly ok: false; readonly issues: string };

const issuesMax = 5;

/**
 * Validates with any Standard Schema; a schema that throws or is late has refused. Synchronous where the schema is.
 * Errors: the reason of the signal, where the wait for an asynchronous one was ended by it.
 */
export function validate(schema: AnySchema, value: unknown, patience: Patience): Validated | Promise<Validated> {
	try {
		const result = schema["~standard"].validate(value);
		return result instanceof Promise ? validatedLater(result, patience) : toValidated(result);
	} catch (error) {
		return refused(error);
	}
}

async function validatedLater(result: Promise<Result>, patience: Patience): Promise<Validated> {
	try {
		return toValidated(await inTime(result, "its schema", patience));
	} catch (error) {
		// Nobody waits any more: nothing is said about the value.
		patience.signal?.throwIfAborted();
		return refused(error);
	}
}

type Result = Awaited<ReturnType<AnySchema["~standard"]["validate"]>>;

function toValidated(result: Result): Validated {
	if (!result.issues) return { ok: true, value: result.value };
	const lines = result.issues.slice(0, issuesMax).map((issue) => {
		const path = (issue.path ?? [])
			.map((step) => (typeof step === "object" ? String(step.key) : String(step)))
			.join(".");
		return path ? `${path}: ${issue.message}` : issue.message;
	});
	const more = result.issues.length - lines.length;
	return { ok: false, issues: lines.join("; ") + (more > 0 ? `; and ${more} more` : "") };
}

function refused(error: unknown): Validated {
	return { ok: false, issues: reasonOf(error) };
}
