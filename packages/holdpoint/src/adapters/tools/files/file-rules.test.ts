import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHarness } from "../../../holdpoint.ts";
import type { PolicyLike } from "../../../policy/decide.ts";
import { defineAgent } from "../../../run/define-agent.ts";
import type { Decision, PolicyRequest } from "../../../spec/policy.ts";
import type { ToolContext } from "../../../spec/tool.ts";
import { scriptedModel } from "../../../testing/scripted-model.ts";
import { say, call as says } from "../../../testing/story.ts";
import { callTool, type FileScene, fileScene } from "./file-scene.ts";
import { type FileRule, fileTools } from "./file-tools.ts";

let scene: FileScene;
beforeEach(() => {
	scene = fileScene();
	scene.put("desk/private/b.md", "private\n");
	scene.put("desk/secret/c.md", "secret\n");
});
afterEach(() => scene.close());

const rules: readonly FileRule[] = [
	{ path: "secret/**", read: "deny", write: "deny" },
	{ path: "notes/**", write: "allow" },
	{ path: "private/**", read: "ask", write: "deny" },
	{ path: "**/*.md", write: "ask" },
];

function desk(own?: PolicyLike) {
	const files = fileTools({ root: scene.desk, rules });
	const policy = files.policy(own);
	const decide = (name: string, args: object): Decision => {
		const tool = files.tools.find((each) => each.name === name) ?? { name, version: "1", effect: "write", tags: [] };
		const { version, effect, tags } = tool;
		const facts = { run: "r", call: "c", principal: "p", tenant: undefined, session: undefined, agent: "a", depth: 0 };
		const request = {
			...facts,
			provenance: { via: "model" },
			tool: { name, version, effect, tags },
			args,
			approvedBy: [],
		};
		return policy.decide(request as unknown as PolicyRequest) as Decision;
	};
	return { files, policy, decide, verdict: (name: string, args: object) => decide(name, args).verdict };
}

