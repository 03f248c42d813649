import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineTeam } from "../routing/handoff.ts";
import type { Agent } from "../spec/agent.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { ModelDelta } from "../spec/model.ts";
import { auditKey, auditSigner, exportOf, verifyLines } from "../testing/audit-scene.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { onlyWait, type Stage, stage } from "../testing/stage.ts";
import { call, program, say } from "../testing/story.ts";
import { type Cast, teamStage } from "../testing/team-stage.ts";
import { traceRecorder } from "../testing/trace-recorder.ts";
import { webhookReceiver, webhookSecret } from "../testing/webhook-receiver.ts";
import { defineTool } from "../tools/define-tool.ts";
import { Redactor } from "./redactor.ts";

const email = "jane@example.org";
const password = 'tr0ub4dor"&3';
const token = "tok-4711-secret";

function scene(story: Parameters<typeof stage>[0]["story"], over: Partial<Parameters<typeof stage>[0]> = {}) {
	const got: unknown[] = [];
	const signUp = defineTool({
		name: "sign_up",
		description: "Makes an account.",
		input: z.object({
			plan: z.string(),
			email: z.string().meta({ sensitive: "personal" }),
			password: z.string().meta({ sensitive: "secret" }).optional(),
			people: z.array(z.object({ name: z.string().meta({ sensitive: "personal" }), age: z.int() })).default([]),
		}),
		output: z.object({ account: z.int(), token: z.string().meta({ sensitive: "secret" }) }),
		execute: (args) => {
			got.push(args);
			return { account: 7, token };
		},
	});
	const played = stage({
		story,
		tools: [signUp],
		harness: { policy: () => ({ verdict: "ask", reason: "a new account" }), audit: { key: auditSigner.secretText } },
		...over,
	});
	return { played, got };
}

const args = { plan: "basic", email, password, people: [{ name: "Jane Roe", age: 40 }] };
const story = [call("sign_up", args), say(`Done for ${email}, token ${token}.`)];
const sensitive = [email, password, JSON.stringify(password).slice(1, -1), token, "Jane Roe"];
const found = (shown: unknown, words: readonly string[] = sensitive) => {
	const text = JSON.stringify(shown);
	return words.filter((word) => text.includes(JSON.stringify(word).slice(1, -1)));
};

async function played(scene: Stage) {
	const events: RunEvent[] = [];
	const deltas: ModelDelta[] = [];
	const watch = {
		onEvent: (event: RunEvent) => void events.push(event),
		onDelta: (delta: ModelDelta) => void deltas.push(delta),
	};
	const { approval } = onlyWait(
		await scene.harness.run(scene.agent, "sign her up", { runId: "r1", ...watch }),
		"approval",
	);
	const [open] = await scene.harness.approvals();
	await scene.harness.approve(approval, { by: { id: "ann", via: "test" } });
	const result = await scene.harness.resume("r1", watch);
	return { events, deltas, open, result };
}

