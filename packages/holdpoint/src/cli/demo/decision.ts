/** How the held call of the demo is answered: by a person at the terminal, by `--answer`, or, without both, by yes. */
import type { OpenApproval } from "../../run/inbox.ts";
import type { JsonObject } from "../../spec/json.ts";
import { type Invocation, textOption } from "../command.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { euros } from "./euros.ts";
import { refundableCents } from "./shop-records.ts";

export type DemoDecision =
	| { readonly answer: "approve"; readonly args?: JsonObject }
	| { readonly answer: "deny"; readonly reason: string }
	/** The person wants to do it later, and by hand. */
	| { readonly answer: "later" };

const reasonDefault = "please ask for photos of the damage first";

/** Undefined: nothing was said beforehand. Errors: `usage.invalid`. */
export function givenAnswer(invocation: Invocation): string | undefined {
	const answer = textOption(invocation, "answer");
	if (answer === undefined || answer === "approve" || answer === "deny" || centsOf(answer) !== undefined) return answer;
	throw usageInvalid("--answer is approve, deny, or an amount such as 60.00");
}

/** `shop`: its database, which knows how much can be paid back. Errors: `usage.invalid`. */
export async function decideHeld(invocation: Invocation, approval: OpenApproval, shop: string): Promise<DemoDecision> {
	const given = givenAnswer(invocation);
	const problem = (amount: string): string | undefined => amountProblem(amount, refundableOf(approval, shop));
	if (given === "deny") return { answer: "deny", reason: reasonDefault };
	if (given !== undefined && given !== "approve") {
		const wrong = problem(given);
		if (wrong) throw usageInvalid(`--answer ${given}: ${wrong}`, "The run waits; `holdpoint demo` begins anew.");
		return edited(approval, centsOf(given));
	}
	if (given === undefined && invocation.terminal.isInteractive) return askPerson(approval, problem);
	return { answer: "approve" };
}

async function askPerson(
	approval: OpenApproval,
	problem: (amount: string) => string | undefined,
): Promise<DemoDecision> {
	const { cancel, isCancel, select, text } = await import("@clack/prompts");
	const later = (): DemoDecision => {
		// What was pointed at when somebody left would stand there like an answer.
		cancel("You left it: nothing was decided.");
		return { answer: "later" };
	};
	const amount = amountOf(approval);
	const choice = await select({
		message: "You decide. The agent's process is gone; yours is another one.",
		options: [
			{ value: "approve", label: "Approve", hint: amount === undefined ? "as it is asked" : `pay ${euros(amount)}` },
			...(amount === undefined ? [] : [{ value: "edit", label: "Approve another amount" }]),
			{ value: "deny", label: "Deny", hint: "the program and the model read why" },
			{ value: "later", label: "Leave it", hint: "and answer with the commands above, whenever you like" },
		],
	});
	if (isCancel(choice)) return later();
	if (choice === "later") return { answer: "later" };
	if (choice === "deny") {
		const reason = await text({
			message: "Why not?",
			initialValue: reasonDefault,
			validate: (value) => (value?.trim() ? undefined : "The program and the model read it."),
		});
		return isCancel(reason) ? later() : { answer: "deny", reason };
	}
	if (choice === "approve") return { answer: "approve" };
	const other = await text({
		message: "How much? (euros)",
		initialValue: ((amount ?? 0) / 100).toFixed(2),
		validate: (value) => problem(value ?? ""),
	});
	return isCancel(other) ? later() : edited(approval, centsOf(other));
}

function edited(approval: OpenApproval, amountCents: number | undefined): DemoDecision {
	if (amountCents === undefined || amountOf(approval) === undefined) return { answer: "approve" };
	return { answer: "approve", args: { ...(approval.args as JsonObject), amountCents } };
}

function amountOf({ args }: OpenApproval): number | undefined {
	const amount = typeof args === "object" && args !== null && "amountCents" in args ? args.amountCents : undefined;
	return typeof amount === "number" ? amount : undefined;
}

/** Infinite where the held call names no order of the shop. */
function refundableOf({ args }: OpenApproval, shop: string): number {
	const order = typeof args === "object" && args !== null && "orderId" in args ? args.orderId : undefined;
	return typeof order === "string" ? refundableCents(shop, order) : Number.POSITIVE_INFINITY;
}

/** Why this amount cannot be approved, or undefined where it can. */
export function amountProblem(text: string, refundable: number): string | undefined {
	const amount = centsOf(text);
	if (amount === undefined) return "An amount such as 60.00.";
	return amount > refundable ? `Only ${euros(refundable)} of this order can still be refunded.` : undefined;
}

/** `60` and `60.00`, and no other spelling. */
export function centsOf(text: string): number | undefined {
	const [, whole, cents = "00"] = /^(\d{1,6})(?:\.(\d{2}))?$/.exec(text.trim()) ?? [];
	if (whole === undefined) return undefined;
	const amount = Number(whole) * 100 + Number(cents);
	return amount > 0 ? amount : undefined;
}
