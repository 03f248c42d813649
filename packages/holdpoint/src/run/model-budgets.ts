/**
 * What a model call may take of budgets: held before it is asked, spent in the commit of its answer.
 *
 * 1. The answer may be as long as the settings say, or as `modelOutputTokensMax`; where less is left, it is cut to that.
 *    Where not even the input and one token fit, the model is not asked, and the run ends with `limit.budget`.
 * 2. What others only hold will be free again, or spent: it is waited for, first here, then as a durable wait.
 * 3. What a process held that died before its answer was durable is spent: nobody knows what the provider counted.
 */

import { overReason, quantity } from "../budgets/call-charges.ts";
import { amountOf, cutTo, type ModelCharge, modelCharges, type Share, usedOf } from "../budgets/model-charges.ts";
import { priceOf } from "../budgets/price.ts";
import { digest } from "../kit/digest.ts";
import { inputBound, tokenBound } from "../model/usage.ts";
import type { Price } from "../spec/budget.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Spent } from "../spec/events.ts";
import type { Limits } from "../spec/limits.ts";
import type { LanguageModel, ModelAnswer, ModelRequest, ModelUsage } from "../spec/model.ts";
import { AskLater } from "./ask-later.ts";
import type { Thread } from "./conversation.ts";
import type { ReadyAgent } from "./run-ports.ts";
import { callersOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import { givenBack } from "./wanted.ts";

/** No model call fits into a budget any more. */
export class UsedUp extends Error {}

/** What one model call holds. */
export interface Held {
	readonly holder: string;
	readonly charges: readonly ModelCharge[];
	readonly share: Share;
	readonly price: Price | undefined;
	/** See `model.answered`; undefined: no budget counts tokens. */
	readonly counted: string | undefined;
	/** The budget that cut its time, where one did. */
	readonly timeCutBy: string | undefined;
	readonly began: number;
}

interface Asking {
	readonly segment: Segment;
	readonly limits: Limits;
	readonly holder: string;
	readonly charges: readonly ModelCharge[];
	readonly price: Price | undefined;
	readonly full: Share;
	readonly counted: string | undefined;
}

/** Whose model is to be asked what. */
interface Wish {
	readonly thread: Thread;
	readonly ready: ReadyAgent;
	readonly model: LanguageModel;
	readonly request: ModelRequest;
	readonly holder: string;
	/** It is what the run says, and no layer changed it. */
	readonly isOwn: boolean;
}

/** Undefined: no budget counts it. Errors: `UsedUp`, `AskLater`, `config.invalid` where nobody said what the model costs. */
export async function holdForModel(segment: Segment, wish: Wish): Promise<Held | undefined> {
	const { ports } = segment;
	if (ports.budgets.length === 0) return undefined;
	const { thread, ready, model, request, holder, isOwn } = wish;
	const { run, session, principal } = segment.info;
	const now = ports.clock.now();
	// Whoever put the work to this agent pays for it, too.
	const agents = [thread, ...callersOf(segment.state, thread)].map(({ agent }) => agent);
	const tenant = segment.state.started?.tenant;
	const all = agents.flatMap((agent) => modelCharges(ports.budgets, { run, session, agent, principal, tenant }, now));
	const charges = [...new Map(all.map((charge) => [charge.account, charge])).values()];
	if (charges.length === 0) return undefined;
	const price = priceFor(segment, model, charges);
	const { modelOutputTokensMax, modelTimeoutMs } = ready.limits;
	const wished = request.settings?.maxOutputTokens;
	const counted = charges.some(countsTokens) ? basisOf(model, request) : undefined;
	const full: Share = {
		inputTokens: counted === undefined ? 0 : inputTokensOf(thread, request, isOwn ? counted : undefined),
		outputTokens: isCount(wished) ? wished : modelOutputTokensMax,
		ms: modelTimeoutMs,
	};
	// Of a process before this one, which died without an answer.
	if (segment.isResumed && segment.isNew(holder)) {
		await segment.flush();
		await segment.settle([{ kind: "settle.rest", holder }]);
	}
	return hold({ segment, limits: ready.limits, holder, charges, price, full, counted });
}

function countsTokens({ budget }: ModelCharge): boolean {
	return budget.counts !== "wallMs";
}

/** Of whom is asked, and with what beside the messages: what was counted for another one says nothing here. */
function basisOf({ provider, modelId }: LanguageModel, { prompt, tools, responseFormat }: ModelRequest): string {
	const [system] = prompt;
	return digest(JSON.stringify([provider, modelId, system, tools, responseFormat])).slice(0, basisChars);
}

const basisChars = 12;

/** What is handed on to a provider as it is may be anything. */
function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 1;
}

function priceFor({ ports }: Segment, model: LanguageModel, charges: readonly ModelCharge[]): Price | undefined {
	const counting = charges.find(({ budget }) => budget.counts === "money");
	if (!counting) return undefined;
	const price = priceOf(model, ports.prices);
	if (price) return price;
	const name = `${model.provider}/${model.modelId}`;
	throw new HoldpointError(
		"config.invalid",
		`The budget ${counting.budget.name} counts money, and ${name} has no price`,
		{
			hint: `Say what it costs: prices: { ${JSON.stringify(name)}: { input, output } }, in USD per million tokens. Then resume the run.`,
		},
	);
}

/** What the last answer told counts for all that was there by then; what came since cannot have more tokens than bytes. */
function inputTokensOf({ measured, messages }: Thread, request: ModelRequest, counted: string | undefined): number {
	if (!measured || measured.counted !== counted) return inputBound(request);
	return measured.tokens + tokenBound(messages.slice(measured.messages));
}

const waitFirstMs = 50;

