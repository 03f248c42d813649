import { describe, expect, test } from "vitest";
import {
	openCheckpoint,
	openNote,
	parseCheckpoint,
	signCheckpoint,
	signerKey,
	signerOf,
	signNote,
	verifierKey,
} from "./note.ts";

/**
 * The published example of the format: golang.org/x/mod/sumdb/note, which C2SP `signed-note` describes. Ed25519 has one
 * signature for a text and a key, so that signing gives the published bytes.
 */
const secretText = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const publicText = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const enoch = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const peterLine =
	"— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const enochLine =
	"— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

function keyOf(encoded: string) {
	const key = verifierKey(encoded);
	if ("problem" in key) throw new Error(key.problem);
	return key;
}

function signer() {
	const key = signerKey(secretText);
	if ("problem" in key) throw new Error(key.problem);
	return key;
}

describe("the published note", () => {
	test("is made byte for byte, and its keys belong together", () => {
		expect(signNote(text, signer())).toBe(`${text}\n${peterLine}`);
		expect(signer().text).toBe(publicText);
		expect(signer().secretText).toBe(secretText);
	});

	test("opens with the key that signed it, alone or among others", () => {
		const signed = { kind: "signed", text };
		expect(openNote(`${text}\n${peterLine}`, keyOf(publicText))).toEqual(signed);
		expect(openNote(`${text}\n${peterLine}${enochLine}`, keyOf(publicText))).toEqual(signed);
		expect(openNote(`${text}\n${peterLine}${enochLine}`, keyOf(enoch))).toEqual(signed);
	});

	test("does not open with another key, and says whose it is", () => {
		expect(openNote(`${text}\n${peterLine}`, keyOf(enoch))).toEqual({
			kind: "wrong_key",
			signers: ["PeterNeumann+c74f20a3"],
		});
		const namesake = signerOf("PeterNeumann", new Uint8Array(32).fill(9));
		expect(openNote(signNote(text, namesake), keyOf(publicText)).kind).toBe("wrong_key");
	});

	test("does not open when one character of it is another", () => {
		const changed = text.replace("answer", "answers");
		expect(openNote(`${changed}\n${peterLine}`, keyOf(publicText)).kind).toBe("altered");
		expect(
			openNote(`${text}\n${peterLine.replace("/Zjk", "/Zjl").replace("ZJku", "ZJkv")}`, keyOf(publicText)).kind,
		).toBe("altered");
	});

	test.each([
		["nothing", ""],
		["no signature", text],
		["no blank line", `${text}${peterLine}`],
		["no last new line", `${text}\n${peterLine.slice(0, -1)}`],
		["a hyphen for the dash", `${text}\n${peterLine.replace("—", "-")}`],
		["two spaces", `${text}\n${peterLine.replace("— ", "—  ")}`],
		["base64 that could be written otherwise", `${text}\n${peterLine.replace("nAM=", "nAN=")}`],
		["a tab", `${text.replace(" ", "\t")}\n${peterLine}`],
		["too many signatures", `${text}\n${enochLine.repeat(101)}`],
		["too long a text", `${"x".repeat(70_000)}\n\n${peterLine}`],
	])("with %s is no note", (_, note) => {
		expect(openNote(note, keyOf(publicText)).kind).toBe("malformed");
	});
});

describe("a key", () => {
	test("of which a part is missing, or a character is another, is none", () => {
		for (let from = 0; from < publicText.length; from++) {
			for (let to = from + 1; to <= publicText.length; to++) {
				if (from > 0 || to < publicText.length)
					expect(verifierKey(publicText.slice(from, to))).toHaveProperty("problem");
			}
			const next = String.fromCharCode(publicText.charCodeAt(from) + 1);
			expect(verifierKey(publicText.slice(0, from) + next + publicText.slice(from + 1))).toHaveProperty("problem");
			const nextSecret = String.fromCharCode(secretText.charCodeAt(from) + 1);
			expect(signerKey(secretText.slice(0, from) + nextSecret + secretText.slice(from + 1))).toHaveProperty("problem");
		}
	});

	test("of another length or algorithm is none, though its id is right (published)", () => {
		expect(verifierKey("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==")).toHaveProperty(
			"problem",
		);
		expect(verifierKey("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")).toHaveProperty("problem");
	});
});

describe("a checkpoint", () => {
	/** The example of C2SP `tlog-checkpoint`. */
	const published = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

	test("of the specification is read", () => {
		expect(parseCheckpoint(published)).toMatchObject({ origin: "example.com/behind-the-sofa", size: 20_852_163 });
		expect(parseCheckpoint(`${published}an extension\n`)).toMatchObject({ size: 20_852_163 });
	});

	test.each([
		["a leading zero", published.replace("2085", "02085")],
		["a size that is none", published.replace("20852163", "-1")],
		["a size that is too large", published.replace("20852163", "99999999999999999")],
		["an empty extension line", `${published}\n`],
		["no root", "example.com/log\n5\n"],
		["a short root", "example.com/log\n5\nAAAA\n"],
		["no origin", "\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"],
	])("with %s is none", (_, wrong) => {
		expect(parseCheckpoint(wrong)).toHaveProperty("problem");
	});

	test("is taken from the log's own key and of this log alone", () => {
		const own = signerOf("example.com/log", new Uint8Array(32).fill(1));
		const checkpoint = { origin: "example.com/log", size: 3, root: new Uint8Array(32).fill(2) };
		expect(openCheckpoint(signCheckpoint(checkpoint, own), own)).toMatchObject({
			kind: "signed",
			checkpoint: { size: 3 },
		});
		const other = { ...checkpoint, origin: "example.com/other" };
		expect(openCheckpoint(signCheckpoint(other, own), own)).toEqual({
			kind: "wrong_key",
			signers: ["example.com/other"],
		});
	});
});