describe("what a tool's schemas mark", () => {
	test("is seen by the tool, the model and the journal, and by no observer", async () => {
		const { played: stage, got } = scene(story);
		const { events, deltas, result } = await played(stage);
		expect(got).toEqual([args]);
		expect(found(stage.prompts.at(-1), [email, token])).toEqual([email, token]);
		expect(found(await stage.events("r1")).length).toBeGreaterThan(3);
		expect(result.text).toContain(email);
		expect(found(events)).toEqual([]);
		expect(found(deltas)).toEqual([]);
		expect(JSON.stringify(events)).toContain(
			'{\\"plan\\":\\"basic\\",\\"email\\":\\"[personal]\\",\\"password\\":\\"[secret]\\",\\"people\\":[{\\"name\\":\\"[personal]\\",\\"age\\":40}]}',
		);
		expect(events.find(({ type }) => type === "call.finished")).toMatchObject({
			outcome: { ok: { account: 7, token: "[secret]" } },
		});
		expect(events.findLast(({ type }) => type === "model.answered")).toMatchObject({
			content: [{ type: "text", text: "Done for [personal], token [secret]." }],
		});
	});

	test("is shown to those who approve where it is personal, and not where it is secret", async () => {
		const { open } = await played(scene(story).played);
		expect(open?.args).toEqual({ ...args, password: "[secret]" });
	});

	test("is not in an export with payloads; what is shown in its place is no proof, and gives no salt", async () => {
		const { played: stage } = scene(story);
		await played(stage);
		const lines = await exportOf(stage, { payloads: true });
		expect(found(lines)).toEqual([]);
		expect(lines.join("\n")).toContain("[personal]");
		expect(lines.filter((line) => line.includes('"shown"') && line.includes('"salt"'))).toEqual([]);
		expect(await verifyLines(lines, { key: auditKey })).toMatchObject({ ok: true, executions: 1 });
		const proof = await stage.harness.audit.prove({ run: "r1", event: 2 }, { payloads: true });
		expect(found(proof)).toEqual([]);
		expect(proof).toHaveProperty("shown");
	});

	test("stays hidden in the session's next run: for observers, readers, people, webhooks and traces", async () => {
		await using there = await webhookReceiver();
		const recorder = traceRecorder();
		const said = `Again: ${email}, ${token}.`;
		const policy = ({ args: asked }: { readonly args: unknown }) =>
			JSON.stringify(asked).includes("basic")
				? ({ verdict: "allow" } as const)
				: ({ verdict: "ask", reason: `for ${password}` } as const);
		const { played: stage } = scene(
			[...story, call("sign_up", { plan: `not ${password}`, email: "x@y.zz" }), say(said)],
			{
				harness: {
					policy,
					tracing: { exporters: [recorder], content: true },
					audit: { key: auditSigner.secretText },
					webhooks: [{ url: there.url, secret: webhookSecret, payload: "arguments", events: ["approval.requested"] }],
				},
			},
		);
		const session = stage.harness.session("s1", stage.agent);
		await session.send("sign her up");
		const events: RunEvent[] = [];
		const watch = { onEvent: (event: RunEvent) => void events.push(event) };
		const waiting = await session.send(`once more, with ${email}`, watch);
		const [open] = await stage.harness.approvals();
		expect(found(open, [password])).toEqual([]);
		await stage.harness.webhooks.deliver();
		expect(there.received).toHaveLength(1);
		expect(found(there.received, [password])).toEqual([]);
		await stage.harness.approve(onlyWait(waiting, "approval").approval, { by: { id: "ann", via: "test" } });
		await stage.harness.resume(waiting.run, watch);
		const { events: kept, redactor } = await stage.harness.show(waiting.run);
		expect(found(kept)).not.toEqual([]);
		expect(found(kept.map(({ event }) => redactor.event(event)))).toEqual([]);
		expect(found(events)).toEqual([]);
		expect(found(await exportOf(stage, { payloads: true }))).toEqual([]);
		await stage.harness.close();
		expect(JSON.stringify(recorder.spans)).toContain("Again: [personal], [secret].");
		expect(found(recorder.spans)).toEqual([]);
	});

	test("is hidden where it came in a result that lies beside the journal: live, after a resume, and in the next run", async () => {
		await using there = await webhookReceiver();
		const look = defineTool({
			name: "look",
			description: "Looks.",
			input: z.object({}),
			output: z.object({ card: z.string().meta({ sensitive: "secret" }), pad: z.string() }),
			effect: "read",
			execute: () => ({ card: token, pad: "x".repeat(20_000) }),
		});
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: z.object({ memo: z.string() }),
			effect: "write",
			execute: () => true,
		});
		const asked = call("pay", { memo: `for ${token}` });
		const recorders = [traceRecorder(), traceRecorder()];
		const [first, second] = recorders.map((exporter) => ({
			policy: ({ tool }: { readonly tool: { readonly name: string } }) =>
				tool.name === "pay" ? ({ verdict: "ask", reason: `pay ${token}` } as const) : ({ verdict: "allow" } as const),
			tracing: { exporters: [exporter], content: true },
			audit: { key: auditSigner.secretText },
			webhooks: [
				{
					url: there.url,
					secret: webhookSecret,
					payload: "arguments" as const,
					events: ["approval.requested" as const],
				},
			],
		}));
		const stories = [call("look"), asked, say(`Paid ${token}.`), asked, say(`Again ${token}.`)];
		const scene = stage({ story: stories, tools: [look, pay], harness: first ?? {} });
		const events: RunEvent[] = [];
		const watch = { onEvent: (event: RunEvent) => void events.push(event) };
		const waiting = await scene.harness.session("s1", scene.agent).send("go", watch);
		expect(found(await scene.harness.approvals(), [token])).toEqual([]);
		await scene.harness.webhooks.deliver();
		await scene.harness.approve(onlyWait(waiting, "approval").approval, { by: { id: "ann", via: "test" } });
		const other = scene.again({ harness: second ?? {} });
		await other.harness.resume(waiting.run, watch);
		const next = await other.harness.session("s1", other.agent).send("once more", watch);
		await other.harness.webhooks.deliver();
		expect(found(await other.harness.approvals(), [token])).toEqual([]);
		expect(found(await exportOf(other, { payloads: true }), [token])).toEqual([]);
		for (const run of [waiting.run, next.run]) {
			const view = await other.harness.show(run);
			expect(found(view.events, [token])).toEqual([token]);
			expect(
				found(
					view.events.map(({ event }) => view.redactor.event(event)),
					[token],
				),
			).toEqual([]);
		}
		await scene.harness.close();
		await other.harness.close();
		expect(there.received).toHaveLength(2);
		expect(found(there.received, [token])).toEqual([]);
		expect(events.filter(({ type }) => type === "model.answered")).toHaveLength(4);
		expect(found(events, [token])).toEqual([]);
		for (const { spans } of recorders) {
			expect(JSON.stringify(spans)).toContain("[secret]");
			expect(found(spans, [token])).toEqual([]);
		}
	});

	test("is hidden after a resume in another process, too: the journal says what is marked", async () => {
		const { played: stage } = scene(story);
		const { approval } = onlyWait(await stage.harness.run(stage.agent, "go", { runId: "r1" }), "approval");
		const other = stage.again();
		await other.harness.approve(approval, { by: { id: "ann", via: "test" } });
		const events: RunEvent[] = [];
		await other.harness.resume("r1", { onEvent: (event) => void events.push(event) });
		expect(found(events)).toEqual([]);
		expect(events.length).toBeGreaterThan(3);
	});

	test("is hidden in what an approver changes, and in what does not fit the schema", async () => {
		const { played: stage } = scene([call("sign_up", { plan: 5, email }), call("sign_up", args), say("done")]);
		const events: RunEvent[] = [];
		const onEvent = (event: RunEvent) => void events.push(event);
		const { approval } = onlyWait(await stage.harness.run(stage.agent, "go", { runId: "r1", onEvent }), "approval");
		const changed = { ...args, email: "other@example.org" };
		await stage.harness.approve(approval, { by: { id: "ann", via: "test" }, args: changed });
		await stage.harness.resume("r1", { onEvent });
		expect(found(events, [...sensitive, "other@example.org"])).toEqual([]);
		expect(JSON.stringify(events)).toContain("[hidden: it may repeat");
	});

	test("a call that marks nothing costs nothing: its events are the journal's own objects", async () => {
		const redactor = new Redactor("all");
		const event: RunEvent = { type: "call.finished", call: "c1", outcome: { ok: "x" } };
		redactor.learn(event, new Map());
		expect(redactor.event(event)).toBe(event);
	});
});