describe("rules of files are a policy", () => {
	test("the first that speaks of a path decides; where none does, the effect class", () => {
		const { verdict, decide } = desk();
		expect(verdict("read_file", { path: "notes/a.md" })).toBe("allow");
		expect(verdict("write_file", { path: "notes/a.md", text: "" })).toBe("allow");
		expect(verdict("write_file", { path: "other.md", text: "" })).toBe("ask");
		expect(verdict("write_file", { path: "other.txt", text: "" })).toBe("ask");
		expect(verdict("delete_file", { path: "notes/a.md" })).toBe("allow");
		expect(decide("delete_file", { path: "other.txt" })).toMatchObject({ verdict: "ask", ask: { count: 2 } });
		expect(decide("delete_file", { path: "other.md" })).toMatchObject({ verdict: "ask", ask: { count: 2 } });
		expect(verdict("read_file", { path: "private/b.md" })).toBe("ask");
		expect(verdict("list_files", { path: "private" })).toBe("ask");
		expect(verdict("list_files", {})).toBe("allow");
		expect(verdict("read_file", { path: "secret/c.md" })).toBe("deny");
		expect(verdict("pay", {})).toBe("ask");
	});

	test("only what is allowed must be named exactly", () => {
		const { verdict } = desk();
		expect(verdict("read_file", { path: "SECRET/c.md" })).toBe("deny");
		expect(verdict("write_file", { path: "Notes/a.txt", text: "" })).toBe("ask");
		expect(verdict("read_file", { path: "ｐrivate/x" })).toBe("ask");
	});

	test("what is denied or asked of a folder holds for what is below, what is allowed for itself alone", async () => {
		const { tools, policy } = fileTools({
			root: scene.desk,
			rules: [
				{ path: "secret", read: "deny", write: "deny" },
				{ path: "private", write: "ask" },
				{ path: "notes", write: "allow" },
			],
		});
		await expect(callTool(tools, "read_file", { path: "Secret/c.md" })).rejects.toThrow("a rule denies it");
		await expect(callTool(tools, "write_file", { path: "secret/c.md", text: "" })).rejects.toThrow("a rule denies it");
		expect(await callTool(tools, "search_files", { text: "secret" })).toEqual({ matches: [] });
		const request = (path: string) => ({
			tool: { name: "write_file", effect: "destructive" },
			args: { path },
			run: "r",
		});
		const reason = (path: string) => (policy().decide(request(path) as never) as Decision).reason;
		expect(reason("private/b.md")).toBe("A rule of files says ask to changing private/b.md");
		expect(reason("notes/a.md")).toBe("write_file cannot be undone");
	});

	test("nobody is asked about a path that could only fail", () => {
		const { decide } = desk();
		expect(decide("write_file", { path: "../x", text: "" })).toMatchObject({ verdict: "deny" });
		expect(decide("write_file", { path: ".holdpoint/x", text: "" })).toMatchObject({ verdict: "deny" });
		expect(decide("write_file", { path: 7, text: "" })).toMatchObject({ verdict: "deny" });
	});

	test("no rule loosens what a policy of one's own says, and none of its words is lost", async () => {
		const own = (verdict: Decision["verdict"]) => desk(() => ({ verdict, reason: "own" }));
		expect(own("deny").verdict("write_file", { path: "notes/a.md", text: "" })).toBe("deny");
		expect(own("ask").verdict("write_file", { path: "notes/a.md", text: "" })).toBe("ask");
		expect(own("allow").verdict("write_file", { path: "other.md", text: "" })).toBe("ask");
		expect(own("allow").verdict("read_file", { path: "secret/c.md" })).toBe("deny");
		expect(own("allow").verdict("pay", {})).toBe("allow");
		const late = desk(async () => ({ verdict: "allow" }));
		expect(await late.decide("read_file", { path: "secret/c.md" })).toMatchObject({ verdict: "deny" });
		const broken = desk(() => "yes" as never);
		expect(broken.verdict("write_file", { path: "notes/a.md", text: "" })).toBe("deny");
	});

	test("a read that may ask says so before a program starts", () => {
		const { policy, files } = desk();
		const facts = (name: string) => {
			const tool = files.tools.find((each) => each.name === name);
			if (!tool) throw new Error(name);
			return { agent: "a", principal: "p", tenant: undefined, tool };
		};
		expect(policy.mayAsk?.(facts("read_file"))).toBe(true);
		expect(fileTools({ root: scene.desk }).policy().mayAsk?.(facts("read_file"))).toBe(false);
		expect(policy.version).toMatch(/^files:[\w-]{8}\+effect-class$/);
	});

	test("a run asks, and what was approved is what is written", async () => {
		const files = fileTools({ root: scene.desk, rules });
		const model = scriptedModel([says("write_file", { path: "plan.md", text: "new" }), say("done")]);
		const agent = defineAgent({ name: "clerk", instructions: "Write.", model, tools: [...files.tools] });
		const harness = createHarness({ policy: files.policy() });
		const held = await harness.run(agent, "Write the plan.");
		const [open] = await harness.approvals();
		expect(held.status).toBe("waiting");
		expect(open?.reason).toBe("A rule of files says ask to changing plan.md");
		await harness.approve(open?.approval ?? "", { by: { id: "mia", via: "test" } });
		expect((await harness.resume(held.run)).status).toBe("completed");
		expect(await callTool(files.tools, "read_file", { path: "plan.md" })).toMatchObject({ text: "new" });
		await harness.close();
	});
});

