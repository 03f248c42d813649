import { expect, test } from "vitest";
import { withoutTypeArguments } from "./type-arguments.ts";

const script = (body: string) => `async () => {${body}\n}`;

test.each([
	["[1, 2].reduce<number>((a, b) => a + b, 0)", "[1, 2].reduce        ((a, b) => a + b, 0)"],
	["await tools.pay<Receipt>({ n: 1 })", "await tools.pay         ({ n: 1 })"],
	["new Set<string>([])", "new Set        ([])"],
	["new Map<string, number>([['a', 1]])", "new Map                ([['a', 1]])"],
	["Array<Array<number>>(3)", "Array               (3)"],
	["new A<B<C<D>>>(1)", "new A         (1)"],
	["f<'a' | 'b'>(x) + f<A & B>(x)", "f           (x) + f       (x)"],
	["f<{ a: number }>(x)", "f               (x)"],
	["f<typeof x>(y)", "f          (y)"],
	["tag<string>`x`", "tag        `x`"],
	[`\`\${f<number>(1)}\``, `\`\${f        (1)}\``],
	["f<A>/* why */(x)", "f   /* why */(x)"],
	["f<A>\n(x)", "f   \n(x)"],
	["const g = id<string>\ng(1)", "const g = id        \ng(1)"],
	["const é = f<Ж>('漢', 1) < 2", "const é = f   ('漢', 1) < 2"],
])("type arguments: %s", async (before, after) => {
	const plain = await withoutTypeArguments(script(before));
	// Some blanks are wider ones, for the characters that they stand for.
	expect(plain?.replace(/[^\S\n]/g, " ")).toBe(script(after));
	expect(plain).toHaveLength(script(before).length);
});

test.each([
	"for (let i = 0; i < n; i++) if (x > (y)) f()",
	"a < b && c > (d)",
	"x < y >> (z)",
	"(a < b) > (c)",
	"a < b() > (c)",
	"a < b > c",
	"const html = '<b>(' + a + ')</b>'",
	"const html = `\n<b>\n</b>`",
	"rows.filter((a) => (a.n >= (b)))",
	"a > (b)",
	"enum A { B }\nf<T>(x)",
	"let a: string; f<T>(x)",
])("no type arguments, or none alone: %s", async (source) => {
	expect(await withoutTypeArguments(script(source))).toBeUndefined();
});
