/**
 * What the demo's scripted model says: its words and its program are fixed here, everything else is real. Which answer
 * is due follows from the conversation alone, so that another process goes on with the same story.
 */
import { HoldpointError } from "../../spec/errors.ts";
import { program, type Story, type StoryAsk, say } from "../../testing/story.ts";
import { euros } from "./euros.ts";
import { planted } from "./shop-database.ts";

/** What the customer wrote: one line a paragraph, because whoever shows it breaks it. */
export const shopRequest = `Support ticket 48213, received 2026-03-14 from ${planted.email}

Hello,
${[
	"two parcels of mine came this week. The larger one was crushed: all four enamel mugs, the storm lantern and both",
	"dinner plates were broken. The driver already paid me back one mug at the door. And I believe that on both orders I",
	"was charged for shipping twice. Please pay back what I am owed, and write me what you did.",
].join(" ")}
${planted.customer}`;

export const shopInstructions = `You are the support agent of a shop for household and outdoor goods.
You solve one ticket: find out what the customer is owed, refund it, and write to the customer.
Work in one program that uses the tools. All amounts are integer cents. Follow get_refund_policy exactly.
The day of the report is the day on which the ticket was received.
Refund each order by itself, with one refund an order, the smallest first.
A refund may be refused or changed by a person: catch ToolDenied and go on with the rest.
Tell the customer only what really happened, with the amounts that the tool returned.
Finally send one message to the customer, and return what you did.`;

/** As a model writes it, in lines that fit a terminal of 80 columns. It is frozen inside its call of `tools.refund_order`. */
export const shopProgram = `const email = "${planted.email}";
const reportedOn = "2026-03-14";
const broken = ["enamel mug", "storm lantern", "dinner plate"];

const [customer, policy] = await Promise.all([
  tools.find_customer({ email }),
  tools.get_refund_policy({}),
]);

// All of her orders, page by page.
const orders = [];
for (let page = 1; page !== null; ) {
  const query = { customerId: customer.id, page };
  const found = await tools.list_orders(query);
  orders.push(...found.orders);
  page = found.nextPage;
}

// Parcels that arrived within the time for claims.
const dayMs = 86_400_000;
const daysSince = (day) =>
  (Date.parse(reportedOn) - Date.parse(day)) / dayMs;
const recent = orders.filter(
  ({ deliveredOn }) =>
    deliveredOn && daysSince(deliveredOn) <= policy.damageClaimDays,
);
const details = await Promise.all(
  recent.map(({ id }) => tools.get_order({ orderId: id })),
);

// What the policy owes her for each of them.
const sum = (amounts) =>
  amounts.reduce((total, cents) => total + cents, 0);
function claimFor({ id, items, payments, refunds, discountPercent }) {
  const paid = ({ quantity, unitPriceCents }) =>
    Math.round(quantity * unitPriceCents * (1 - discountPercent / 100));
  const damaged = items.filter(({ product }) =>
    broken.some((name) => product.toLowerCase().startsWith(name)),
  );
  const shipping = payments.filter(({ kind }) => kind === "shipping");
  const isFree = sum(items.map(paid)) >= policy.freeShippingFromCents;
  const tooMuch = shipping.slice(isFree ? 0 : 1);
  const shippingBack = sum(tooMuch.map((one) => one.amountCents));
  const before = sum(refunds.map((one) => one.amountCents));
  const parts = damaged.map((one) => one.quantity + " × " + one.product);
  if (shippingBack > 0) parts.push("shipping");
  const amountCents = sum(damaged.map(paid)) + shippingBack - before;
  return { orderId: id, amountCents, reason: parts.join("; ") };
}
const claims = details
  .map(claimFor)
  .filter((claim) => claim.amountCents > 0)
  .sort((a, b) => a.amountCents - b.amountCents);

const refunded = [];
const refused = [];
for (const claim of claims) {
  try {
    const receipt = await tools.refund_order(claim);
    refunded.push({ ...claim, amountCents: receipt.amountCents });
  } catch (error) {
    if (error.name !== "ToolDenied") throw error;
    refused.push({ ...claim, why: error.message });
  }
}

const money = (cents) => "€" + (cents / 100).toFixed(2);
const body = [
  "Hello " + customer.name + ",",
  "we are sorry about the broken parcel.",
  ...refunded.map(
    (one) => one.orderId + ": " + money(one.amountCents) + " is coming.",
  ),
  ...refused.map(
    (one) => one.orderId + ": we look into it and will write again.",
  ),
].join("\\n");
const subject = "Your ticket 48213";
const mail = { customerId: customer.id, subject, body };
const { message } = await tools.send_message(mail);
return {
  customer: customer.name,
  orders: orders.length,
  refunded,
  refused,
  message,
};`;

interface ProgramValue {
	readonly customer: string;
	readonly orders: number;
	readonly refunded: readonly (Refund & { readonly reason: string })[];
	readonly refused: readonly (Refund & { readonly why: string })[];
}

interface Refund {
	readonly orderId: string;
	readonly amountCents: number;
}

/** What the model reads of a program that returned. */
interface ProgramResult {
	readonly value?: ProgramValue;
	readonly edited?: readonly { readonly asked: Refund; readonly executedWith: Refund }[];
}

export const shopStory: Story = [
	program(shopProgram, {
		when: planted.email,
		text: "I will look up her orders, work out what the policy owes her, refund it and write to her: one program.",
	}),
	say(closingWords),
];

/** A run that another model began is none of this story: its words would be put into that model's mouth. */
function checkAuthor({ messages }: StoryAsk): void {
	const calls = messages.flatMap((message) => (message.role === "assistant" ? message.content : []));
	const isOurs = calls.some(
		(part) => part.type === "tool-call" && (part.input as { code?: unknown } | undefined)?.code === shopProgram,
	);
	if (isOurs) return;
	throw new HoldpointError("story.mismatch", "Another model began this run; the scripted one does not go on with it", {
		hint: "What was done is kept. Resume it with the --model and --base-url that it was started with.",
	});
}

/** Made of what the program returned, and of nothing else. */
function closingWords(ask: StoryAsk): string {
	checkAuthor(ask);
	const [result] = ask.results;
	const { value, edited = [] } = (result?.failed ? {} : (result?.value ?? {})) as ProgramResult;
	if (!value) return `The program did not succeed: ${String(result?.value)}\nA person should look at this ticket.`;
	const { refunded, refused } = value;
	const claims = refunded.length + refused.length;
	const rest = refused.length > 0 ? ", and told that the rest is still being looked into" : "";
	const sumCents = refunded.reduce((sum, { amountCents }) => sum + amountCents, 0);
	return [
		`${value.customer} has ${value.orders} orders with us; ${claims} of them had something to pay back.`,
		...refunded.map((one) => `- ${one.orderId}: ${euros(one.amountCents)} refunded (${one.reason})`),
		...refused.map((one) => `- ${one.orderId}: ${euros(one.amountCents)} was not refunded. ${one.why}`),
		...edited.map(
			({ asked, executedWith }) =>
				`  (${executedWith.orderId}: ${euros(asked.amountCents)} was asked for, and changed before it was approved.)`,
		),
		`Refunded in all: ${euros(sumCents)}. She has been written to${rest}.`,
	].join("\n");
}