describe("rules of files hold in the tools", () => {
	test("what is denied is refused, listed and found nowhere, whatever the policy says", async () => {
		const { tools } = fileTools({ root: scene.desk, rules });
		await expect(callTool(tools, "read_file", { path: "secret/c.md" })).rejects.toThrow("a rule denies it");
		await expect(callTool(tools, "write_file", { path: "private/b.md", text: "" })).rejects.toThrow("a rule denies it");
		expect(await callTool(tools, "search_files", { text: "secret" })).toEqual({ matches: [] });
		const { entries } = (await callTool(tools, "list_files", { pattern: "**/*.md" })) as { entries: string[] };
		expect(entries).toEqual(["notes/a.md"]);
	});

	test("what must be asked for is refused where no policy knows of it, and found by nobody who did not ask", async () => {
		const files = fileTools({ root: scene.desk, rules });
		await expect(callTool(files.tools, "read_file", { path: "private/b.md" })).rejects.toThrow("has no policy() of it");
		await expect(callTool(files.tools, "write_file", { path: "x.md", text: "" })).rejects.toThrow(
			"has no policy() of it",
		);
		// Nor does it help that another harness has the policy.
		const { decide, files: own } = desk();
		for (const name of ["read_file", "search_files"]) decide(name, { path: "private/b.md" });
		const others = own.tools.map((tool) => ({
			...tool,
			execute: (args: unknown, call: ToolContext) => tool.execute(args, { ...call, run: "other" }),
		}));
		await expect(callTool(others, "read_file", { path: "private/b.md" })).rejects.toThrow("has no policy() of it");
		// The ids of this test's calls are all the same, "r" and "c".
		expect(await callTool(own.tools, "read_file", { path: "private/b.md" })).toMatchObject({ text: "private\n" });
		expect(await callTool(own.tools, "search_files", { text: "private" })).toEqual({ matches: [] });
		const found = await callTool(own.tools, "search_files", { text: "private", path: "private" });
		expect(found).toMatchObject({ matches: [{ path: "private/b.md" }] });
	});

	test("an ask holds in every harness for itself", async () => {
		const { tools, policy } = fileTools({ root: scene.desk, rules });
		const read = says("read_file", { path: "private/b.md" });
		const model = () => scriptedModel(({ n, heard }) => (n === 0 ? read : say(heard)));
		const agent = () => defineAgent({ name: "clerk", instructions: "Read.", model: model(), tools: [...tools] });
		const governed = createHarness({ policy: policy() });
		const other = createHarness({ policy: () => ({ verdict: "allow" }) });
		const held = await governed.run(agent(), "Read it.");
		expect(held.status).toBe("waiting");
		expect(await other.run(agent(), "Read it.")).toMatchObject({
			text: expect.stringContaining("has no policy() of it"),
		});
		const [open] = await governed.approvals();
		await governed.approve(open?.approval ?? "", { by: { id: "mia", via: "test" } });
		expect(await governed.resume(held.run)).toMatchObject({ text: expect.stringContaining("private\\n") });
		await Promise.all([governed.close(), other.close()]);
	});

	test("the rules of one folder do not answer for the tools of another one", async () => {
		const mine = fileTools({ root: scene.desk, rules: [{ path: "**", write: "allow" }] });
		const yours = fileTools({ root: scene.desk });
		expect(() => yours.policy(mine.policy())).toThrow("Two sets of rules speak of a tool list_files");
		const harness = createHarness({ policy: mine.policy() });
		const model = scriptedModel([says("write_file", { path: "plan.md", text: "new" }), say("done")]);
		const agent = defineAgent({ name: "clerk", instructions: "Write.", model, tools: [...yours.tools] });
		await expect(harness.run(agent, "Write.")).rejects.toThrow("is not the one that the policy has rules for");
		await harness.close();
	});

	test("an edit tells what a file holds, so that rules of reading hold for it, too", () => {
		const files = fileTools({
			root: scene.desk,
			rules: [
				{ path: "secret/**", read: "deny", write: "allow" },
				{ path: "**", read: "ask", write: "allow" },
			],
		});
		const verdict = (name: string, path: string) =>
			(files.policy().decide({ tool: { name }, args: { path }, run: "r", call: "c" } as never) as Decision).verdict;
		expect(["secret/x", "notes/a.md"].map((path) => verdict("edit_file", path))).toEqual(["deny", "ask"]);
		expect(["secret/x", "notes/a.md"].map((path) => verdict("write_file", path))).toEqual(["allow", "allow"]);
	});

	test("what is no rule, or no limit, is an error at the start", () => {
		const make = (rule: object) => () => fileTools({ root: scene.desk, rules: [rule as FileRule] });
		expect(make({ path: "x" })).toThrow("is no rule");
		expect(make({ path: "x", write: "maybe" })).toThrow("is no rule");
		expect(make({ path: "x", write: "deny", wirte: "deny" })).toThrow("is no rule");
		for (const path of ["notes/../secret/**", "..", "secret\\**"])
			expect(make({ path, read: "deny" })).toThrow("fits nothing");
		for (const path of ["/secret", "./secret/**", "a..b/..c"]) expect(make({ path, read: "deny" })).not.toThrow();
		expect(() => fileTools({ root: scene.desk, limits: { rowsMax: 0 } })).toThrow("rowsMax to 0");
	});
});

test("labels: reads show nobody anything, and what is written is for the folder's readers", () => {
	const byName = (options: object) =>
		new Map(fileTools({ root: scene.desk, ...options }).tools.map((tool) => [tool.name, tool.labels]));
	expect(byName({}).get("read_file")).toEqual({ audience: [] });
	expect(byName({}).get("write_file")).toEqual({});
	const shop = byName({ integrity: "trusted", readers: ["shop"] });
	expect(shop.get("search_files")).toEqual({ integrity: "trusted", readers: ["shop"], audience: [] });
	expect(shop.get("write_file")).toEqual({ integrity: "trusted", readers: ["shop"], audience: ["shop"] });
});
