import type { JsonSchema } from "../../../packages/holdpoint/src/spec/json.ts";
import { type ArgsOf, invalidArguments, type Params, parameterSchema } from "../arguments.ts";
import { fail, type ToolOutcome } from "../outcome.ts";
import { round2 } from "../round2.ts";
import type { OrderData } from "./order-data.ts";

/** All five only look or compute: effect `read`, `repeatable`. */
export interface OrderTool {
	readonly name: OrderToolName;
	readonly description: string;
	readonly parameters: JsonSchema;
	/** Errors: none; a refusal is a returned outcome. */
	run(args: unknown): ToolOutcome;
}

export type OrderToolName =
	| "list_users"
	| "get_orders_for_user"
	| "get_discount_rate"
	| "get_tax_rate"
	| "compute_line_total";

export function orderTools(data: OrderData): readonly OrderTool[] {
	return [
		tool({
			name: "list_users",
			description: "Lists all users: id, name, region and tier.",
			params: {},
			run: () => ({ result: data.users }),
		}),
		tool({
			name: "get_orders_for_user",
			description: "Lists the order lines of a user: item, quantity and unit price.",
			params: { userId: "integer" },
			run: ({ userId }) => lookUp(data.orders, String(userId), "orders for user"),
		}),
		tool({
			name: "get_discount_rate",
			description: "Gives the discount rate of a tier, for example 0.2 for 20 %.",
			params: { tier: "text" },
			run: ({ tier }) => lookUp(data.discountRates, tier, "discount rate for tier"),
		}),
		tool({
			name: "get_tax_rate",
			description: "Gives the tax rate of a region, for example 0.08 for 8 %.",
			params: { region: "text" },
			run: ({ region }) => lookUp(data.taxRates, region, "tax rate for region"),
		}),
		tool({
			name: "compute_line_total",
			description: "Computes what an order line costs after discount and tax, rounded to cents.",
			params: { quantity: "number", unitPrice: "number", discountRate: "number", taxRate: "number" },
			run: ({ quantity, unitPrice, discountRate, taxRate }) => ({
				result: round2(quantity * unitPrice * (1 - discountRate) * (1 + taxRate)),
			}),
		}),
	];
}

interface Definition<P extends Params> {
	readonly name: OrderToolName;
	readonly description: string;
	readonly params: P;
	readonly run: (args: ArgsOf<P>) => ToolOutcome;
}

function tool<const P extends Params>({ name, description, params, run }: Definition<P>): OrderTool {
	return {
		name,
		description,
		parameters: parameterSchema(params),
		run: (args) => invalidArguments(params, args) ?? run(args as ArgsOf<P>),
	};
}

function lookUp(table: OrderData["orders"] | OrderData["taxRates"], key: string, what: string): ToolOutcome {
	const found = Object.hasOwn(table, key) ? table[key] : undefined;
	return found === undefined ? fail("not_found", `No ${what} '${key.slice(0, 100)}'`) : { result: found };
}
