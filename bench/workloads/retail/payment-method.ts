import { fail, type ToolFailure } from "../outcome.ts";
import { round2 } from "../round2.ts";
import { entry, type PaymentMethod, type RetailDb, type User } from "./records.ts";

export interface OwnedMethod {
	readonly owner: User;
	readonly method: PaymentMethod;
}

export function findMethod(db: RetailDb, userId: string, methodId: string): OwnedMethod | ToolFailure {
	const owner = db.user(userId);
	if (!owner) return fail("not_found", "User not found");
	const method = entry(owner.payment_methods, methodId);
	return method ? { owner, method } : fail("not_found", "Payment method not found");
}

/** Can the method pay? Only of a gift card is it known. */
export function covers(method: PaymentMethod, amount: number): boolean {
	return method.source !== "gift_card" || method.balance >= amount;
}

/** Money goes back to a gift card at once (a negative amount is taken off); other methods settle elsewhere. */
export function credit(db: RetailDb, { owner, method }: OwnedMethod, amount: number): void {
	if (method.source !== "gift_card") return;
	const card = { ...method, balance: round2(method.balance + amount) };
	db.putUser({ ...owner, payment_methods: { ...owner.payment_methods, [method.id]: card } });
}
