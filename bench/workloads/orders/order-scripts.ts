import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";
import type { WorkloadCall } from "../outcome.ts";
import { round2 } from "../round2.ts";
import type { GrandTotal, OrderData, OrderLine, OrderUser } from "./order-data.ts";

/*
 * The same work asked for in three ways: one call a turn, parallel calls, one program. Each makes the 26 calls that
 * cannot be done without: the users, the orders of 8 users, 3 discount rates, 3 tax rates and 11 line totals.
 */

export const orderPrompt =
	"Work out the grand total of every user: the sum of compute_line_total over all order lines, with the discount " +
	"rate of the user's tier and the tax rate of the user's region. Answer with a JSON list of {name, grandTotal}, " +
	"highest total first.";

/** The calls one by one, as a model makes them that asks for one at a time. */
export function orderTurns(data: OrderData): readonly WorkloadCall[] {
	return orderBatches(data).flat();
}

/** The calls in batches: everything that can be asked for at the same time is. */
export function orderBatches(data: OrderData): readonly (readonly WorkloadCall[])[] {
	const tiers = [...new Set(data.users.map((user) => user.tier))];
	const regions = [...new Set(data.users.map((user) => user.region))];
	const lines = data.users.flatMap((user) =>
		(data.orders[user.id] ?? []).map((line) => lineTotalCall(data, user, line)),
	);
	return [
		[call("list_users", {})],
		[
			...data.users.map((user) => call("get_orders_for_user", { userId: user.id })),
			...tiers.map((tier) => call("get_discount_rate", { tier })),
			...regions.map((region) => call("get_tax_rate", { region })),
		],
		lines,
	];
}

function lineTotalCall(data: OrderData, user: OrderUser, { quantity, unitPrice }: OrderLine): WorkloadCall {
	const discountRate = data.discountRates[user.tier];
	const taxRate = data.taxRates[user.region];
	if (discountRate === undefined || taxRate === undefined) throw new Error(`No rates for user ${user.name}`);
	return call("compute_line_total", { quantity, unitPrice, discountRate, taxRate });
}

function call(name: string, args: WorkloadCall["arguments"]): WorkloadCall {
	return { name, arguments: args };
}

/** The work as one program; it returns the list of grand totals, highest first. */
export const orderProgram = `const users = await tools.list_users({});
const tiers = [...new Set(users.map((user) => user.tier))];
const regions = [...new Set(users.map((user) => user.region))];
const [orders, discounts, taxes] = await Promise.all([
	Promise.all(users.map((user) => tools.get_orders_for_user({ userId: user.id }))),
	Promise.all(tiers.map((tier) => tools.get_discount_rate({ tier }))),
	Promise.all(regions.map((region) => tools.get_tax_rate({ region }))),
]);
const totals = await Promise.all(users.map(async (user, i) => {
	const discountRate = discounts[tiers.indexOf(user.tier)];
	const taxRate = taxes[regions.indexOf(user.region)];
	const lines = await Promise.all(orders[i].map(({ quantity, unitPrice }) =>
		tools.compute_line_total({ quantity, unitPrice, discountRate, taxRate })));
	const sum = lines.reduce((left, right) => left + right, 0);
	return { name: user.name, grandTotal: Math.round(sum * 100) / 100 };
}));
return totals.sort((a, b) => b.grandTotal - a.grandTotal);
`;

/** The answer that a model reads out of the results of `orderTurns` or of the flattened `orderBatches`. */
export function grandTotalsFrom(calls: readonly WorkloadCall[], results: readonly Json[]): readonly GrandTotal[] {
	const resultsOf = (name: string) => results.filter((_, i) => calls[i]?.name === name);
	const [users] = resultsOf("list_users") as unknown as readonly (readonly OrderUser[])[];
	const orders = resultsOf("get_orders_for_user") as unknown as readonly (readonly OrderLine[])[];
	const lineTotals = resultsOf("compute_line_total") as readonly number[];
	if (!users || orders.length !== users.length) throw new Error("The results do not hold every user's orders");
	let taken = 0;
	const totals = users.map((user, i) => {
		const count = orders[i]?.length ?? 0;
		const own = lineTotals.slice(taken, taken + count);
		taken += count;
		return { name: user.name, grandTotal: round2(own.reduce((left, right) => left + right, 0)) };
	});
	return totals.sort((a, b) => b.grandTotal - a.grandTotal);
}

/** What is wrong with an answer (a program's value or a parsed text), or undefined when it is right. */
export function grandTotalsProblem(data: OrderData, answer: unknown): string | undefined {
	const expected = data.expectedGrandTotals.map(({ name, grandTotal }) => `${name} ${grandTotal}`).join(", ");
	if (!Array.isArray(answer)) return `expected the list ${expected}, got ${typeof answer}`;
	const given = answer.map((entry: Partial<GrandTotal> | null) => `${entry?.name} ${entry?.grandTotal}`).join(", ");
	return given === expected ? undefined : `expected ${expected}; got ${given.slice(0, 1000)}`;
}
