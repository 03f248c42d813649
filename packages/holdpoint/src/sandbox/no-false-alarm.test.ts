import { runInThisContext, Script } from "node:vm";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import type { Json } from "../spec/json.ts";
import { type Choose, fittingSchema } from "../testing/fitting-schema.ts";
import { toJsonSchema } from "../tools/json-schema.ts";
import { formatProblems, prepareProgram } from "./prepare-program.ts";

/** Writes a program whose call has exactly this argument when it runs, some parts literal and some computed. */
class ProgramWriter {
	readonly #choose: Choose;
	readonly #lines: string[] = [];
	#names = 0;

	constructor(choose: Choose) {
		this.#choose = choose;
	}

	write(value: Json): string {
		const argument = this.#expression(value, 0);
		const call = [`tools.t(${argument})`, `tools["t"](${argument})`, `tools?.t?.(${argument})`][this.#choose(3)];
		return [...this.#lines, `await ${call};`].join("\n");
	}

	#expression(value: Json, depth: number): string {
		switch (depth > 4 ? 9 : this.#choose(10)) {
			case 0:
				return this.#variable(this.#whole(value));
			case 1:
				return `(${this.#expression(value, depth + 1)})`;
			case 2:
				return `JSON.parse(${JSON.stringify(JSON.stringify(value))})`;
			case 3:
				return `(${this.#variable("true")} ? ${this.#expression(value, depth + 1)} : 0)`;
			default:
				return this.#literal(value, depth + 1);
		}
	}

	/** In the text of a program, this name would set the prototype. */
	#whole(value: Json): string {
		const text = JSON.stringify(value);
		return text.includes("__proto__") ? `JSON.parse(${JSON.stringify(text)})` : text;
	}

	#variable(text: string): string {
		const name = `v${this.#names++}`;
		this.#lines.push(`const ${name} = ${text};`);
		return name;
	}

	#literal(value: Json, depth: number): string {
		if (Array.isArray(value)) return this.#array(value, depth);
		if (typeof value === "object" && value !== null) return this.#object(Object.entries(value), depth);
		if (typeof value === "string" && this.#choose(3) === 0)
			return `\`${value.replace(/[`\\$]/g, "\\$&").replace(/\r/g, "\\r")}\``;
		return JSON.stringify(value);
	}

	#array(value: readonly Json[], depth: number): string {
		const items = value.map((item) => this.#expression(item, depth));
		const at = this.#choose(value.length + 1);
		if (this.#choose(3) === 0)
			items.splice(at, items.length - at, `...${this.#variable(`[${items.slice(at).join(", ")}]`)}`);
		return `[${items.join(", ")}]`;
	}

	#object(entries: readonly [string, Json][], depth: number): string {
		const fields: string[] = [];
		for (const [key, value] of entries) fields.push(...this.#field(key, value, depth));
		if (this.#choose(6) === 0)
			fields.push(["stranger: undefined", "stranger() {}", "stranger: void 0"][this.#choose(3)] ?? "");
		return `{ ${fields.join(", ")} }`;
	}

	/** The key with its value, perhaps after a wrong value that does not count. */
	#field(key: string, value: Json, depth: number): string[] {
		const name = JSON.stringify(key);
		const text = this.#expression(value, depth);
		const wrong = this.#choose(4) === 0 ? [`${name}: [[1]]`] : [];
		// In a literal, this name would set the prototype.
		const own = key === "__proto__" || this.#choose(6) === 0 ? `[${name}]: ${text}` : `${name}: ${text}`;
		return [
			...(key === "__proto__" ? [] : wrong),
			this.#choose(6) === 0 ? `...${this.#variable(`{ [${name}]: ${text} }`)}` : own,
		];
	}
}

test("a program whose argument is valid when it runs is never refused", async () => {
	await fc.assert(
		fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), fc.gen(), async (any, gen) => {
			const choose: Choose = (below) => gen(fc.nat, { max: below - 1 });
			const value = JSON.parse(JSON.stringify(any)) as Json;
			const source = new ProgramWriter(choose).write(value);
			const tool = { name: "t", description: "", inputSchema: fittingSchema(value, choose) };
			const prepared = await prepareProgram(source, [tool], { sourceBytesMax: 1e6 });
			const story = () =>
				`${source}\n${JSON.stringify(tool.inputSchema)}\n${prepared.ok ? "" : formatProblems(source, prepared.problems)}`;
			expect(prepared.ok, story()).toBe(true);
			// The program does make the call with this very value, or the test proves nothing.
			const asked: string[] = [];
			const tools = { t: (args: unknown) => asked.push(JSON.stringify(args)) };
			if (prepared.ok) await runInThisContext(`(async (tools) => {${prepared.body}\n})`)(tools);
			expect(
				asked.map((text) => JSON.parse(text)),
				source,
			).toEqual([value]);
		}),
		{ numRuns: 2_000 },
	);
});

