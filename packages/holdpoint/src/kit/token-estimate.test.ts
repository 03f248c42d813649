import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { expect, test } from "vitest";
import { tokenEstimate } from "./token-estimate.ts";

const order = {
	order_id: "#W2611340",
	status: "delivered",
	address: { address1: "215 River Road", city: "Boston", zip: "02115", country: "USA" },
	items: Array.from({ length: 8 }, (_, n) => ({
		product_id: `${8_310_926_033 + n}`,
		item_id: `${6_469_567_736 + n}`,
		price: 47.84 + n,
		options: { capacity: "1000ml", material: "glass", color: "blue" },
	})),
	fulfillments: [{ tracking_id: ["357962501027"], item_ids: ["6469567736", "8426249116"] }],
};

test("a record is estimated with the names of its fields, near to what a tokenizer counts", () => {
	const text = JSON.stringify(order);
	const counted = countTokens(text);
	const part = { type: "tool-result", toolCallId: "c1", toolName: "t", output: { type: "json", value: order } };
	for (const estimate of [tokenEstimate([part]), tokenEstimate({ type: "function", inputSchema: order })]) {
		expect(estimate / counted).toBeGreaterThan(0.7);
		expect(estimate / counted).toBeLessThan(1.3);
	}
});

test("of what is around data only the text counts, and bytes and what a provider wants back do not", () => {
	const said = [{ role: "user", content: [{ type: "text", text: "x".repeat(396) }] }];
	expect(tokenEstimate(said)).toBe(101);
	const file = {
		type: "file",
		mediaType: "image/png",
		data: "x".repeat(4_000),
		providerOptions: { a: "x".repeat(400) },
	};
	expect(tokenEstimate([file])).toBe(4);
	expect(tokenEstimate(new Uint8Array(4_000))).toBe(0);
});
