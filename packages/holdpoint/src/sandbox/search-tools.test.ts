import { describe, expect, test } from "vitest";
import { searchTools } from "./search-tools.ts";

const tools = [
	["get_order", "Shows one order."],
	["cancelOrder", "Cancels an order and books the money back."],
	["list-orders", "Lists the orders of a user."],
	["get_user", "Shows a user."],
	["refund", "Sends money back."],
	["weather", "Shows the weather in a city."],
].map(([name = "", description = ""]) => ({ name, description, inputSchema: {} }));

const find = (text: string, max?: number) => searchTools(tools, text, max).map(({ name }) => name);

describe("searchTools", () => {
	test("a word of the name goes before one of the description", () => {
		expect(find("refund money")).toEqual(["refund", "cancelOrder"]);
	});

	test("names are split at case, underscores and dashes; word forms are found", () => {
		expect(find("cancelled")).toEqual(["cancelOrder"]);
		expect(find("order", 3)).toEqual(["get_order", "cancelOrder", "list-orders"]);
	});

	test("a rare word counts more than one that most tools have", () => {
		expect(find("shows the weather a")[0]).toBe("weather");
	});

	test("equal scores keep the given order, and the number is bounded", () => {
		expect(find("get")).toEqual(["get_order", "get_user"]);
		expect(find("get", 1)).toEqual(["get_order"]);
		expect(find("get", 0)).toEqual([]);
	});

	test("nothing fits nothing", () => {
		expect(find("")).toEqual([]);
		expect(find("!?")).toEqual([]);
		expect(find("zebra")).toEqual([]);
	});
});
