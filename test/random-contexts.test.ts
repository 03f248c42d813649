import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import type { RunResult } from "holdpoint";
import { type CrashPlan, promptProblems } from "holdpoint/testing";
import { describe, expect, test } from "vitest";
import { messageTokens } from "../packages/holdpoint/src/context/view.ts";
import { tokenEstimate } from "../packages/holdpoint/src/kit/token-estimate.ts";
import { type PlayedContext, playContext, type Rules, type Talk } from "./random-context.ts";
import { Dice } from "./random-story.ts";

/**
 * Whatever is said, found and folded: what reaches the model is a prompt that a provider takes, within its window, with the
 * first request in it; it only grows between two compactions; and a run whose process died asks what one asks that was left
 * alone.
 *
 *   HOLDPOINT_WALK_SEED=7 npx vitest run test/random-contexts.test.ts           this seed, dying at every commit
 *   HOLDPOINT_WALK_SEED=1000 HOLDPOINT_WALK_COUNT=200 npx vitest run …          so many seeds from there on, with a few deaths each
 */

const { HOLDPOINT_WALK_SEED: seedAsked, HOLDPOINT_WALK_COUNT: countAsked } = process.env;
const isLong = seedAsked !== undefined || countAsked !== undefined;
const firstSeed = Number(seedAsked ?? 1);
const seedsOf: { readonly [T in Talk]: number } = { quiet: 9, spoken: 5 };
/** Plays of each seed in which processes die. */
const deaths = countAsked === undefined ? 2 : 4;

/** What is wrong with one prompt. */
function problemsOf(request: LanguageModelV4CallOptions, rules: Rules): string[] {
	const isThere = hasRequest(request.prompt, rules.words[0] ?? "");
	return [
		...promptProblems(request.prompt),
		...(isThere ? [] : ["the user's first request is not there"]),
		...sizeProblems(request, rules),
	];
}

/** Whole, or what is left of it and how much that is not. */
function hasRequest(prompt: LanguageModelV4CallOptions["prompt"], words: string): boolean {
	const first = prompt[1];
	const [part] = first?.role === "user" ? first.content : [];
	if (part?.type !== "text") return false;
	if (part.text === words) return true;
	const match = /^([\s\S]*)\n\[… (\d+) characters are left out here[^\]]*…\]\n([\s\S]*)$/.exec(part.text);
	const [, head = "", left = "", tail = ""] = match ?? [];
	const isOfIt = words.startsWith(head) && words.endsWith(tail);
	return match !== null && isOfIt && head.length + Number(left) + tail.length === words.length;
}

/** What is said at the end of one that asks for a last answer. Tokens. */
const lastNoteMax = 50;

function sizeProblems(request: LanguageModelV4CallOptions, { windowTokens, answerTokens, compactAt }: Rules): string[] {
	const [system, ...messages] = request.prompt;
	const said = messages.reduce((sum, message) => sum + messageTokens(message), 0);
	const tokens = tokenEstimate(system?.content) + tokenEstimate(request.tools ?? []) + said;
	const most = (windowTokens - answerTokens) * compactAt + (request.toolChoice?.type === "none" ? lastNoteMax : 0);
	return tokens <= most ? [] : [`it has ${tokens} tokens, and may have ${most}`];
}

/** Of a play that nobody interrupted: between two compactions a prompt begins with the one before it. */
function growthProblems({ asked, events }: PlayedContext): string[] {
	const prompts = asked.flat();
	const problems: string[] = [];
	let answers = 0;
	let before: LanguageModelV4CallOptions | undefined;
	let isProvidedAnew = false;
	let mayProvide = false;
	for (const { type } of events) {
		if (type === "context.compacted") before = undefined;
		if (type === "context.compacted" || type === "run.started") mayProvide = true;
		if (type === "context.provided") {
			if (!mayProvide) problems.push(`prompt ${answers}: providers were asked, and nothing was compacted`);
			isProvidedAnew = true;
			mayProvide = false;
		}
		if (type !== "model.answered") continue;
		const now = prompts[answers++];
		if (before && now && !hasGrown(before, now, isProvidedAnew))
			problems.push(`prompt ${answers - 1}: it does not begin with the one before`);
		before = now;
		isProvidedAnew = false;
	}
	return answers === prompts.length ? problems : [...problems, `${prompts.length} prompts have ${answers} answers`];
}

function hasGrown(
	before: LanguageModelV4CallOptions,
	now: LanguageModelV4CallOptions,
	isProvidedAnew: boolean,
): boolean {
	// The word that asks for a last answer is no part of the conversation.
	const end = before.toolChoice?.type === "none" ? -1 : undefined;
	const start = isProvidedAnew ? 1 : 0;
	const kept = before.prompt.slice(start, end);
	return JSON.stringify(now.prompt.slice(start, start + kept.length)) === JSON.stringify(kept);
}

