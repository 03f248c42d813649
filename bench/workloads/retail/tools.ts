import type { Labels } from "../../../packages/holdpoint/src/spec/tool.ts";
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

const publicReads: ReadonlySet<string> = new Set([
	"get_product_details",
	"get_item_details",
	"list_all_product_types",
	"calculate",
]);

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

/**
 * What each tool's results are. The desk's records are about the customer whom it serves, for both of them to read, and
 * hold nothing that others wrote; its catalogue is public. What is sent to a tool stays with the shop.
 */
export const retailLabels: Readonly<Record<string, Labels>> = Object.fromEntries(
	tools.map(({ name }): [string, Labels] => {
		const readers = publicReads.has(name) ? ["everyone"] : ["principal", "shop"];
		return [name, { integrity: "trusted", readers, audience: ["shop"] }];
	}),
);