async function hold(asking: Asking): Promise<Held> {
	const { segment, limits } = asking;
	const { modelWaitInlineMs } = limits;
	for (let waitedMs = 0, waitMs = waitFirstMs; ; waitMs *= 2) {
		const found = await tryToHold(asking);
		if (!("busy" in found)) return found;
		const { clock } = segment.ports;
		const reason = `the budget ${found.busy} is held by others, and the model is asked when they are done`;
		if (waitedMs + waitMs > modelWaitInlineMs) throw new AskLater(modelWaitInlineMs, reason);
		await clock.sleep(waitMs, segment.abort.signal);
		waitedMs += waitMs;
	}
}

/** `busy`: the budget of which others hold what it needs. */
async function tryToHold(asking: Asking): Promise<Held | { readonly busy: string }> {
	const { segment, holder, charges, price, counted } = asking;
	let share = asking.full;
	let timeCutBy: string | undefined;
	// Each round knows one more account that has not enough left, or knows it better.
	for (;;) {
		const wants = charges.flatMap(({ budget, account, until }) => {
			const amount = amountOf(budget, share, price);
			return amount > 0 ? [{ account, amount, max: budget.max, until }] : [];
		});
		const short = await segment.reserve(holder, wants, { instead: !segment.isNew(holder) });
		if (!short) return { holder, charges, share, price, counted, timeCutBy, began: segment.ports.clock.now() };
		const charge = charges.find(({ account }) => account === short.account);
		if (!charge) throw new Error(`Holdpoint bug: it should hold that ${short.account} was asked for`);
		const cut = await cutShare(asking, charge, { share, used: short.used });
		if ("busy" in cut) return cut;
		if (cut.ms < share.ms) timeCutBy = charge.budget.name;
		share = cut;
	}
}

/** Errors: `UsedUp`. */
async function cutShare(
	{ segment, price, full }: Asking,
	{ budget, account }: ModelCharge,
	{ share, used }: { readonly share: Share; readonly used: number },
): Promise<Share | { readonly busy: string }> {
	const { spent = 0 } = (await segment.accountsOf([account])).get(account) ?? {};
	const withoutOthers = cutTo(budget.max - spent, budget, { share: full, price });
	if (!withoutOthers) throw new UsedUp(usedUpReason(segment, { budget, full, price, used: spent }));
	// Cut by nothing that is spent: an answer is not cut because others answer at the same time.
	if (withoutOthers === full && used > spent) return { busy: budget.name };
	return cutTo(budget.max - used, budget, { share, price }) ?? { busy: budget.name };
}

interface Over {
	readonly budget: ModelCharge["budget"];
	readonly full: Share;
	readonly price: Price | undefined;
	readonly used: number;
}

function usedUpReason({ ports }: Segment, { budget, full, price, used }: Over): string {
	const least = amountOf(budget, { ...full, outputTokens: 1, ms: 1 }, price);
	return `The model is not asked any more. ${overReason(budget, least, { used, now: ports.clock.now() })}`;
}

/** The time that it held is over. */
export function timeIsOver({ charges, share, timeCutBy }: Held): Error {
	const charge = charges.find(({ budget }) => (timeCutBy ? budget.name === timeCutBy : budget.counts === "wallMs"));
	const what = charge ? `the budget ${charge.budget.name} (${quantity(charge.budget)})` : "a budget";
	const message = `The model gave no answer within ${share.ms} ms, all attempts together, which is what ${what} allows`;
	return timeCutBy ? new UsedUp(message) : new HoldpointError("model.unavailable", message);
}

export function countsTime({ charges }: Held): boolean {
	return charges.some(({ budget }) => budget.counts === "wallMs");
}

export function countsOutput({ charges }: Held): boolean {
	return charges.some(({ budget }) => budget.counts !== "wallMs" && budget.counts !== "inputTokens");
}

/** What it took, to be spent with its answer. */
export function spentFor(segment: Segment, held: Held, answer: ModelAnswer): readonly Spent[] {
	const ms = elapsed(segment, held);
	const { holder, price, share } = held;
	const usage = usageOf(held, answer);
	return held.charges.map(({ budget, account }) => {
		const amount = usedOf(budget, usage, { price, ms });
		const beyond = amount - amountOf(budget, share, price);
		return { account, amount, holder, ...(beyond > 0 ? { overdrawn: beyond } : {}) };
	});
}

/** Where the provider said nothing, as much as it may have been. */
function usageOf({ share }: Held, { usage, content }: ModelAnswer): ModelUsage {
	if (!usage.estimated) return usage;
	return {
		inputTokens: Math.max(usage.inputTokens, share.inputTokens),
		outputTokens: Math.max(usage.outputTokens, Math.min(share.outputTokens, tokenBound(content))),
	};
}

/** It gave no answer: only the time is spent. */
export async function giveBack(segment: Segment, held: Held): Promise<void> {
	const { holder } = held;
	const ms = elapsed(segment, held);
	const times = held.charges.filter(({ budget }) => budget.counts === "wallMs");
	await settleUnanswered(
		segment,
		holder,
		times.map(({ account }) => ({ account, amount: ms, holder })),
	);
}

/** What was spent without an answer is an event like any other: whoever adds up finds it. What else was held is given back. */
export async function settleUnanswered(segment: Segment, holder: string, spent: readonly Spent[]): Promise<void> {
	const taken = spent.filter(({ amount }) => amount > 0);
	if (taken.length === 0) return segment.settle([givenBack(holder)]);
	// The end of the run has spent all that it held.
	if (segment.state.finished) return;
	segment.emit({ type: "model.unanswered", spent: taken });
	await segment.flush();
}

/** Not more than was held; a clock that was put back has not moved. */
function elapsed({ ports }: Segment, { began, share }: Held): number {
	return Math.min(share.ms, Math.max(0, Math.ceil(ports.clock.now() - began)));
}
