import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { stripTypes } from "./strip-types.ts";

describe("stripTypes", () => {
	test("blanks types out and leaves every other character where it was", async () => {
		const source = "const a: number = 1;\r\ninterface A { b: 'ж😀漢' }\n\tlet c = a as unknown; // ж\nf(c!);";
		const stripped = await stripTypes(source);
		if (!stripped.ok) throw new Error(stripped.message);
		expect(stripped.text).toHaveLength(source.length);
		for (const word of ["= 1;", "let c", "// ж", "f(c"]) {
			expect(stripped.text.indexOf(word), word).toBe(source.indexOf(word));
		}
		expect(stripped.text).not.toMatch(/number|interface|unknown|!/);
	});

	test("tells the place of a mistake in the given text, on the first line too", async () => {
		expect(await stripTypes("const a: number = 1;\n\tconst b = 1 +;")).toMatchObject({
			kind: "invalid",
			place: { line: 2, column: 15 },
		});
		expect(await stripTypes("let a:string;\tf('漢字😀é');\tconst b = 1 +;")).toMatchObject({
			place: { line: 1, column: 40 },
		});
		expect(await stripTypes("enum A { B }")).toMatchObject({ kind: "unsupported", place: { line: 1, column: 1 } });
		expect(await stripTypes("let a: string; namespace X { export const b = 1 }")).toMatchObject({
			kind: "unsupported",
			message: "TypeScript namespace declaration is not supported in strip-only mode",
			place: { line: 1, column: 16 },
		});
	});

	test("a text that it would never finish is given up, and the next one is stripped", async () => {
		const endless = stripTypes("async<T>(a=".repeat(40), { timeoutMs: 50 });
		const next = stripTypes("let a: string");
		expect(await endless).toEqual({ ok: false, kind: "fault", message: "it takes more than 50 ms", place: undefined });
		expect(await next).toEqual({ ok: true, text: "let a        " });
	});

	test("a text that breaks it breaks it for nobody else", async () => {
		const broken = await stripTypes(`let a: string; ${"a=>".repeat(5_000)}1`);
		expect(broken).toEqual({
			ok: false,
			kind: "fault",
			message: "it is nested too deeply or too long",
			place: undefined,
		});
		expect(await stripTypes("let a: string")).toEqual({ ok: true, text: "let a        " });
	});

	test("prints no warning, and holds no process open", () => {
		const url = new URL("./strip-types.ts", import.meta.url).href;
		const script = `const { stripTypes } = await import(${JSON.stringify(url)}); console.log(await stripTypes("let a: number"));`;
		const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
			encoding: "utf8",
			env: { PATH: process.env["PATH"] },
			timeout: 25_000,
		});
		expect({ status, stdout, stderr }).toEqual({
			status: 0,
			stdout: "{ ok: true, text: 'let a        ' }\n",
			stderr: "",
		});
	});
});