/** What a play whose processes died asked, and one that was left alone did not: each goes on where the one before died, or earlier. */
function differences(died: PlayedContext, whole: PlayedContext): string[] {
	const texts = (asked: readonly LanguageModelV4CallOptions[]) =>
		asked.map(({ prompt, tools }) => JSON.stringify([tools, prompt]));
	const all = texts(whole.asked.flat());
	let end = 0;
	for (const [n, asked] of died.asked.map(texts).entries()) {
		const start = asked[0] === undefined ? end : all.indexOf(asked[0]);
		if (start < 0 || start > end)
			return [`process ${n} begins with a prompt that was not next: ${asked[0]?.slice(-600)}`];
		const other = asked.findIndex((text, at) => text !== all[start + at]);
		if (other >= 0) return [`process ${n} asks another prompt ${other}: ${asked[other]?.slice(-600)}`];
		end = start + asked.length;
	}
	return end === all.length ? [] : [`it asked ${end} prompts of ${all.length}`];
}

/** What is said after the last answer that turns allow, the session's next run reads. */
function endProblems(result: RunResult, n: number): string[] {
	if (result.status === "completed" || (result.status === "failed" && result.error.code === "limit.turns")) return [];
	return [`run ${n}: ${JSON.stringify(result).slice(0, 600)}`];
}

function allProblems(played: PlayedContext): string[] {
	const prompts = played.asked.flat().flatMap((request, n) => {
		return problemsOf(request, played.rules).map((problem) => `prompt ${n}: ${problem}`);
	});
	const growth = played.crashes === 0 ? growthProblems(played) : [];
	return [...prompts, ...growth, ...played.results.flatMap(endProblems)];
}

/** What the walks met, for the last test. */
const met = { crashes: 0, prompts: 0, names: new Set<string>() };

function note({ crashes, asked, events }: PlayedContext): void {
	met.crashes += crashes;
	for (const request of asked.flat()) {
		met.prompts++;
		const prompt = JSON.stringify(request.prompt);
		for (const name of ["Pending: ", "[Result of the pending call", "[Cleared to save room", "Pending call: "])
			if (prompt.includes(name)) met.names.add(name);
		if (request.toolChoice?.type === "none") met.names.add("last answer");
	}
	for (const event of events) {
		if (event.type !== "context.compacted") continue;
		met.names.add(event.how);
		if (event.cutTokensMax !== undefined) met.names.add("cut");
		if (event.summary !== undefined) met.names.add("summary");
		if (event.unsummarised !== undefined) met.names.add("no summary");
	}
}

function report(seed: number, talk: Talk, plans: readonly CrashPlan[], problems: readonly string[]): string {
	return [
		`HOLDPOINT_WALK_SEED=${seed} npx vitest run test/random-contexts.test.ts -t "${talk}"`,
		`crashes: ${JSON.stringify(plans)}`,
		...problems.slice(0, 5),
	].join("\n");
}

async function judge(
	seed: number,
	talk: Talk,
	plans: readonly CrashPlan[],
	whole?: PlayedContext,
): Promise<PlayedContext> {
	const said = (problems: readonly string[]) => report(seed, talk, plans, problems);
	const played = await playContext(seed, talk, plans).catch((error: Error) => expect.fail(said([String(error.stack)])));
	const compared = whole && talk === "quiet" ? differences(played, whole) : [];
	const problems = [...allProblems(played), ...compared];
	if (problems.length > 0) expect.fail(said(problems));
	note(played);
	return played;
}

/** Where processes die, some of them twice. */
function plansOf(seed: number, commits: number): CrashPlan[][] {
	const dice = new Dice(seed, 12);
	const when = () => dice.pick(["before", "after"] as const);
	const isEverywhere = isLong && countAsked === undefined;
	const places = isEverywhere
		? Array.from({ length: commits }, (_, n) => n + 1)
		: Array.from({ length: deaths }, () => dice.between(1, commits));
	return places.map((at, n) => {
		const first = { at, when: when() };
		return n % 2 === 1 ? [first, { at: dice.between(1, 5), when: when() }] : [first];
	});
}

describe.each(["quiet", "spoken"] as const)("random conversations within a small window: %s", (talk) => {
	const seeds = Array.from({ length: Number(countAsked ?? (isLong ? 1 : seedsOf[talk])) }, (_, n) => firstSeed + n);
	test.each(seeds)(
		"seed %i",
		async (seed) => {
			const whole = await judge(seed, talk, []);
			for (const plans of plansOf(seed, whole.commits)) await judge(seed, talk, plans, whole);
		},
		isLong ? 600_000 : 60_000,
	);
});

test("the fixed seeds lead everywhere", (context) => {
	if (isLong) return context.skip("other seeds are asked for");
	expect(met.crashes).toBeGreaterThan(25);
	const compactions = ["clear", "fold", "cut", "summary", "no summary", "last answer"];
	const shown = ["Pending: ", "[Result of the pending call", "[Cleared to save room", "Pending call: "];
	expect([...compactions, ...shown].filter((name) => !met.names.has(name))).toEqual([]);
});
