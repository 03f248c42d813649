/**
 * What the second act's scripted models say: one for each agent of the team. Everything else is real. Each answer
 * follows from what its agent reads, so that another process goes on with the same story.
 */
import { call, type Story, type StoryAsk, say } from "../../testing/story.ts";
import { euros } from "./euros.ts";
import { planted, shippingCents } from "./shop-database.ts";

export const deskRequest = `Support ticket 48214, received 2026-03-14 from ${planted.email}

Hello,
${[
	`in my order ${planted.largeOrder} the mugs, the plates and the storm lantern were broken. Please pay back the mugs,`,
	"the plates and the shipping that I was charged twice. The lantern I would rather have again.",
].join(" ")}
${planted.customer}`;

/** What the simulated customer answers. */
export const deskReply = "Please send it to my neighbour, Ole Hansen, next door. I am away this week.";

/** What an agent is told that works by itself. */
export const deskPrompt = "The customer does not answer now. Go on with what the shop knows about her.";

export const lastWords = "That is all from us.";

interface Order {
	readonly discountPercent: number;
	readonly items: readonly { readonly product: string; readonly quantity: number; readonly unitPriceCents: number }[];
	readonly refunds: readonly { readonly amountCents: number }[];
}

const brokenToPay = ["enamel mug", "dinner plate"];

/** The policy's arithmetic: what was broken at the price that was paid, both shipping charges, less what was paid back. */
function owedCents({ items, discountPercent, refunds }: Order): number {
	const broken = items.filter(({ product }) => brokenToPay.some((name) => product.toLowerCase().startsWith(name)));
	const goods = broken.reduce(
		(sum, { quantity, unitPriceCents }) =>
			sum + Math.round((quantity * unitPriceCents * (100 - discountPercent)) / 100),
		0,
	);
	return goods + 2 * shippingCents - refunds.reduce((sum, { amountCents }) => sum + amountCents, 0);
}

export const coordinatorStory: Story = (ask) => {
	if (ask.heard.includes("[Handed to you by shipping")) return say(closingWords(ask));
	if (ask.results.length === 0) return call("find_customer", { email: planted.email });
	return call(
		"handoff_to_refund",
		{ reason: `What is owed for ${planted.largeOrder}, and then the lantern again` },
		{ text: "I have found you, and pass this on to those who can settle it." },
	);
};

export const refundStory: Story = (ask) => {
	const [result] = ask.results;
	if (!result) return call("get_order", { orderId: planted.largeOrder });
	if (result.tool === "get_order") {
		const amountCents = owedCents(result.value as Order);
		return call("refund_order", {
			orderId: planted.largeOrder,
			amountCents,
			reason: "mugs and plates broken; shipping twice",
		});
	}
	const summary = result.failed ? `Not refunded: ${String(result.value)}` : "The refund is made.";
	return call("handoff_to_shipping", { reason: "The storm lantern is to be sent again", summary });
};

export const shippingStory: Story = (ask) => {
	if (ask.results.length > 0) return call("handoff_to_coordinator", { reason: "The lantern is on its way" });
	if (ask.heard.includes("[Handed to you by refund")) {
		return say(
			"We send the storm lantern again, free of charge. Where shall it go: to your own address, or to another one?",
		);
	}
	const sendTo = ask.lastUser === deskPrompt ? "the address of the order" : "Ole Hansen, next door";
	return call("send_again", { orderId: planted.largeOrder, product: "Storm lantern, slate", sendTo });
};

/** Made of the results that the coordinator was told, and of nothing else. */
function closingWords({ heard }: StoryAsk): string {
	const refunded = /refund_order\(.*?\) → .*?"amountCents":(\d+)/.exec(heard)?.[1];
	const sent = /send_again\(.*?\) → .*?"product":"([^"]*)","sendTo":"([^"]*)"/.exec(heard);
	return [
		refunded === undefined
			? "Nothing was paid back yet: somebody of us looks into it."
			: `${euros(Number(refunded))} are on their way to you.`,
		sent ? `${sent[1]} goes to ${sent[2]}.` : "",
		lastWords,
	]
		.filter(Boolean)
		.join("\n");
}