test("what a program holds is hidden once its calls have said what it is", async () => {
	const code = `return await tools.sign_up(${JSON.stringify(args)});`;
	const sandbox = sandboxUnderTest();
	const { played: stage } = scene([program(code), say("done")], {
		programs: {},
		harness: { sandbox, policy: () => ({ verdict: "allow" }) },
	});
	await stage.harness.run(stage.agent, "go", { runId: "r1" });
	const view = await stage.harness.show("r1");
	expect(found(view.events.map(({ event }) => event)).length).toBeGreaterThan(2);
	expect(found(view.events.map(({ event }) => view.redactor.event(event)))).toEqual([]);
	await stage.harness.close();
});

test("a sensitive text is hidden as a whole, also where a part of it is sensitive too", () => {
	const events = [
		{ type: "run.started", marks: { pay: { args: { "/pin": "secret", "/card": "secret" } } } },
		{ type: "call.asked", call: "c1", tool: "pay", args: { pin: "1234", card: "1234567812345678" } },
		{ type: "call.asked", call: "c2", tool: "pay", args: { pin: "9999", card: "9999567812345678123456" } },
	] as unknown as RunEvent[];
	const redactor = Redactor.of({ events: events.slice(0, 2), values: new Map() }, "all");
	expect(redactor.text("card 1234567812345678, pin 1234")).toBe("card [secret], pin [secret]");
	redactor.learn(events[2] as RunEvent, new Map());
	expect(redactor.text("card 9999567812345678123456")).toBe("card [secret]");
});