/** Validators that take more than their JSON Schema says, each with a value that shows it. */
const lenient: readonly (readonly [z.ZodType, Json])[] = [
	[z.coerce.number(), "5"],
	[z.coerce.string(), 5],
	[z.coerce.boolean(), 1],
	[z.number().catch(0), "x"],
	[z.number().default(1), 2],
	[z.string().trim().max(3), "  abc  "],
	[
		z
			.string()
			.toLowerCase()
			.regex(/^[a-z]+$/),
		"ABC",
	],
	[z.string().regex(/^[a-z]+$/i), "ABC"],
	[z.preprocess((value) => Number(value), z.int()), "5"],
	[z.preprocess((value) => ({ id: "a", ...(value as object) }), z.object({ id: z.string() })), {}],
	[z.array(z.coerce.number().transform(String)), ["20"]],
	[z.union([z.number(), z.string().trim().length(1)]), " a "],
	[z.discriminatedUnion("kind", [z.object({ kind: z.literal("a"), n: z.coerce.number() })]), { kind: "a", n: "1" }],
	[z.string().nullish(), null],
	[z.int(), 7],
];

/** An object schema of such fields, with arguments that it accepts. */
function lenientObject(choose: Choose): { readonly input: z.ZodType; readonly sent: Json } {
	const picked = Array.from(
		{ length: choose(3) + 1 },
		() => lenient[choose(lenient.length)] ?? ([z.null(), null] as const),
	);
	const shape = Object.fromEntries(picked.map(([schema], i) => [`f${i}`, schema]));
	const sent = Object.fromEntries(picked.map(([, json], i) => [`f${i}`, json]));
	const object = choose(2) === 0 ? z.object(shape) : z.strictObject(shape);
	if (choose(4) > 0) return { input: object, sent };
	// The whole may be made of what the argument lacks, too.
	const input = z.preprocess((given) => ({ ...sent, ...(given as object) }), object);
	return { input, sent: choose(2) === 0 ? {} : { f0: sent["f0"] ?? null } };
}

test("a tool's own validator has the last word about its arguments", async () => {
	let refusedBySchema = 0;
	await fc.assert(
		fc.asyncProperty(fc.gen(), async (gen) => {
			const choose: Choose = (below) => gen(fc.nat, { max: below - 1 });
			const { input, sent } = lenientObject(choose);
			expect(input.safeParse(sent).success).toBe(true);
			const source = new ProgramWriter(choose).write(sent);
			const described = { name: "t", description: "", inputSchema: toJsonSchema(input, "input") };
			const bySchema = await prepareProgram(source, [described], { sourceBytesMax: 1e6 });
			if (!bySchema.ok) refusedBySchema++;
			const prepared = await prepareProgram(source, [{ ...described, input }], { sourceBytesMax: 1e6 });
			expect(prepared.ok, `${source}\n${JSON.stringify(described.inputSchema)}`).toBe(true);
		}),
		{ numRuns: 500 },
	);
	// Else nothing was put to the validators.
	expect(refusedBySchema).toBeGreaterThan(100);
});

test("whatever the text, it is accepted or refused with places inside it", async () => {
	const piece = fc.constantFrom(
		..."tools .t ( ) { } [ ] , ; : = => async await function return const a ? ` $ { } ' \" /* */ // \n 1 ... + ``` ```ts\n import < > ! \u2028 é 😀 # \\ let class".split(
			" ",
		),
	);
	const tool = { name: "t", description: "", inputSchema: { type: "object", required: ["a"] } };
	await fc.assert(
		fc.asyncProperty(fc.array(piece, { maxLength: 25 }), async (pieces) => {
			const source = pieces.join(" ");
			const prepared = await prepareProgram(source, [tool], { sourceBytesMax: 1e6 });
			// Read again as the guest will: what was accepted is a body.
			if (prepared.ok) new Script(`(async () => {${prepared.body}\n})`);
			if (prepared.ok) return;
			const lines = source.split(/\r\n|[\n\r]/);
			for (const { line, column } of prepared.problems) {
				expect(lines[line - 1], source).toBeDefined();
				expect(column).toBeGreaterThan(0);
			}
			expect(formatProblems(source, prepared.problems)).toContain("The program was not run");
		}),
		{ numRuns: 500 },
	);
});
