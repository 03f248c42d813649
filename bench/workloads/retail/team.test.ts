import { describe, expect, test } from "vitest";
import { ownerOf, teamPlan } from "./team.ts";
import { retailTools } from "./tools.ts";

describe("the retail desk as a team", () => {
	test("each tool of the desk is in one hand", () => {
		const owners = [...retailTools.keys()].map(ownerOf);
		expect(owners.length).toBe(16);
		expect([...new Set(owners)].sort()).toEqual(["account", "desk", "orders", "returns"]);
		expect(() => ownerOf("open_till")).toThrow("Nobody of the team has the tool open_till");
	});

	test("work is handed on directly where there is a way, and over the coordinator where there is none", () => {
		const names = ["get_user_details", "get_order_details", "return_delivered_order_items", "get_product_details"];
		const plan = teamPlan({ actions: names.map((name) => ({ name, arguments: {} })) });
		expect(plan.map(({ by, to }) => (to ? `${by} → ${to}` : by))).toEqual([
			"desk",
			"desk → account",
			"account",
			"account → desk",
			"desk → orders",
			"orders",
			"orders → returns",
			"returns",
			"returns",
			"returns → desk",
			"desk",
		]);
	});
});
