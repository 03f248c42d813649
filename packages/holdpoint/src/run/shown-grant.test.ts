import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Grant, GrantTerms, Standing } from "../spec/governance.ts";
import { auditSigner, exportOf } from "../testing/audit-scene.ts";
import { ofType, onlyWait, stage } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { webhookReceiver, webhookSecret } from "../testing/webhook-receiver.ts";
import { defineTool } from "../tools/define-tool.ts";
import { shownGrant } from "./shown-grant.ts";

const args = { cents: 900, email: "jane@example.org", card: { number: "4000-1234", pin: 7788 }, tags: ["vip-jane"] };
const words = ["jane", "4000-1234", "7788", "joe@example.org"];
const found = (shown: unknown) => words.filter((word) => JSON.stringify(shown).includes(word));

function payStage(over: Partial<Parameters<typeof stage>[0]> = {}) {
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({
			cents: z.int(),
			email: z.string().meta({ sensitive: "personal" }),
			card: z.object({ number: z.string(), pin: z.int() }).meta({ sensitive: "secret" }),
			tags: z.array(z.string().meta({ sensitive: "personal" })),
		}),
		execute: () => "paid",
	});
	const { harness, ...rest } = over;
	return stage({
		story: ({ messages, results }) =>
			results.length > 0 ? say("done") : call("pay", { ...args, ...JSON.parse(lastText(messages)) }),
		tools: [pay],
		harness: {
			policy: () => ({ verdict: "ask", reason: "money" }),
			audit: { key: auditSigner.secretText },
			...harness,
		},
		...rest,
	});
}

function lastText(messages: readonly { readonly role: string; readonly content: unknown }[]): string {
	const content = messages.findLast(({ role }) => role === "user")?.content as readonly { readonly text: string }[];
	return content[0]?.text ?? "{}";
}

const always: GrantTerms = { scope: "principal", args: { email: { in: ["jane@example.org", "joe@example.org"] } } };
const by = { id: "ann", via: "test" };

async function granted(scene = payStage()) {
	const events: RunEvent[] = [];
	const onEvent = (event: RunEvent) => void events.push(event);
	const { approval, run } = { run: "r1", ...onlyWait(await start(scene, {}, "r1"), "approval") };
	await scene.harness.approve(approval, { by, always });
	await scene.harness.resume(run, { onEvent });
	return { scene, events };
}

const start = (scene: ReturnType<typeof payStage>, over: object, runId: string) =>
	scene.harness.run(scene.agent, JSON.stringify(over), { runId, principal: "kim" });

describe("what the tool of a grant marks", () => {
	test("is shown to nobody who lists grants, and is judged by what it really is", async () => {
		const { scene } = await granted();
		const standing = await scene.harness.governance.standing();
		expect(standing.grants).toMatchObject([
			{
				args: {
					cents: { is: 900 },
					email: { in: ["[personal]", "[personal]"] },
					card: { is: "[secret]" },
					tags: { is: ["[personal]"] },
				},
			},
		]);
		expect(found(standing)).toEqual([]);
		expect(await start(scene, { email: "joe@example.org" }, "r2")).toMatchObject({ status: "completed" });
		expect(await start(scene, { email: "eve@example.org" }, "r3")).toMatchObject({ status: "waiting" });
		expect(await start(scene, { email: "[personal]" }, "r4")).toMatchObject({ status: "waiting" });
	});

	test("also where nobody knows the agent, and where its tool marked nothing when it was given", async () => {
		const { scene } = await granted();
		const stranger = payStage({ store: scene.store, clock: scene.clock, harness: { agents: [] } });
		expect(found(await stranger.harness.governance.standing())).toEqual([]);
		const [grant] = (await scene.harness.governance.standing()).grants;
		const { marks: _, ...unmarked } = { ...grant, args: { email: { is: "jane@example.org" } } } as Grant;
		expect(shownGrant(unmarked, { "/email": "personal" }).args).toEqual({ email: { is: "[personal]" } });
		expect(shownGrant(unmarked, undefined)).toBe(unmarked);
	});

	test("is not in the event of the answer that granted it, for observers and in exports", async () => {
		const { scene, events } = await granted();
		const [answer] = ofType(events, "approval.resolved");
		expect(answer?.always).toEqual({ scope: "principal", args: { email: { in: ["[personal]", "[personal]"] } } });
		expect(found(events)).toEqual([]);
		expect(found(await exportOf(scene, { payloads: true }))).toEqual([]);
		expect(found(ofType(await scene.events("r1"), "approval.resolved"))).toContain("joe@example.org");
	});

	test("is taken out of what is said later, though no call had it", async () => {
		const scene = payStage();
		const story = payStage({
			store: scene.store,
			clock: scene.clock,
			story: ({ results }) => (results.length > 0 ? say("Next time it may go to joe@example.org.") : call("pay", args)),
		});
		const { events } = await granted(story as ReturnType<typeof payStage>);
		expect(found(events)).toEqual([]);
		expect(JSON.stringify(ofType(events, "run.finished"))).toContain("Next time it may go to [personal].");
	});
});

const grantOf = (given: Grant["args"], marks: Grant["marks"]): Grant =>
	({ args: given, ...(marks ? { marks } : {}) }) as Grant;

test.each<[string, Grant["args"], NonNullable<Grant["marks"]>, Grant["args"]]>([
	["a bound of a number", { pay: { min: 1, max: 5_000 } }, { "/pay": "personal" }, { pay: { is: "[personal]" } }],
	["a bound of another one", { pay: { max: 5 } }, { "/other": "personal" }, { pay: { max: 5 } }],
	["any value", { pay: "any" }, { "/pay": "secret" }, { pay: "any" }],
	[
		"below a field",
		{ to: { is: { name: "x", no: 1 } } },
		{ "/to/name": "secret" },
		{ to: { is: { name: "[secret]", no: 1 } } },
	],
	["all arguments", { a: { is: 1 }, b: "any" }, { "": "secret" }, { "*": { is: "[secret]" } }],
	["any field", { a: { in: [1, 2] } }, { "/*": "personal" }, { a: { in: ["[personal]", "[personal]"] } }],
	[
		"a field named __proto__",
		JSON.parse('{"__proto__":{"is":1}}'),
		{ "/__proto__": "secret" },
		JSON.parse('{"__proto__":{"is":"[secret]"}}'),
	],
])("%s", (_, given, marks, shown) => {
	expect(JSON.stringify(shownGrant(grantOf(given, marks), undefined).args)).toBe(JSON.stringify(shown));
});

test("a webhook that asks for arguments is told whom a call is about, and no secret", async () => {
	await using there = await webhookReceiver();
	const events = ["approval.requested"] as const;
	const webhooks = [{ url: there.url, secret: webhookSecret, payload: "arguments", events } as const];
	const scene = payStage({ store: memoryStore(), harness: { webhooks } });
	await start(scene, {}, "r1");
	await scene.harness.webhooks.deliver();
	expect(there.received.map(({ data }) => data.args)).toEqual([{ ...args, card: "[secret]" }]);
	await scene.harness.close();
});

test("the document keeps what is judged", async () => {
	const { scene } = await granted();
	const document = await scene.store.document("standing");
	const body = document && document !== "unchanged" ? document.body : "";
	const { grants } = JSON.parse(body.slice(body.indexOf(" ") + 1)) as Standing;
	expect(found(grants)).toEqual(words);
});