describe("what is said again", () => {
	const learned = (...words: readonly string[]) => {
		const started = { type: "run.started", marks: { pay: { args: { "/*": "secret" } } } };
		const asked = { type: "call.asked", call: "c1.1", tool: "pay", args: { ...words } };
		return Redactor.of({ events: [started, asked] as unknown as RunEvent[], values: new Map() }, "all");
	};
	const answered = (...content: readonly unknown[]) => ({ type: "model.answered", content }) as unknown as RunEvent;

	test.each([
		["Müller", '{"text":"M\\u00fcller"}'],
		["https://x/tok123", '{"text":"https:\\/\\/x\\/tok123"}'],
		["12 Main St\nTown", JSON.stringify({ code: `f(${JSON.stringify("12 Main St\nTown")})` })],
		[password, JSON.stringify({ text: JSON.stringify({ text: password }) })],
	])("is hidden in what a model writes as JSON, however it is escaped: %j", (word, input) => {
		const part = { type: "tool-call", toolCallId: "x", toolName: "note", input };
		const [shown] = (learned(word).event(answered(part)) as unknown as { content: { input: string }[] }).content;
		expect(JSON.parse(shown?.input ?? "")).toEqual({ [Object.keys(JSON.parse(input))[0] ?? ""]: expect.anything() });
		expect(shown?.input).toMatch(/\[secret\]/);
		expect(shown?.input).not.toMatch(/ller|tok123|Main|tr0ub4dor/);
	});

	test("is hidden in JSON that a result has as a text, and in what a provider's own tool gave", () => {
		const redactor = learned(password, email);
		const ok = { text: JSON.stringify({ inner: JSON.stringify([password]) }) };
		const finished = redactor.event({ type: "call.finished", call: "c9", outcome: { ok } });
		const given = answered({ type: "tool-result", toolCallId: "x", toolName: "search", result: { hits: [email] } });
		expect(found([finished, redactor.event(given)], ["tr0ub4dor", email])).toEqual([]);
		expect(redactor.event(given)).toMatchObject({ content: [{ result: { hits: ["[secret]"] } }] });
	});
});

test("any value at a marked place is hidden, whatever else is there", async () => {
	const place = fc.constantFrom("/a", "/a/*", "/b/c", "/b/*/d", "");
	await fc.assert(
		fc.property(fc.jsonValue(), place, (value, marked) => {
			const redactor = new Redactor("all");
			const started = { type: "run.started", marks: { t: { args: { [marked]: "secret" } } } };
			redactor.learn(started as unknown as RunEvent, new Map());
			const word = "a-very-secret-word";
			const args = planted(value as Json, marked.split("/").slice(1), word);
			const event = { type: "call.asked", call: "c1.1", parent: "c1", tool: "t", args, line: 1 } as RunEvent;
			redactor.learn(event, new Map());
			expect(JSON.stringify(redactor.event(event))).not.toContain(word);
		}),
	);
});

/** The value with the word at this place. */
function planted(value: Json, [step, ...steps]: readonly string[], word: string): Json {
	if (step === undefined) return word;
	const base = typeof value === "object" && value !== null ? value : {};
	const key = step === "*" ? (Object.keys(base)[0] ?? "k") : step;
	const inner = planted((base as { readonly [key: string]: Json })[key] ?? null, steps, word);
	return Array.isArray(base) && step === "*" ? [inner, ...base.slice(1)] : { ...base, [key]: inner };
}

