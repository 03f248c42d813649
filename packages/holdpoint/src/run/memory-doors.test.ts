import { describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { HarnessOptions } from "../holdpoint.ts";
import type { MemoryFile } from "../memory/entry-file.ts";
import { ownerOf } from "../memory/memory-space.ts";
import { fixedLimits } from "../spec/limits.ts";
import { auditStage, exportOf, verifyLines } from "../testing/audit-scene.ts";
import { stage } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { memoryTools } from "./memory-tools.ts";

function scene(harness: HarnessOptions = {}, store = memoryStore()) {
	return stage({ story: [say("ok")], store, harness });
}

const ann = { principal: "ann" };

async function filesOf(files: AsyncIterable<MemoryFile>): Promise<MemoryFile[]> {
	const found: MemoryFile[] = [];
	for await (const file of files) found.push(file);
	return found;
}

describe("memory for people", () => {
	test("is written, listed in pages, found, read and deleted", async () => {
		const { harness } = scene();
		for (const name of ["a", "b", "c"]) await harness.memory.write(name, `text of ${name}`, ann);
		const names = (entries: readonly { name: string }[]) => entries.map(({ name }) => name);
		const [first, ...rest] = await harness.memory.list(ann);
		expect(names(rest)).toEqual(names(await harness.memory.list({ ...ann, ...(first ? { before: first } : {}) })));
		expect(names(await harness.memory.list({ ...ann, limit: 1 }))).toHaveLength(1);
		expect(names(await harness.memory.search("B", ann))).toEqual(["b"]);
		expect(await harness.memory.get("b", ann)).toMatchObject({ text: "text of b", principal: "ann" });
		expect(await harness.memory.delete("b", ann)).toBe(true);
		expect(await harness.memory.delete("b", ann)).toBe(false);
		expect(await harness.memory.get("b", ann)).toBeUndefined();
		expect(await harness.memory.list({ ...ann, session: "s" })).toEqual([]);
		expect(await harness.memory.list({ ...ann, tenant: "t" })).toEqual([]);
		await expect(harness.memory.write("..", "x", ann)).rejects.toMatchObject({ code: "memory.invalid" });
		await expect(harness.memory.write("a", "", ann)).rejects.toMatchObject({ code: "memory.invalid" });
		await expect(harness.memory.list({ session: "" })).rejects.toMatchObject({ code: "run.input_invalid" });
	});

	test("what a run without a session noted is shown by the run's name, and to no other tenant", async () => {
		const story = [call("note", { name: "n", text: "kept" }), say("ok")];
		const { harness, agent } = stage({ story, tools: memoryTools() });
		const { run } = await harness.run(agent, "go", { tenant: "t" });
		expect(await harness.memory.list({ run, tenant: "t" })).toMatchObject([{ name: "n", text: "kept" }]);
		expect(await harness.memory.list({ run })).toEqual([]);
		expect(await harness.memory.list({ session: run, tenant: "t" })).toEqual([]);
		await expect(harness.memory.list({ run, session: "s" })).rejects.toMatchObject({ code: "memory.invalid" });
		await expect(harness.memory.list({ run: "" })).rejects.toMatchObject({ code: "run.input_invalid" });
	});

	test("what people write is as trusted as what they say, unless they say that it is not, or labels are not kept", async () => {
		const store = memoryStore();
		const labelled = scene({ labels: { input: ["principal", "shop"] } }, store).harness;
		await labelled.memory.write("a", "x", ann);
		await labelled.memory.write("b", "x", { ...ann, untrusted: true });
		await scene({}, store).harness.memory.write("c", "x", ann);
		const labelOf = async (name: string) => (await labelled.memory.get(name, ann))?.label;
		expect(await labelOf("a")).toEqual({ readers: ["principal", "shop"] });
		expect(await labelOf("b")).toMatchObject({ untrusted: expect.any(String) });
		expect(await labelOf("c")).toMatchObject({ untrusted: expect.any(String) });
	});
});

describe("files", () => {
	const texts = ["plain", '---\nname: "x"\n---\nnested', "ends\n", "\n\nü\u{1f600}\r\n\ttab", "seal: no"];

	test("an export comes back as it was, in another space of the same principal, with authors and labels", async () => {
		const { harness } = scene({ labels: true });
		for (const [n, text] of texts.entries())
			await harness.memory.write(`dir/${n} ü`, text, { ...ann, untrusted: n === 0 });
		const before = await harness.memory.list(ann);
		const files = await filesOf(harness.memory.export(ann));
		expect(files.map(({ file }) => file).every((file) => /^[a-z0-9-]+\.md$/.test(file))).toBe(true);
		const there = { ...ann, session: "s" };
		expect(await harness.memory.import(files, there)).toEqual({ entries: texts.length, untrusted: 1 });
		expect(await harness.memory.list(there)).toEqual(before);
		// Twice is once.
		await harness.memory.import(files, ann);
		expect(await harness.memory.list(ann)).toEqual(before);
	});

	test("whatever was changed, and whatever another store or principal exported, is somebody's words", async () => {
		const { harness } = scene({ labels: true });
		await harness.memory.write("a", "tea", ann);
		const [file] = await filesOf(harness.memory.export(ann));
		if (!file) throw new Error("there should be a file");
		const foreign: MemoryFile[] = [
			{ ...file, text: file.text.replace("tea", "pay eve") },
			{ ...file, text: file.text.replace('name: "a"', 'name: "b"') },
			{ ...file, text: file.text.replace(/seal: .*\n/, "") },
			{ ...file, text: file.text.replace('"ann"', '"bob"') },
		];
		const labelOf = async (principal: string) => {
			const [entry] = await harness.memory.list({ principal, limit: 1 });
			return [entry?.label?.untrusted !== undefined, entry?.by];
		};
		for (const one of foreign) {
			await harness.memory.forget(ann);
			expect(await harness.memory.import([one], { ...ann, by: "ops" })).toEqual({ entries: 1, untrusted: 1 });
			expect(await labelOf("ann")).toEqual([true, { person: "ops" }]);
		}
		await harness.memory.import([file], { principal: "bob" });
		expect(await labelOf("bob")).toEqual([true, expect.anything()]);
		const other = scene({ labels: true }).harness;
		expect(await other.memory.import([file], ann)).toMatchObject({ untrusted: 1 });
		expect(await harness.memory.import([file], ann)).toMatchObject({ untrusted: 0 });
	});

	test("what is no entry is refused with its name, and nothing of the import is kept", async () => {
		const { harness } = scene();
		await harness.memory.write("a", "tea", ann);
		const [good] = await filesOf(harness.memory.export(ann));
		await harness.memory.forget(ann);
		const head = "---\nholdpoint-memory: 1\n";
		const wrong = [
			"",
			"text alone",
			'---\nname: "a"\n---\ntext',
			`${head}name: "a"`,
			`${head}name: "a"\n---\n`,
			`${head}name: a\n---\ntext`,
			`${head}name: "../../etc/passwd"\n---\ntext`,
			`${head}name: "a\\u0000"\n---\ntext`,
			`${head}name: ["a"]\n---\ntext`,
			`${head}at: "x"\n---\ntext`,
			`${head}constructor: "x"\n__proto__: {}\n---\ntext`,
			`${head}name: "a"\n---\n\0`,
			`${head}name: "a"\n---\n${"x".repeat(fixedLimits.memoryTextBytesMax + 1)}`,
			`${head}name: "a"\n---\n\ud800`,
			"x".repeat(1_000_000),
		];
		for (const text of wrong) {
			const files = [good as MemoryFile, { file: "../x.md", text }];
			await expect(harness.memory.import(files, ann)).rejects.toMatchObject({ code: "memory.invalid" });
		}
		const twice = [good as MemoryFile, { ...(good as MemoryFile), file: "other.md" }];
		await expect(harness.memory.import(twice, ann)).rejects.toThrow('Two files hold an entry with the name "a"');
		expect(await harness.memory.list(ann)).toEqual([]);
	});
});

describe("to forget", () => {
	test("takes everything that was written on behalf of a principal, in sessions, too, and nothing else", async () => {
		const { harness } = scene();
		await harness.memory.write("a", "x", ann);
		await harness.memory.write("b", "x", { ...ann, session: "s" });
		await harness.memory.write("c", "x", { principal: "bob", session: "s" });
		await harness.memory.write("d", "x", { ...ann, tenant: "t" });
		expect(await harness.memory.forget(ann)).toEqual({ entries: 2 });
		expect(await harness.memory.list(ann)).toEqual([]);
		expect((await harness.memory.list({ session: "s" })).map(({ name }) => name)).toEqual(["c"]);
		expect(await harness.memory.list({ ...ann, tenant: "t" })).toHaveLength(1);
		expect(await harness.memory.forget({ session: "s" })).toEqual({ entries: 1 });
		expect(await harness.memory.list({ session: "s" })).toEqual([]);
		expect(await harness.memory.forget(ann)).toEqual({ entries: 0 });
	});

	test("is a leaf of the audit log that names nobody, and the log verifies", async () => {
		const audited = auditStage();
		await audited.harness.memory.write("a", "x", { principal: "customer-7" });
		await audited.harness.memory.forget({ principal: "customer-7", by: "dpo" });
		const lines = await exportOf(audited);
		expect(lines.join("\n")).toMatch(/"event":\{"by":"dpo","entries":1,"type":"memory.forgotten"\}/);
		expect(lines.join("\n")).not.toContain("customer-7");
		expect(await verifyLines(lines)).toMatchObject({ ok: true });
	});

	test("a run that is erased takes the notes that it alone had; what outlasts it keeps its ids", async () => {
		const story = [
			call("note", { name: "n", text: "mine" }),
			call("remember", { name: "r", text: "stays" }),
			say("ok"),
		];
		const allow = { policy: () => ({ verdict: "allow" }) } satisfies HarnessOptions;
		const { harness, agent, store } = stage({ story, tools: memoryTools(), harness: allow });
		const { run } = await harness.run(agent, "go", ann);
		const entries = async () =>
			(await store.memory.list({ of: { owner: await ownerIn(store) } })).map(({ name }) => name);
		expect((await entries()).sort()).toEqual(["n", "r"]);
		await harness.audit.erase({ run });
		expect(await entries()).toEqual(["r"]);
		expect(await harness.memory.get("r", ann)).toMatchObject({ by: { run, call: "c2" } });
	});
});

async function ownerIn(store: ReturnType<typeof memoryStore>): Promise<string> {
	return ownerOf(await store.id(), undefined, "ann");
}
