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
		const report = await verify([head, leafWith(`{"v":1,"run":${text},"n":1,"at":1,"event":{"type":"x"}}`)]);
		expect(report.findings.map(({ kind }) => kind)).not.toContain("malformed");
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
