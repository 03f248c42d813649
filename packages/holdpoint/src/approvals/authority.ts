/**
 * What a person may say to a call: the approvers port, asked total and closed (I4). A person about whom it cannot be found
 * out has no say, and the reason says so.
 */

import { inTime } from "../kit/in-time.ts";
import { isThenable } from "../kit/is-thenable.ts";
import { reasonOf } from "../kit/reason-of.ts";
import type { Answering, Approver, Approvers } from "../spec/approver.ts";
import type { Answered, Need } from "./need.ts";
import { whyNot } from "./need.ts";

export interface KnownAuthority {
	readonly roles: readonly string[];
	readonly note?: string | undefined;
	/** Why this person's answer counts for nothing. */
	readonly refused?: string;
	/** The port did not refuse: it could not say. */
	readonly isUnknown?: true;
}

export interface AuthorityQuestion {
	readonly by: Approver;
	readonly about: Answering;
	readonly timeoutMs: number;
}

/** Synchronous where the port is. Without a port nobody has a role. Never throws, never rejects. */
export function authorityOf(
	approvers: Approvers | undefined,
	{ by, about, timeoutMs }: AuthorityQuestion,
): KnownAuthority | Promise<KnownAuthority> {
	if (!approvers) return { roles: [] };
	const { roles: _claimed, ...person } = by;
	try {
		const answer: unknown = approvers.of(person, about);
		return isThenable(answer) ? inTime(answer, "they", { timeoutMs }).then(checked).catch(unknown) : checked(answer);
	} catch (error) {
		return unknown(error);
	}
}

function unknown(error: unknown): KnownAuthority {
	const refused = `the roles of this person could not be found out: ${reasonOf(error)}`;
	return { roles: [], refused, isUnknown: true };
}

function checked(answer: unknown): KnownAuthority {
	if (typeof answer === "string") return { roles: [], refused: answer.slice(0, 1_000) || "this person may not answer" };
	const { roles, note } = (answer ?? {}) as Record<string, unknown>;
	const isRight = Array.isArray(roles) && roles.every((role) => typeof role === "string");
	if (!isRight) return unknown("the roles of this person are no list of texts");
	return { roles: [...roles], note: typeof note === "string" ? note.slice(0, 1_000) : undefined };
}

/** Undefined: this person's yes counts. Otherwise why it does not. */
export function whyUncounted(need: Need, by: Approver, authority: KnownAuthority): string | undefined {
	if (authority.refused !== undefined) return authority.refused;
	const why = whyNot(need, { ...by, roles: authority.roles });
	return why && authority.note ? `${why}: ${authority.note}` : why;
}

export interface CountedToday<A> {
	/** With the roles that their givers have now. */
	readonly answers: readonly A[];
	/** Whose answers count no more, and why. */
	readonly lost: readonly string[];
}

/** Answers as they count today; `ask` finds out what the giver of each has a say in. Synchronous where the port is. */
export function countedToday<A extends Answered>(
	answers: readonly A[],
	ask: (answer: A) => KnownAuthority | Promise<KnownAuthority>,
): CountedToday<A> | Promise<CountedToday<A>> {
	const known = answers.map(ask);
	const count = (authorities: readonly KnownAuthority[]): CountedToday<A> => {
		const kept: A[] = [];
		const lost: string[] = [];
		for (const [at, answer] of answers.entries()) {
			const { refused, roles, note } = authorities[at] as KnownAuthority;
			if (refused !== undefined) {
				lost.push(`the yes of ${answer.by.id} counts no more: ${refused}`);
				continue;
			}
			kept.push({ ...answer, by: { ...answer.by, roles } });
			const gone = answer.by.roles?.filter((role) => !roles.includes(role)) ?? [];
			if (gone.length > 0)
				lost.push(`${answer.by.id} is no ${gone.join(", ")} for it any more${note ? `: ${note}` : ""}`);
		}
		return { answers: kept, lost };
	};
	return known.some((one) => one instanceof Promise)
		? Promise.all(known).then(count)
		: count(known as KnownAuthority[]);
}