describe("in a team", () => {
	const card = "4111111111111111";
	const look = (mark: { readonly [field: string]: "secret" | "personal" }) =>
		defineTool({
			name: "look",
			description: "Looks.",
			effect: "read",
			input: z.object({}),
			output: z.object({
				card: z.string().meta(mark["card"] ? { sensitive: mark["card"] } : {}),
				name: z.string().meta(mark["name"] ? { sensitive: mark["name"] } : {}),
			}),
			execute: () => ({ card, name: "Ann Smith" }),
		});
	const shown = async (cast: Cast) => {
		const events: RunEvent[] = [];
		const { harness, team } = teamStage({
			cast,
			team: ({ desk, clerk }) =>
				defineTeam({ name: "shop", participants: [desk as Agent, clerk as Agent], coordinator: "desk" }),
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		await harness.run(team, "go", { onEvent: (event) => void events.push(event) });
		return JSON.stringify(events);
	};
	const to = (words: object) => call("handoff_to_clerk", { reason: "it is yours", ...words });

	test("the words of a handoff hide it, too", async () => {
		const events = await shown({
			desk: { tools: [look({ card: "secret" })], story: [call("look"), to({ reason: `pay ${card}`, summary: card })] },
			clerk: [say(`Is ${card} yours?`)],
		});
		expect(events).toContain('"type":"run.handed"');
		expect(events).toContain('"reason":"pay [secret]","summary":"[secret]"');
		expect(events).not.toContain(card);
	});

	test("of tools with one name what either marks is hidden, and as either says that it is strictly", async () => {
		const events = await shown({
			desk: { tools: [look({ card: "secret", name: "personal" })], story: [call("look"), to({})] },
			clerk: { tools: [look({ card: "personal" })], story: [call("look"), say("Found.")] },
		});
		expect(events.match(/"ok":\{[^}]*\}/g)?.slice(0, 1)).toEqual(['"ok":{"card":"[secret]","name":"[personal]"}']);
		expect(events).not.toMatch(/4111|Ann Smith|"card":"\[personal/);
	});
});

/** Fields of the events, from the text of the vocabulary: what is added there is looked at here. */
function fieldsOfEvents(): (readonly [type: string, fields: string[]])[] {
	const read = (name: string) => readFileSync(new URL(`../spec/${name}.ts`, import.meta.url), "utf8");
	const source = `${read("events")}\n${read("team-events")}\n${read("context-events")}`;
	return [...source.matchAll(/^export interface \w+ (?:extends \w+ )?\{\n([\s\S]*?)^\}/gm)].flatMap(([, body = ""]) => {
		const [, type] = /^\treadonly type: "([a-z.]+)";/m.exec(body) ?? [];
		const fields = [...body.matchAll(/^\treadonly (\w+)\??: (?!true;|number;)/gm)].map(([, name = ""]) => name);
		return type === undefined ? [] : [[type, fields.filter((name) => name !== "type")] as const];
	});
}

test("every field of every event hides a marked text, but for those that are named as no words", () => {
	const word = "a-very-secret-word";
	const redactor = new Redactor("all");
	for (const event of [
		{ type: "run.started", marks: { t: { args: { "": "secret" } } } },
		{ type: "call.asked", call: "c1.1", parent: "c1", tool: "t", args: word, line: 1 },
	])
		redactor.learn(event as unknown as RunEvent, new Map());
	const hidden = fieldsOfEvents().flatMap(([type, fields]) => {
		const wordsIn = fields.filter((name) => {
			const values: { readonly [name: string]: unknown } = {
				content: [{ type: "text", text: word }],
				rows: [{ tool: "x", args: { x: word } }],
				always: { scope: "agent", args: { x: word } },
			};
			const event = { type, call: "c9", outcome: {}, content: [], rows: [], [name]: values[name] ?? { failed: word } };
			return !JSON.stringify(redactor.event(event as unknown as RunEvent)).includes(word);
		});
		return wordsIn.length > 0 ? [[type, wordsIn.join(" ")] as const] : [];
	});
	expect(Object.fromEntries(hidden)).toEqual({
		"run.started": "input",
		"run.resumed": "changes",
		"message.received": "text",
		"run.handed": "reason summary",
		"agent.continued": "prompt",
		"agent.done": "answer",
		"agent.started": "input",
		"user.asked": "text",
		"model.answered": "content unmade",
		"output.rejected": "issues",
		"context.provided": "parts failed",
		"context.compacted": "summary unsummarised",
		"todos.set": "todos",
		"call.asked": "args unreadable",
		"call.decided": "reason args",
		"call.finished": "outcome",
		"call.settled": "outcome",
		"approval.resolved": "reason args always",
		"approval.refused": "why",
		"program.started": "body",
		"program.suspended": "console",
		"program.rehearsed": "rows why",
		"program.restored": "why",
		"timer.set": "why",
		"cancel.requested": "reason",
		"signal.ignored": "why",
		"run.finished": "output error",
	});
});
