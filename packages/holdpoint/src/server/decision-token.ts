/**
 * What a decision link carries: who may answer which question about exactly which call, until when, signed. It says
 * nothing secret, and whoever holds it can answer as that person: it is sent to that person alone.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { HoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";

export interface DecisionTicket {
	readonly approval: string;
	/** Of the call as it was shown, keyed. */
	readonly digest: string;
	/** Id of the person who answers. */
	readonly approver: string;
	/** Milliseconds since 1970. */
	readonly expiresAt: number;
}

const charsMax = 2_000;
const secretCharsMin = 32;
const context = "holdpoint decision link 1\n";
const callContext = "holdpoint call of a decision link\n";

/** Errors: `config.invalid`. */
export function checkSecrets(secret: string | readonly string[]): readonly string[] {
	const secrets: readonly unknown[] = typeof secret === "string" ? [secret] : secret;
	const isRight = (one: unknown): one is string => typeof one === "string" && one.length >= secretCharsMin;
	if (Array.isArray(secrets) && secrets.length > 0 && secrets.every(isRight)) return secrets;
	throw new HoldpointError("config.invalid", `A secret of decision links has fewer than ${secretCharsMin} characters`, {
		hint: "Make one with `openssl rand -base64 32`.",
	});
}

/** The first secret signs. */
export function sealTicket(ticket: DecisionTicket, [secret = ""]: readonly string[]): string {
	const { approval, digest, approver, expiresAt } = ticket;
	const body = Buffer.from(JSON.stringify([approval, digest, approver, expiresAt])).toString("base64url");
	const token = `${body}.${codeOf(body, secret)}`;
	if (token.length <= charsMax) return token;
	throw new HoldpointError("approval.invalid", "What a decision link would carry is too long");
}

/** All secrets verify. Undefined: it was not made here, or was changed. */
export function openTicket(token: string, secrets: readonly string[]): DecisionTicket | undefined {
	const [, body, code] = (token.length <= charsMax && /^([\w-]+)\.([\w-]{43})$/.exec(token)) || [];
	if (body === undefined || code === undefined) return undefined;
	const given = Buffer.from(code);
	// Each is compared, so that the time says nothing about which.
	const matches = secrets.map((secret) => timingSafeEqual(Buffer.from(codeOf(body, secret)), given));
	if (!matches.includes(true)) return undefined;
	const [approval, digest, approver, expiresAt] = JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as [
		string,
		string,
		string,
		number,
	];
	return { approval, digest, approver, expiresAt };
}

/** Whoever reads a link, and guesses what a tool marks as secret, cannot confirm the guess by it. */
export function keyedDigests(digest: string, secrets: readonly string[]): readonly string[] {
	return secrets.map((secret) => createHmac("sha256", secret).update(callContext).update(digest).digest("base64url"));
}

function codeOf(body: string, secret: string): string {
	return createHmac("sha256", secret).update(context).update(body).digest("base64url");
}

/** Errors: `approval.invalid`. */
export function checkApprover(approver: unknown): asserts approver is string {
	if (typeof approver === "string" && approver !== "" && approver.length <= fixedLimits.personCharsMax) return;
	throw new HoldpointError("approval.invalid", "A decision link is for one person, and that person has no id");
}
