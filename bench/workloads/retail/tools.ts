import { fail, type ToolOutcome } from "../outcome.ts";
import { modifyUserAddress, transferToHumanAgents } from "./account.ts";
import { calculate } from "./calculate.ts";
import {
	cancelPendingOrder,
	modifyPendingOrderAddress,
	modifyPendingOrderItems,
	modifyPendingOrderPayment,
} from "./orders.ts";
import {
	findUserIdByEmail,
	findUserIdByNameZip,
	getItemDetails,
	getOrderDetails,
	getProductDetails,
	getUserDetails,
	listAllProductTypes,
} from "./reads.ts";
import type { RetailDb } from "./records.ts";
import type { RetailTool } from "./retail-tool.ts";
import { exchangeDeliveredOrderItems, returnDeliveredOrderItems } from "./returns.ts";

const tools = [
	calculate,
	cancelPendingOrder,
	exchangeDeliveredOrderItems,
	findUserIdByNameZip,
	findUserIdByEmail,
	getOrderDetails,
	getProductDetails,
	getItemDetails,
	getUserDetails,
	listAllProductTypes,
	modifyPendingOrderAddress,
	modifyPendingOrderItems,
	modifyPendingOrderPayment,
	modifyUserAddress,
	returnDeliveredOrderItems,
	transferToHumanAgents,
] as const;

export type RetailToolName = (typeof tools)[number]["name"];

/** The 16 tools of the retail domain, in the order of tools.json. */
export const retailTools: ReadonlyMap<string, RetailTool> = new Map(tools.map((tool) => [tool.name, tool]));

/** Runs one tool straight on a database. An unknown name is refused like any other bad call. */
export function callRetailTool(db: RetailDb, name: string, args: unknown): ToolOutcome {
	const tool = retailTools.get(name);
	return tool ? tool.run(db, args) : fail("not_found", `Tool '${name}' not found.`);
}

export interface EffectClass {
	readonly effect: "read" | "write" | "internal";
	readonly repeat: "repeatable" | "keyed" | "once";
}

/** How each tool is to be declared: reads may be repeated, writes are done once per idempotency key. */
export const retailEffects = Object.fromEntries(
	tools.map(({ name, effect }) => [name, { effect, repeat: effect === "write" ? "keyed" : "repeatable" }]),
) as Readonly<Record<RetailToolName, EffectClass>>;
