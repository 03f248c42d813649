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

test.each([
	["Chinese", "请帮我查询订单的状态,并在确认地址之后把退款退回到原来的付款方式。"],
	["Japanese", "注文の状況を確認して、住所が正しければ元の支払い方法に返金してください。"],
	["Korean", "주문 상태를 확인하고 주소가 맞으면 원래 결제 수단으로 환불해 주세요."],
	["Russian", "Пожалуйста, проверьте состояние заказа и верните деньги на исходный способ оплаты."],
	["Hindi", "कृपया ऑर्डर की स्थिति जांचें और पैसे मूल भुगतान विधि पर वापस करें।"],
	["emoji", "😀🎉🚀✅👍🏽"],
])("%s is not estimated at less than a tokenizer counts, nor at much more", (_, text) => {
	const estimate = tokenEstimate({ type: "text", text: text.repeat(20) }) / countTokens(text.repeat(20));
	expect(estimate).toBeGreaterThanOrEqual(0.95);
	expect(estimate).toBeLessThan(2.5);
});

test("marks of a record count, and marks of a request do not", () => {
	const flags = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`flag_${n}`, n % 2 === 0 ? true : null]));
	for (const input of [flags, [[1, 2], [], ["a", "b"], [{}, {}]], Array.from({ length: 100 }, () => false)]) {
		const size = tokenEstimate({ input }) * 4 - JSON.stringify(input).length;
		expect(Math.abs(size)).toBeLessThan(8);
	}
	expect(tokenEstimate({ providerExecuted: true, dynamic: null })).toBe(0);
});
