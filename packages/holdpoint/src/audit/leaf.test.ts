import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import type { RehearsedCall, RunEvent } from "../spec/events.ts";
import { runLeaves, splitEvent } from "./leaf.ts";
import { payloadDigest } from "./verifier/payload-digest.ts";

const golden = join(import.meta.dirname, "../run/golden");
const journals = readdirSync(golden).filter((name) => name.endsWith(".json"));

/** Events of a journal that is kept for ever. */
function eventsOf(name: string): readonly RunEvent[] {
	const journal = JSON.parse(readFileSync(join(golden, name), "utf8")) as { readonly entries?: unknown };
	const found: RunEvent[] = [];
	const collect = (value: unknown): void => {
		if (typeof value !== "object" || value === null) return;
		if (Array.isArray(value)) for (const one of value) collect(one);
		else if (typeof (value as RunEvent).type === "string" && /^[a-z]+\.[a-z]+$/.test((value as RunEvent).type))
			found.push(value as RunEvent);
		else for (const one of Object.values(value)) collect(one);
	};
	collect(journal);
	return found;
}

describe("an event parted into facts and payload", () => {
	/**
	 * Payloads are not stored: they are made again from the journal, and must have the digest that a leaf of this version
	 * holds for ever. A change here needs a new `leafVersion`, under which older leaves are parted as before.
	 */
	test("is parted as leaves of version 1 were, for ever", () => {
		const parted = Object.fromEntries(
			journals.map((name) => [name, digest(canonicalJson(eventsOf(name).map((event) => ({ ...splitEvent(event) }))))]),
		);
		expect(parted).toMatchObject({
			"approved-with-edit.json": "zjZLd0jvMZnBTMvxIN63I6X99eFEwp1n4kbDY3FmDqw",
			"cancelled.json": "cgAJ9rDLD8AMPRfOnsWhlGPxxsx8q3lOXDqpSVcXq_Y",
			"hello.json": "hH37K-lCcWbcr-pWaRJcLN40-mhWVjW0wHD1EWwmxjs",
			"parallel-and-failures.json": "73ZarnCRf4yM1tKMlfDs99qe4ZCW5IH1wGb13P94c-Y",
			"pending-while-talking.json": "WZIixR6LiCnnRE8eD6zYBa2L7npIu6sSMLC7PdJmTdg",
			"program-suspended.json": "l4x_bswEMd9q6WD_VlvGJ-8CYEuCA4_owo2JJ1kaBM4",
			"structured-output.json": "3URgI2iZNF_C0EdRjdscegXQ6BCHZTpinkzx4lODqV8",
			"unknown-and-settled.json": "XbzEdOg6fMhP54Ej74SI8pRDAVmnZ4ve1c2zdu1s0Qw",
			"waiting.json": "SDX4apcJILg4TpNs-ONoxcXY3mndFCL-NvTQP2jAJVY",
		});
	});

	test("keeps every field, on one side or the other", () => {
		const events = journals.flatMap(eventsOf);
		expect(new Set(events.map(({ type }) => type)).size).toBeGreaterThan(12);
		for (const event of events) {
			const { facts, payload = "{}" } = splitEvent(event);
			const kept = JSON.parse(payload) as object;
			for (const [name, value] of Object.entries(event))
				expect([facts[name], (kept as Record<string, unknown>)[name]]).toContainEqual(value);
		}
	});

	test("gives what is unknown here to the payload", () => {
		const { facts, payload } = splitEvent({ type: "call.started", call: "c1", attempt: 1, later: "x" } as never);
		expect(facts).toEqual({ type: "call.started", call: "c1", attempt: 1 });
		expect(payload).toBe('{"later":"x"}');
	});
});

describe("leaves of a run", () => {
	const madeBy = () => ({ tool: "pay" });
	const boundTo = (call: string, { args }: RehearsedCall) => `digest-${call}-${JSON.stringify(args)}`;
	const decided = (bound: string): RunEvent => ({
		type: "call.decided",
		call: "c1",
		verdict: "ask",
		policy: "p",
		digest: bound,
	});
	const leaf = (body: string) => JSON.parse(body) as { n: number; event: Record<string, unknown>; payload?: string };

	test("number what follows from arguments, and say it nowhere", () => {
		const made = runLeaves("r", boundTo).leaves(
			1,
			[decided("digest-a"), decided("digest-b"), decided("digest-a")].map((event) => ({ at: 1, event })),
			madeBy,
		);
		expect(made.map(({ body }) => leaf(body).event["bound"])).toEqual([1, 2, 1]);
		expect(made.map(({ body }) => leaf(body).n)).toEqual([1, 2, 3]);
		expect(JSON.stringify(made)).not.toContain("digest-");
	});

	test("go on with the same numbers after events that are there already", () => {
		const leaves = runLeaves("r", boundTo);
		leaves.pass([decided("digest-a")]);
		const [made] = leaves.leaves(2, [{ at: 1, event: decided("digest-a") }], madeBy);
		expect(leaf(made?.body ?? "")).toMatchObject({ n: 2, event: { bound: 1, tool: "pay" } });
	});

	test("say which of the calls that were foreseen a decision is about, also after a pause, and nothing of others", () => {
		const row = (args: number): RehearsedCall => ({ tool: "pay", version: "1", args, verdict: "ask" }) as RehearsedCall;
		const foresees: RunEvent = {
			type: "program.rehearsed",
			call: "c1",
			rows: [row(1), row(2)],
			reads: 0,
			end: "returned",
		} as never;
		const of = (call: string, args: number) => ({ ...decided(`digest-${call}-${args}`), call }) as RunEvent;
		const leaves = runLeaves("r", boundTo);
		leaves.pass([of("c1", 1), foresees]);
		const made = leaves.leaves(
			2,
			[of("c1.1", 2), of("c1.2", 1), of("c1.3", 9), of("c2.1", 1)].map((event) => ({ at: 1, event })),
			madeBy,
		);
		expect(made.map(({ body }) => leaf(body).event["content"])).toEqual([2, 1, 0, undefined]);
	});

	test("have a salt of their own each, so that two same payloads have two digests", () => {
		const event: RunEvent = { type: "output.rejected", issues: "no" };
		const made = runLeaves("r", boundTo).leaves(
			1,
			Array.from({ length: 1_000 }, () => ({ at: 1, event })),
			madeBy,
		);
		expect(new Set(made.map(({ salt }) => salt)).size).toBe(1_000);
		for (const { body, salt = "" } of made) {
			expect(salt).toMatch(/^[\w-]{22}$/);
			expect(leaf(body).payload).toBe(payloadDigest(salt, '{"issues":"no"}'));
		}
	});

	test("have one text, whatever their roles are called: what is parsed is written again as it was", () => {
		const ask = { roles: ["10", "9"], counts: { "10": 2, "9": 1, b: 1 } };
		const event: RunEvent = { type: "approval.requested", approval: "a", call: "c1", expiresAt: 5, ...ask };
		const [made] = runLeaves("r", boundTo).leaves(1, [{ at: 1, event }], madeBy);
		expect(JSON.stringify(JSON.parse(made?.body ?? ""))).toBe(made?.body);
		expect(leaf(made?.body ?? "").event["counts"]).toEqual([
			["10", 2],
			["9", 1],
			["b", 1],
		]);
	});
});
