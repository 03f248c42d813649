import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lineCharsMax } from "./export-lines.ts";
import { signerOf } from "./note.ts";
import { type ByteSource, verifyExport, verifyProof } from "./verify.ts";

const key = signerOf("log", new Uint8Array(32).fill(1)).text;
const verify = (source: ByteSource, since?: string) => verifyExport(source, { key, since });
const head = '{"type":"head","format":"holdpoint-audit","v":1,"origin":"log","size":1}\n';
const hash = "A".repeat(43);
const leafWith = (leaf: string) => `{"type":"leaf","i":0,"hash":"${hash}","leaf":${leaf}}\n`;
const leaf = '{"v":1,"run":"r","n":1,"at":1,"event":{"type":"x"}}';

describe("an export from anywhere", () => {
	test("is never an error: any text has a report, and none is right", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(fc.oneof(fc.string(), fc.json(), fc.constant(head))), async (lines) => {
				const report = await verify(lines.map((line) => `${line}\n`));
				expect(report.ok).toBe(false);
				expect(report.findings.length).toBeGreaterThan(0);
			}),
		);
	});

	test("any JSON as a proof has an answer, and none is right", async () => {
		await fc.assert(
			fc.property(fc.jsonValue(), (value) => {
				expect(verifyProof(value, key)?.kind).toBe("malformed");
			}),
		);
	});

	test("any bytes, in any pieces", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 50 })), async (pieces) => {
				expect((await verify(pieces)).ok).toBe(false);
			}),
		);
	});

	test.each([
		["nothing", ""],
		["a head alone", head],
		["a size of a trillion", head.replace('"size":1', '"size":1000000000000')],
		["numbers that are none", `${head}${leafWith('{"v":1,"run":"r","n":1e99,"at":1,"event":{"type":"x"}}')}`],
		[
			"an index of 1e15",
			`${head}{"type":"leaf","i":1000000000000000,"hash":"${hash}","leaf":{"v":1,"run":"r","n":1,"at":1,"event":{"type":"x"}}}\n`,
		],
		["a hash that is too long", `${head}${leafWith(leaf).replace(hash, "A".repeat(500))}`],
		["a hash that is none", `${head}${leafWith(leaf).replace(hash, "?".repeat(43))}`],
		["a leaf of a later version", `${head}${leafWith('{"v":2,"run":"r","n":1,"at":1,"event":{"type":"x"}}')}`],
		[
			"names of Object.prototype",
			`${head}${leafWith('{"v":1,"run":"__proto__","n":1,"at":1,"event":{"type":"call.started","call":"constructor"}}')}`,
		],
		["a head of another format", head.replace("holdpoint-audit", "other")],
	])("%s: a report, and it is not right", async (_, text) => {
		const report = await verify([text]);
		expect(report.ok).toBe(false);
		expect(report.findings.length).toBeLessThan(10);
	});

	test("nested 100,000 deep, in a line or in a leaf: malformed", async () => {
		const deep = "[".repeat(100_000) + "]".repeat(100_000);
		for (const text of [deep, `{"a":${deep}}`, `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`]) {
			const report = await verify([head, `${text}\n`, leafWith(text)]);
			expect(report.findings.filter(({ kind }) => kind === "malformed").length).toBeGreaterThan(1);
		}
	});

	test("strings full of brackets, quotes and backslashes are no depth", async () => {
		const text = JSON.stringify('[{"\\'.repeat(3_000));
		const report = await verify([head, leafWith(`{"v":1,"run":"r","n":1,"at":1,"event":{"type":"x","y":${text}}}`)]);
		expect(report.findings.map(({ kind }) => kind)).not.toContain("malformed");
	});

	/** What a fact may be in a leaf that somebody made: all that JSON has. */
	const fact = fc.oneof(
		fc.jsonValue({ maxDepth: 2 }),
		fc.constant(null),
		fc.constant(1),
		fc.constantFrom("length", "__proto__", "push", 0, -1, 1e308, "c1", "ask", "approve", "deny", "edit", "ok"),
		fc.constantFrom({ toString: null, valueOf: null }, [null], ["length", "push", 0], [["a", -1]], [[1, "c1.1"]], {
			id: {},
		}),
	);
	const names =
		"call verdict bound policy approvedBy approvedAs ask grants grant tool usesMax expiresAt approval roles count counts people substitutes carries row rows foreseen answer by at why attempt outcome excepted version";
	const types =
		"call.decided approval.requested approval.resolved approval.escalated approval.closed call.started call.finished program.rehearsed grant.given grant.revoked grant.erased policy.changed run.started run.finished run.erased";

	const begun: readonly (readonly [string, string, object])[] = [
		["run.started", "", {}],
		["program.rehearsed", "c1", { foreseen: [[1, null]] }],
		["call.decided", "c1.1", { verdict: "ask" }],
		["approval.requested", "c1.1", { approval: 1, expiresAt: 9 }],
	];

	test("whatever stands in its facts, every leaf has a report", async () => {
		const event = fc.tuple(
			fc.constantFrom(...types.split(" ")),
			fc.constantFrom("c1", "c1.1", "c1.1", "c1.1"),
			fc.dictionary(fc.constantFrom(...names.split(" ")), fact, { minKeys: 12, maxKeys: 20 }),
		);
		await fc.assert(
			fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
				const lines = [...begun, ...events].map(([type, call, facts], at) => {
					const run = at % 9 === 8 ? "-" : "r";
					const n = run === "-" ? {} : { n: at + 1 };
					return leafWith(
						JSON.stringify({ v: 1, run, ...n, at, event: { approval: 1, ...facts, call, type } }),
					).replace('"i":0', `"i":${at}`);
				});
				const report = await verify([head, ...lines]);
				expect(report.leaves + report.findings.length).toBeGreaterThan(0);
			}),
			{ numRuns: 400 },
		);
		expect(Object.keys(Array.prototype.push)).toEqual([]);
	});

	test.each([
		["rows that are no numbers", "approval.resolved", { approval: 1, answer: "deny", rows: ["push", "length"] }],
		["an ask that is null", "call.started", { attempt: 1 }],
		["a reason that is no text", "approval.closed", { approval: 1, why: { toString: null, valueOf: null } }],
		[
			"a person that is no text",
			"approval.resolved",
			{ approval: 1, answer: "approve", at: 1, by: { id: { toString: null } } },
		],
	])("%s: a report, and nothing outside is touched", async (_, type, facts) => {
		const events = [
			{ type: "run.started" },
			{ type: "program.rehearsed", call: "c1", foreseen: [[1, null]] },
			{ type: "call.decided", call: "c1.1", verdict: "ask", bound: 1, ask: null },
			{ type: "approval.requested", call: "c1.1", approval: 1, expiresAt: 9 },
			{ ...facts, type, call: "c1.1" },
			{ type: "call.started", call: "c1.1", attempt: 1 },
		];
		const lines = events.map((event, at) => leafWith(JSON.stringify({ v: 1, run: "r", n: at + 1, at, event })));
		expect((await verify([head, ...lines])).ok).toBe(false);
		expect(Object.keys(Array.prototype.push)).toEqual([]);
	});

	test("so many people, each of whom would have to make room for the next, have a report", async () => {
		const count = 8_000;
		const people = Array.from({ length: count }, (_, n) => ({
			type: "approval.resolved",
			call: "c1",
			approval: 1,
			answer: "approve",
			at: 1,
			by: { id: `p${n}`, roles: [`r${n}`, `r${n + 1}`] },
		}));
		// Everybody sits by then, and the last seat is for the first one alone.
		const roles = [...Array.from({ length: count - 1 }, (_, n) => `r${n + 1}`), "r0"];
		const approvedBy = people.map(({ by }) => by.id);
		const events = [
			{ type: "run.started" },
			{ type: "call.decided", call: "c1", verdict: "ask", bound: 1, ask: { roles }, approvedBy },
			{ type: "approval.requested", call: "c1", approval: 1, roles, expiresAt: 9 },
			...people,
			{ type: "call.decided", call: "c1", verdict: "ask", bound: 1, ask: { roles }, approvedBy },
			{ type: "call.started", call: "c1", attempt: 1 },
		];
		const lines = events.map((event, at) => leafWith(JSON.stringify({ v: 1, run: "r", n: at + 1, at, event })));
		expect((await verify([head, ...lines])).leaves).toBe(events.length);
	});

	test("an id that is longer than any is none, so that no finding repeats it", async () => {
		const event = { type: "call.started", call: "c".repeat(1_001) };
		for (const wrong of [{ run: "r".repeat(1_001) }, { event }]) {
			const long = leafWith(JSON.stringify({ v: 1, run: "r", n: 1, at: 1, event: { type: "x" }, ...wrong }));
			expect((await verify([head, long])).findings[0]).toMatchObject({ kind: "malformed" });
		}
	});

	test("a proof that is nested too deep is none", () => {
		const deep = JSON.parse("[".repeat(50_000) + "]".repeat(50_000));
		const one = JSON.parse(leaf);
		const proof = { format: "holdpoint-audit-proof", v: 1, index: 0, leaf: one, proof: [], checkpoint: "x" };
		for (const wrong of [
			{ ...proof, leaf: { ...one, deep } },
			{ ...proof, payload: deep, salt: "s" },
		])
			expect(verifyProof(wrong, key)?.kind).toBe("malformed");
	});

	test("a line without an end is given up, and the stream is read no further", async () => {
		const piece = "x".repeat(1_048_576);
		let given = 0;
		function* endless() {
			for (;;) {
				given++;
				yield piece;
			}
		}
		const report = await verify(endless());
		expect(report.findings).toMatchObject([
			{ kind: "malformed", message: expect.stringContaining(String(lineCharsMax)) },
		]);
		expect(given).toBeLessThan(20);
	});

	test("many leaves without a checkpoint are not held", async () => {
		function* endless() {
			yield head;
			for (let n = 0; n < 20_000; n++) yield leafWith(leaf);
		}
		const report = await verify(endless());
		expect(report.leaves).toBe(20_000);
		expect(report.findings).toMatchObject([{ kind: "truncated" }]);
	});

	test("many bad lines are counted, and not all told", async () => {
		function* bad() {
			for (let n = 0; n < 100; n++) yield "x\n".repeat(1_000);
		}
		const report = await verify(bad());
		expect(report.findings.length).toBeLessThan(30);
		expect(report.more).toBeGreaterThan(99_000);
	});

	test("a stream that breaks is its own error", async () => {
		async function* broken() {
			yield head;
			throw new Error("the disk is gone");
		}
		await expect(verify(broken())).rejects.toThrow("the disk is gone");
	});

	test.each(["", "x", "a\nb\nc\n", "\n".repeat(70_000)])(
		"a trusted checkpoint that is none: malformed",
		async (since) => {
			const report = await verify([head], since);
			expect(report.findings[0]).toMatchObject({ kind: "malformed", message: expect.stringContaining("trusted") });
		},
	);

	test.each(["", "x", "log+00000000+AAAA"])("a key that is none (%j): malformed", async (wrong) => {
		expect((await verifyExport([head], { key: wrong })).findings).toMatchObject([{ kind: "malformed" }]);
	});
});
